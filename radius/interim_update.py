"""The Interims of a batch that say nothing new but times and counters, written by one statement.

A session is only touched when folding the Interims one by one (`radius.fold`) would come to the same: it is open, the
newest under its key (else its `told` is NULL), tells what it told, was known to have begun by then, did not begin anew,
and the day of its usage has not passed. All others are left to the caller; whatever is doubtful is left too.

No index has a column that changes here, so PostgreSQL updates in place (HOT). Its planner must find the sessions by key
alone, so `IS TRUE` hides the other conditions from it: with statistics of a table that was empty it would use whatever
index serves them, and read all open sessions for each batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from core.database import Transaction
from radius.fold import REUSE_GAP
from radius.interim import TOLD_ADDRESS, TOLD_CLASS, TOLD_DELEGATED_PREFIX, TOLD_FRAMED_PREFIX
from radius.interim_batch import BEGAN_SLACK, Combined, InterimBatch
from radius.pg_arrays import bytea_array, int8_array, take_arrays, timestamp_array

_MICRO = timedelta(microseconds=1)
_GAP = REUSE_GAP - BEGAN_SLACK * _MICRO
_TOLD_AT = {
    "address_at": TOLD_ADDRESS,
    "granted_at": TOLD_CLASS,
    "framed_ipv6_prefix_at": TOLD_FRAMED_PREFIX,
    "delegated_ipv6_prefix_at": TOLD_DELEGATED_PREFIX,
}
_EPOCH = datetime.fromtimestamp(0, UTC)
_CHUNK = 500


def write_interims(tx: Transaction, batch: InterimBatch, day: date) -> Sequence[bytes]:
    """Write what can be; gives the keys of the sessions that are done. `day`: the latest company's day of a record."""
    if not batch.sessions:
        return []
    connection = tx.session.connection()
    if connection.dialect.name == "postgresql":
        return _on_postgresql(connection, batch, day)
    return _on_sqlite(connection, batch, day)


def _on_postgresql(connection: Connection, batch: InterimBatch, day: date) -> Sequence[bytes]:
    take_arrays(connection)
    rows = batch.sessions.values()
    values = (
        bytea_array([each.key for each in rows]),
        int8_array([each.told for each in rows]),
        timestamp_array([each.at for each in rows]),
        timestamp_array([each.began for each in rows]),
        int8_array([each.input_octets for each in rows]),
        int8_array([each.output_octets for each in rows]),
        int8_array([each.seconds for each in rows]),
        batch.spread * _MICRO,
        day,
    )
    done: bytes = connection.exec_driver_sql(_POSTGRESQL, values).scalar() or b""
    return [done[at : at + 16] for at in range(0, len(done), 16)]


def _told_then(column: str, flag: int) -> str:
    return f"{column} = CASE WHEN new.told & {flag} = {flag} THEN GREATEST(s.{column}, new.at) ELSE s.{column} END"


_POSTGRESQL = f"""
    WITH done AS (
        UPDATE session AS s SET
            started_at = LEAST(s.started_at, new.began),
            updated_at = GREATEST(s.updated_at, new.at),
            input_octets = GREATEST(s.input_octets, new.input_octets),
            output_octets = GREATEST(s.output_octets, new.output_octets),
            session_seconds = GREATEST(s.session_seconds, new.seconds),
            {", ".join(_told_then(column, flag) for column, flag in _TOLD_AT.items())}
        FROM unnest(%b::bytea[], %b::bigint[], %b::timestamptz[], %b::timestamptz[], %b::bigint[], %b::bigint[],
                    %b::bigint[]) AS new (key, told, at, began, input_octets, output_octets, seconds)
        WHERE s.key = new.key AND (
            s.told = new.told AND s.stopped_at IS NULL AND s.started_at <= new.at - %s::interval
            AND new.began <= s.updated_at + INTERVAL '{_GAP.total_seconds():.0f} seconds' AND s.usage_day >= %s) IS TRUE
        RETURNING s.key)
    SELECT string_agg(key, '') FROM done"""


def _on_sqlite(connection: Connection, batch: InterimBatch, day: date) -> Sequence[bytes]:
    """Nobody else writes meanwhile, so the conditions are looked at here, and only what holds is written.

    `+` keeps SQLite from reading all open sessions, of which it thinks that there are few.
    """
    keys = sorted(batch.sessions)
    found: list[Any] = []
    for start in range(0, len(keys), _CHUNK):
        chunk = tuple(keys[start : start + _CHUNK])
        marks = ",".join("?" * len(chunk))
        found += connection.exec_driver_sql(f"{_SELECT} ({marks})", (day.isoformat(), *chunk)).fetchall()
    done, changes, spread = [], [], batch.spread
    for row, key, told, started_at, updated_at in found:
        each = batch.sessions[key]
        began = _micros(started_at)
        if told == each.told and began <= each.at - spread and each.began <= _micros(updated_at) + _GAP // _MICRO:
            done.append(key)
            changes.append(_change(row, each, started_at if began <= each.began else _text(each.began)))
    if changes:
        connection.exec_driver_sql(_UPDATE, changes)
    return done


def _change(row: int, each: Combined, started_at: str) -> tuple[Any, ...]:
    at, told = _text(each.at), each.told
    told_at = [at if told & flag else "" for flag in _TOLD_AT.values()]
    return started_at, at, each.input_octets, each.output_octets, each.seconds, *told_at, row


_SELECT = (
    "SELECT id, key, told, started_at, updated_at FROM session WHERE +stopped_at IS NULL AND usage_day >= ? AND key IN"
)
_UPDATE = f"""
    UPDATE session SET started_at = ?, updated_at = max(updated_at, ?),
        input_octets = max(input_octets, ?), output_octets = max(output_octets, ?),
        session_seconds = max(session_seconds, ?),
        {", ".join(f"{column} = nullif(max(coalesce({column}, ''), ?), '')" for column in _TOLD_AT)}
    WHERE id = ?"""


def _text(micros: int) -> str:
    """An instant as SQLAlchemy keeps it in SQLite: text that sorts."""
    seconds, rest = divmod(micros, 1_000_000)
    return f"{_second(seconds)}.{rest:06d}"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat(" ", "seconds")


def _micros(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // _MICRO
