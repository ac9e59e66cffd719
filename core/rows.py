"""A row by its id, for looking or for changing."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import select

from core.database import Base, Transaction
from core.errors import NotFound

Row = TypeVar("Row", bound=Base)


def get_row(tx: Transaction, table: type[Row], row_id: int, what: str) -> Row:
    """The row with this id. NotFound in the words of `what`."""
    row = tx.session.get(table, row_id)
    if row is None:
        raise NotFound(what, row_id)
    return row


def lock_row(tx: Transaction, table: type[Row], row_id: int, what: str) -> Row:
    """The row, locked for a change and read again. NotFound in the words of `what`."""
    wanted = select(table).where(table.id == row_id).with_for_update(of=table)  # type: ignore[attr-defined]
    row = tx.session.scalar(wanted, execution_options={"populate_existing": True})
    if row is None:
        raise NotFound(what, row_id)
    return row
