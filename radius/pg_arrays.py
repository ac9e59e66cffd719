"""Columns of many rows as PostgreSQL arrays in binary form: for `unnest`, without a Python call for each value.

An array is its number of dimensions, whether it has NULLs, the type of its elements, its length and lower bound, then
each element after its length (-1: NULL); see `array_send` and `array_recv` in PostgreSQL's sources.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct, pack
from typing import Any

from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import Connection

EPOCH_2000 = 946_684_800_000_000
"""Microseconds since 1970 at which PostgreSQL's timestamps begin."""
DATE_2000 = 730_120
"""Ordinal of the day at which PostgreSQL's dates begin."""
_HEAD = Struct(">iiIii")
_NULL = b"\xff\xff\xff\xff"


class Int8Array(bytes):
    """bigint[]"""


class Int4Array(bytes):
    """integer[]"""


class ByteaArray(bytes):
    """bytea[]"""


class TextArray(bytes):
    """text[]"""


class TimestampArray(bytes):
    """timestamptz[]"""


class DateArray(bytes):
    """date[]"""


_ARRAYS: dict[type[bytes], tuple[int, int]] = {
    Int8Array: (1016, 20),
    Int4Array: (1007, 23),
    ByteaArray: (1001, 17),
    TextArray: (1009, 25),
    TimestampArray: (1185, 1184),
    DateArray: (1182, 1082),
}
"""Object ids of array and element (pg_type.dat)."""


def int8_array(values: Sequence[int]) -> Int8Array:
    return Int8Array(_fixed(Int8Array, "q", 8, values))


def int4_array(values: Sequence[int]) -> Int4Array:
    return Int4Array(_fixed(Int4Array, "i", 4, values))


def timestamp_array(values: Sequence[int]) -> TimestampArray:
    """From microseconds since 1970."""
    return TimestampArray(_fixed(TimestampArray, "q", 8, [value - EPOCH_2000 for value in values]))


def bytea_array(values: Sequence[bytes]) -> ByteaArray:
    return ByteaArray(_head(ByteaArray, len(values)) + b"".join(map(_sized, values)))


def array_of(kind: type[bytes], column: Sequence[Any], encode: Callable[[Any], bytes]) -> bytes:
    """An array of `kind`; `encode` gives the binary form of a value, None is NULL. Of one value only is quick."""
    count = len(column)
    if count and column.count(column[0]) == count:
        return kind(_head(kind, count, nulls=True) + _element(column[0], encode) * count)
    pieces = [_NULL if value is None else _sized(encode(value)) for value in column]
    return kind(_head(kind, count, nulls=True) + b"".join(pieces))


def _element(value: Any, encode: Callable[[Any], bytes]) -> bytes:
    return _NULL if value is None else _sized(encode(value))


def _sized(octets: bytes) -> bytes:
    return len(octets).to_bytes(4) + octets


def _fixed(kind: type[bytes], form: str, size: int, values: Sequence[int]) -> bytes:
    count = len(values)
    cells = [size] * (2 * count)
    cells[1::2] = values
    return _head(kind, count) + pack(">" + f"i{form}" * count, *cells)


def _head(kind: type[bytes], count: int, *, nulls: bool = False) -> bytes:
    if not count:
        return _HEAD.pack(0, 0, _ARRAYS[kind][1], 0, 0)[:12]
    return _HEAD.pack(1, int(nulls), _ARRAYS[kind][1], count, 1)


def take_arrays(connection: Connection) -> None:
    """Let this connection's driver send these arrays as they are."""
    if "pg_arrays" in connection.info:
        return
    adapters: Any = connection.connection.driver_connection
    for kind, (oid, _) in _ARRAYS.items():
        adapters.adapters.register_dumper(kind, _dumper(oid))
    connection.info["pg_arrays"] = True


def _dumper(array_oid: int) -> type[Dumper]:
    class AsItIs(Dumper):
        format = Format.BINARY
        oid = array_oid

        def dump(self, obj: Any) -> Buffer:
            return bytes(obj)

    return AsItIs
