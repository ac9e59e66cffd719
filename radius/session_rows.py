"""Rows of `session` by the hundred, between the database and `radius.session_book`, past SQLAlchemy's conversions.

A reconnect storm opens a hundred thousand sessions, and the generic way costs more than the database does. A row is
read as a plain tuple and written as one, its values in the order of `COLUMNS`: PostgreSQL takes columns as arrays
(`unnest`), SQLite takes rows (`executemany`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from sqlalchemy import Connection

from core.columns import Address
from core.database import Transaction
from radius.fold import SessionState
from radius.pg_arrays import (
    DATE_2000,
    EPOCH_2000,
    ByteaArray,
    DateArray,
    Int4Array,
    Int8Array,
    TextArray,
    TimestampArray,
    array_of,
    bytea_array,
    int8_array,
    take_arrays,
)

IDENTITY = ("key", "instance", "nas_id", "nas_address", "acct_session_id", "user_name")
STATE = tuple(field.name for field in fields(SessionState))
METER = ("usage_day", "usage_input_octets", "usage_output_octets", "told")
COLUMNS = (*IDENTITY, *STATE, *METER)
_CHANGING = COLUMNS[len(IDENTITY) :]
_CHUNK = 500

Row = tuple[Any, ...]
"""The id, then a value for each of `COLUMNS`."""
Sender = tuple[int, Address]
"""NAS id and source address."""

_OCTETS = frozenset({"key"})
_ADDRESSES = frozenset({"nas_address", "framed_ip_address", "nas_ip_address"})
_NUMBERS = frozenset(
    {"nas_id", "subscription_id", "input_octets", "output_octets", "session_seconds"}
    | {"usage_input_octets", "usage_output_octets", "told"}
)
_INSTANTS = frozenset(name for name in COLUMNS if name.endswith(("_at", "_since")))
_EPOCH = datetime.fromtimestamp(0, UTC)


def load(tx: Transaction, keys: Iterable[bytes], restarted: Iterable[Sender] = ()) -> list[Row]:
    """Lock and read the sessions under `keys`, and the open ones of the `restarted`, in order of number."""
    connection = tx.session.connection()
    wanted, senders = sorted(set(keys)), sorted(set(restarted), key=str)
    if connection.dialect.name == "postgresql":
        return _load_from_postgresql(connection, wanted, senders)
    return _load_from_sqlite(connection, wanted, senders)


def add(tx: Transaction, rows: Sequence[Row]) -> None:
    """Insert new sessions, each given without an id."""
    connection = tx.session.connection()
    if connection.dialect.name == "postgresql":
        take_arrays(connection)
        connection.exec_driver_sql(_INSERT_ARRAYS, _arrays(COLUMNS, rows))
    else:
        connection.exec_driver_sql(_INSERT_ROWS, [_for_sqlite(COLUMNS, row) for row in rows])


def change(tx: Transaction, rows: Sequence[Row]) -> None:
    """Write what can change of these sessions, each given as its id and the values after its identity."""
    connection = tx.session.connection()
    if connection.dialect.name == "postgresql":
        take_arrays(connection)
        ids = int8_array([row[0] for row in rows])
        connection.exec_driver_sql(_UPDATE_ARRAYS, (*_arrays(_CHANGING, [row[1:] for row in rows]), ids))
    else:
        connection.exec_driver_sql(_UPDATE_ROWS, [(*_for_sqlite(_CHANGING, row[1:]), row[0]) for row in rows])


def _load_from_postgresql(connection: Connection, keys: list[bytes], senders: list[Sender]) -> list[Row]:
    take_arrays(connection)
    where, values = "key = ANY(%b)", [bytea_array(keys)]
    for nas_id, address in senders:
        where += " OR stopped_at IS NULL AND nas_id = %s AND nas_address = %s"
        values += [nas_id, address.packed]  # type: ignore[list-item]
    found = connection.exec_driver_sql(f"{_SELECT} WHERE {where} ORDER BY id FOR UPDATE", tuple(values))
    return [_read(row) for row in found]


def _load_from_sqlite(connection: Connection, keys: list[bytes], senders: list[Sender]) -> list[Row]:
    found: dict[int, Any] = {}
    for start in range(0, len(keys), _CHUNK):
        chunk = tuple(keys[start : start + _CHUNK])
        where = f"WHERE key IN ({','.join('?' * len(chunk))})"
        found.update((row[0], row) for row in connection.exec_driver_sql(f"{_SELECT} {where}", chunk))
    for nas_id, address in senders:
        where = "WHERE stopped_at IS NULL AND nas_id = ? AND nas_address = ?"
        found.update(
            (row[0], row) for row in connection.exec_driver_sql(f"{_SELECT} {where}", (nas_id, address.packed))
        )
    return [_read(found[number]) for number in sorted(found)]


def _read(row: Sequence[Any]) -> Row:
    values = list(row)
    for place, convert in _CONVERSIONS:
        if values[place] is not None:
            values[place] = convert(values[place])
    return tuple(values)


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


@lru_cache(maxsize=65_536)
def _address(value: bytes) -> Address:
    return ip_address(value)


def _conversion(name: str) -> Callable[[Any], Any] | None:
    if name in _INSTANTS:
        return _instant
    if name in _ADDRESSES:
        return _address
    return _day if name == "usage_day" else None


_CONVERSIONS = [(place, convert) for place, name in enumerate(COLUMNS, 1) if (convert := _conversion(name)) is not None]


def _for_sqlite(names: Sequence[str], row: Row) -> Row:
    values = list(row)
    for place, name in enumerate(names):
        value = values[place]
        if value is None:
            continue
        if name in _INSTANTS:
            values[place] = value.replace(tzinfo=None).isoformat(" ", "microseconds")
        elif name in _ADDRESSES:
            values[place] = value.packed
        elif name == "usage_day":
            values[place] = value.isoformat()
    return tuple(values)


def _arrays(names: Sequence[str], rows: Sequence[Row]) -> tuple[bytes, ...]:
    columns = zip(*rows, strict=True)
    return tuple(_array(name, column) for name, column in zip(names, columns, strict=True))


def _array(name: str, column: Sequence[Any]) -> bytes:
    kind, encode = _BINARY[name]
    return array_of(kind, column, encode)


def _micros(at: datetime) -> bytes:
    since = at - _EPOCH
    micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return (micros - EPOCH_2000).to_bytes(8, signed=True)


def _binary(name: str) -> tuple[type[bytes], Callable[[Any], bytes]]:
    """The type of its array, and the binary form of one value."""
    if name in _INSTANTS:
        return TimestampArray, _micros
    if name in _NUMBERS:
        return Int8Array, lambda value: value.to_bytes(8, signed=True)
    if name == "instance":
        return Int4Array, lambda value: value.to_bytes(4, signed=True)
    if name == "usage_day":
        return DateArray, lambda value: (value.toordinal() - DATE_2000).to_bytes(4, signed=True)
    if name in _ADDRESSES:
        return ByteaArray, lambda value: value.packed
    return (ByteaArray, bytes) if name in _OCTETS else (TextArray, str.encode)


_BINARY = {name: _binary(name) for name in COLUMNS}
_SELECT = f"SELECT id, {', '.join(COLUMNS)} FROM session"
_INSERT_ARRAYS = f"INSERT INTO session ({', '.join(COLUMNS)}) SELECT * FROM unnest({', '.join(['%b'] * len(COLUMNS))})"
_INSERT_ROWS = f"INSERT INTO session ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_UPDATE_ARRAYS = (
    f"UPDATE session AS s SET {', '.join(f'{name} = new.{name}' for name in _CHANGING)} "
    f"FROM unnest({', '.join(['%b'] * (len(_CHANGING) + 1))}) AS new ({', '.join((*_CHANGING, 'id'))}) "
    "WHERE s.id = new.id"
)
_UPDATE_ROWS = f"UPDATE session SET {', '.join(f'{name} = ?' for name in _CHANGING)} WHERE id = ?"
