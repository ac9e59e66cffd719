"""The feed of the RADIUS hosts: keys and opaque values, each with the revision of its last change.

A command puts what the hosts must know into `replica_entry`, in its own transaction; the feeder of every host
(`radius.feeder`, woken by `radius.replica_bell`) copies what has a higher revision than it has seen. So a host
that was away for a week catches up by one query, and what is missing can only be late, never lost.

All changes of one transaction get one revision from the one counter row. Its lock is held until the commit, hence
whoever sees a revision sees all lower ones too. For that price it is taken last, when nothing else is waited for
(`Transaction.at_commit`; see `core.database` on the order of locks).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session as DatabaseSession

from core.clock import system_clock
from core.database import Database, Transaction
from core.outcomes import Applied, Retry
from radius.models import ReplicaCounter, ReplicaEntry, ReplicaHost
from radius.pg_arrays import ByteaArray, array_of, bytea_array, take_arrays
from radius.replica_bell import ring

SILENT_AFTER = timedelta(seconds=30)
"""A host that has said nothing for this long is down: nobody waits for it."""
_POLL_SECONDS = 0.02
_PENDING, _LAST = "radius.replica", "radius.replica.last"
_CHUNK = 5_000

_UPSERT_SQLITE = text(
    "INSERT INTO replica_entry (key, revision, value) VALUES (:key, :revision, :value) "
    "ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, value = excluded.value "
    "WHERE replica_entry.value IS NOT excluded.value"
)
_UPSERT_POSTGRESQL = (
    "INSERT INTO replica_entry (key, revision, value) "
    "SELECT key, %s::bigint, value FROM unnest(%b::bytea[], %b::bytea[]) AS new(key, value) "
    "ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, value = excluded.value "
    "WHERE replica_entry.value IS DISTINCT FROM excluded.value"
)


@dataclass(frozen=True, slots=True)
class FeedPosition:
    """Where a feed is: its last revision, and its name ("" before the first change).

    What was to be forgotten by the revision `purged` may have left no trace.
    """

    feed: str
    revision: int
    purged: int = field(default=0, compare=False)


def put(tx: Transaction, entries: Mapping[bytes, bytes]) -> None:
    """Make every host know these values. Unchanged ones cost no host anything; of two puts of a key the last counts."""
    _pend(tx, entries)


def delete(tx: Transaction, keys: Iterable[bytes]) -> None:
    """Make every host forget these keys."""
    _pend(tx, dict.fromkeys(keys))


def put_last(tx: Transaction, name: str, entries: Callable[[Transaction], Mapping[bytes, bytes | None]]) -> None:
    """Put what `entries` gives (None: forget) once no other transaction can change the feed before this one commits.

    So it reads all that earlier ones wrote. Of several under one `name` the last counts.
    """
    tx.session.info.setdefault(_LAST, {})[name] = entries
    _pend(tx, {})


def _pend(tx: Transaction, entries: Mapping[bytes, bytes | None]) -> None:
    tx.session.info.setdefault(_PENDING, {}).update(entries)
    tx.at_commit("replica", _flush)


def _flush(tx: Transaction) -> None:
    pending: dict[bytes, bytes | None] = tx.session.info.pop(_PENDING, {})
    last = tx.session.info.pop(_LAST, {})
    if not pending and not last:
        return
    revision = _next_revision(tx.session)
    for read in last.values():
        pending.update(read(tx))
    entries = list(pending.items())
    for start in range(0, len(entries), _CHUNK):
        _upsert(tx.session, entries[start : start + _CHUNK], revision)
    ring(tx.session)


def _next_revision(session: DatabaseSession) -> int:
    """Count one up; the row stays locked until the commit."""
    advance = (
        update(ReplicaCounter)
        .where(ReplicaCounter.id == 1)
        .values(revision=ReplicaCounter.revision + 1)
        .returning(ReplicaCounter.revision)
        .execution_options(synchronize_session=False)
    )
    revision = session.scalar(advance)
    if revision is None:
        begin = text("INSERT INTO replica_counter (id, revision, feed) VALUES (1, 0, :feed) ON CONFLICT DO NOTHING")
        session.execute(begin, {"feed": uuid.uuid4().hex})
        revision = session.scalar(advance)
    assert revision is not None  # noqa: S101
    return revision


def _upsert(session: DatabaseSession, entries: Iterable[tuple[bytes, bytes | None]], revision: int) -> None:
    if session.get_bind().dialect.name == "postgresql":
        keys, values = zip(*entries, strict=True)
        connection = session.connection()
        take_arrays(connection)
        arrays = bytea_array(keys), array_of(ByteaArray, values, bytes)
        connection.exec_driver_sql(_UPSERT_POSTGRESQL, (revision, *arrays))
    else:
        rows = [{"key": key, "revision": revision, "value": value} for key, value in entries]
        session.execute(_UPSERT_SQLITE, rows)


def position(tx: Transaction) -> FeedPosition:
    """Where the feed is now."""
    columns = (ReplicaCounter.feed, ReplicaCounter.revision, ReplicaCounter.purged_revision)
    row = tx.session.execute(select(*columns)).one_or_none()
    return FeedPosition(*row) if row else FeedPosition("", 0)


def current_revision(tx: Transaction) -> int:
    """The last committed revision (to this transaction's eyes); 0 before the first."""
    return position(tx).revision


def changes_since(tx: Transaction, revision: int) -> Iterator[tuple[int, bytes, bytes | None]]:
    """(revision, key, value) of every entry that changed after `revision`, in order; None: deleted. Streams."""
    statement = (
        select(ReplicaEntry.revision, ReplicaEntry.key, ReplicaEntry.value)
        .where(ReplicaEntry.revision > revision)
        .order_by(ReplicaEntry.revision, ReplicaEntry.key)
        .execution_options(yield_per=2_000)
    )
    for row in tx.session.execute(statement):
        yield row.revision, row.key, row.value


def report(tx: Transaction, host: str, applied: int, *, before: int | None, now: datetime, live: bool = True) -> bool:
    """Write down how far `host` has got; False when its row does not say `before` (None: force it).

    A row that says another thing than the host last wrote is news from a restored backup.
    """
    values = {"applied_revision": applied, "seen_at": now, "live": live}
    statement = update(ReplicaHost).where(ReplicaHost.host == host).values(values)
    if before is not None:
        statement = statement.where(ReplicaHost.applied_revision == before)
    if _rows(tx.session.execute(statement, execution_options={"synchronize_session": False})):
        return True
    if before is None:
        tx.session.add(ReplicaHost(host=host, **values))
    return before is None


def wait_until_replicated(database: Database, revision: int, timeout: timedelta) -> Applied | Retry:
    """Wait until every RADIUS host that is up has `revision`. Retry, naming the slow ones, after `timeout`.

    Hosts that are down are not waited for: they catch up before they answer again.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    while behind := hosts_behind(database, revision, system_clock()):
        if time.monotonic() >= deadline:
            return Retry(timedelta(seconds=1), f"access records have not reached {', '.join(behind)} yet")
        time.sleep(_POLL_SECONDS)
    return Applied(f"every RADIUS host has revision {revision}")


def hosts_behind(database: Database, revision: int, now: datetime) -> list[str]:
    """Hosts that are up but have not applied `revision`; `now` is the machine's time."""
    with database.reading() as tx:
        statement = select(ReplicaHost.host).where(
            ReplicaHost.live, ReplicaHost.applied_revision < revision, ReplicaHost.seen_at > now - SILENT_AFTER
        )
        return list(tx.session.scalars(statement.order_by(ReplicaHost.host)))


def _rows(result: Any) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0
