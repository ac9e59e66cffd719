"""`column IN (many ids)` as one parameter, however many they are.

An IN list is a parameter an id: building, sending and planning it costs more than the query. PostgreSQL takes an
array and SQLite a JSON text, and both read it as a table: PostgreSQL compares each row with every element of an array
parameter when no index suits it, which a table that was never analysed turns into minutes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Select, bindparam, func, literal_column, select
from sqlalchemy.orm import Session


def among(session: Session, column: Any, ids: Iterable[int]) -> ColumnElement[bool]:
    """Whether the integer column is one of `ids`."""
    wanted = list(ids)
    if session.get_bind().dialect.name == "postgresql":
        return column.in_(select(func.unnest(bindparam(None, wanted, ARRAY(BigInteger)))))  # type: ignore[no-any-return]
    listed: Select[Any] = select(literal_column("value")).select_from(func.json_each(json.dumps(wanted)))
    return column.in_(listed)  # type: ignore[no-any-return]
