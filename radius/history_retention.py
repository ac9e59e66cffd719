"""The end of the address history: what is older than it must be goes, unless a legal hold covers it.

On PostgreSQL a month goes as a whole, when all of it is old enough: its table is dropped, after the few rows that are
held were copied out; they stand in the default partition from then on. What that has, and SQLite's one table, is
deleted row by row, in batches. Each step is a transaction of its own and leaves an audit entry, so a purge may
stop anywhere. A hold that is being placed and a purge wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, MetaData, Table, delete, func, insert, literal_column, select, text

from core.among import among
from core.database import Transaction
from radius.history_holds import held, live_holds
from radius.history_models import AddressHistory, LegalHold
from radius.history_months import Month, keep_from
from radius.history_partitions import DEFAULT, be_patient_no_longer, has_partitions, months_kept

ROWS = "rows"
_CHUNK = 5_000
_WHOLE: Table = AddressHistory.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Purgeable:
    """What may go: a month's partition, by its name, or rows one by one. `held` of its `rows` have to stay.

    `estimated`: `rows` is PostgreSQL's own estimate, as counting would read the whole table.
    """

    what: str
    rows: int
    held: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """A chunk of a table that was looked through: up to which row, how many were too old, how many of them went."""

    last: int
    expired: int
    deleted: int


def kept_from(tx: Transaction) -> datetime:
    """What ended before this instant is too old, by the setting and the law's calendar year."""
    return keep_from(tx.now, tx.settings.history_keep_days, ZoneInfo(tx.settings.timezone))


def preview(tx: Transaction, limit: datetime) -> list[Purgeable]:
    """What a purge would take now, oldest first."""
    holds = live_holds(tx)
    if not has_partitions(tx):
        return [found] if (found := _old_rows(tx, _WHOLE, limit, holds)).rows else []
    months = [_old_month(tx, month, holds) for month in expired_months(tx, limit)]
    rest = _old_rows(tx, _partition(DEFAULT), limit, holds)
    return [*months, rest] if rest.rows else months


def expired_months(tx: Transaction, limit: datetime) -> list[Month]:
    """The months of which everything is too old, oldest first."""
    return [month for month in months_kept(tx) if month.until <= limit] if has_partitions(tx) else []


def drop_month(tx: Transaction, month: Month) -> Purgeable:
    """Drop the partition of the month; rows under a hold stay, in the default partition. Unavailable: locked."""
    be_patient_no_longer(tx)
    tx.session.execute(text("LOCK TABLE legal_hold IN SHARE MODE"))  # none is placed until this is over
    tx.session.execute(text(f"LOCK TABLE {month.partition} IN SHARE ROW EXCLUSIVE MODE"))
    holds = live_holds(tx)
    gone = replace(_old_month(tx, month, holds), rows=_count(tx, _partition(month.partition)), estimated=False)
    if gone.held:
        _set_aside(tx, month, holds)
    tx.session.execute(text(f"DROP TABLE {month.partition}"))
    if gone.held:
        tx.session.execute(text("INSERT INTO address_history SELECT * FROM held_history"))
    _audit(tx, gone, month.until)
    return gone


def purge_default(tx: Transaction, limit: datetime) -> int:
    """Delete a batch of what is too old and outside of every month (PostgreSQL); gives how many rows went."""
    be_patient_no_longer(tx)
    tx.session.execute(text("LOCK TABLE legal_hold IN SHARE MODE"))
    table = _partition(DEFAULT)
    place: Any = literal_column("ctid")
    doomed = select(place).select_from(table).where(table.c.until < limit, ~held(table, live_holds(tx))).limit(_CHUNK)
    deleted = tx.session.execute(delete(table).where(place.in_(doomed))).rowcount  # type: ignore[attr-defined]
    if deleted:
        _audit(tx, Purgeable(ROWS, deleted, 0), limit)
    return int(deleted)


def purge_walk(tx: Transaction, limit: datetime, after: int) -> Walk | None:
    """Delete what is too old of the next rows behind row `after` (SQLite); None: there are no more.

    Rows stand in the order in which they were written, which is nearly that of their ends: a chunk in which nothing is
    too old means that there is nothing behind it either, or little, and that its time comes within a month.
    """
    number: Any = literal_column("rowid")
    covered = held(_WHOLE, live_holds(tx))
    chunk = select(number, _WHOLE.c.until < limit, covered).where(number > after).order_by(number).limit(_CHUNK)
    rows = tx.session.execute(chunk).all()
    if not rows:
        return None
    expired = [(row, kept) for row, old, kept in rows if old]
    doomed = [row for row, kept in expired if not kept]
    if doomed:
        tx.session.execute(delete(_WHOLE).where(among(tx.session, number, doomed)))
        _audit(tx, Purgeable(ROWS, len(expired), len(expired) - len(doomed)), limit)
    return Walk(rows[-1][0], len(expired), len(doomed))


def _old_month(tx: Transaction, month: Month, holds: Sequence[LegalHold]) -> Purgeable:
    table = _partition(month.partition)
    estimate = text("SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = cast(:name AS regclass)")
    rows = tx.session.scalar(estimate, {"name": month.partition}) or 0
    return Purgeable(month.partition, rows, _count(tx, table, held(table, holds)) if holds else 0, estimated=True)


def _old_rows(tx: Transaction, table: Table, limit: datetime, holds: Sequence[LegalHold]) -> Purgeable:
    old = table.c.until < limit
    return Purgeable(ROWS, _count(tx, table, old), _count(tx, table, old, held(table, holds)) if holds else 0)


def _count(tx: Transaction, table: Table, *conditions: ColumnElement[bool]) -> int:
    return tx.session.scalars(select(func.count()).select_from(table).where(*conditions)).one()


def _set_aside(tx: Transaction, month: Month, holds: Sequence[LegalHold]) -> None:
    table = _partition(month.partition)
    like = f"CREATE TEMPORARY TABLE held_history (LIKE {month.partition}) ON COMMIT DROP"
    tx.session.execute(text(like))
    kept = select(table).where(held(table, holds))
    tx.session.execute(insert(_partition("held_history")).from_select([column.name for column in table.c], kept))


def _partition(name: str) -> Table:
    return _WHOLE.to_metadata(MetaData(), name=name)


def _audit(tx: Transaction, gone: Purgeable, limit: datetime) -> None:
    after = {"deleted": gone.rows - gone.held, "held": gone.held, "ended_before": limit}
    tx.audit("purge", "address_history", gone.what, after=after)
