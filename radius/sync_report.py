"""What the sync process shows of itself: how far the replica is behind, how deep the spools are, who is connected.

It looks for itself instead of asking feeder and drainer, so that it tells the truth about them when they hang. Whatever
the database does not tell at the moment stays at what it last said; that it is away is told too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from core.database import Database, Transaction
from core.errors import Unavailable
from core.logs import get_logger
from core.settings import Settings
from radius import replica
from radius.accounting import Received, unpack_received
from radius.metrics import Report, snapshot_writer
from radius.models import Nas, Session, SpoolPosition
from radius.reject_collector import RejectCollector
from radius.reject_events import events_socket
from radius.spool import START, Position, SpoolReader, segment_path, segments, spool_name, spools_in
from radius.store import RecordStore, StoreUnavailable
from radius.worker_report import Counters, WorkerReport

EVERY_SECONDS = 1.0
SESSIONS_SECONDS = 30.0
"""How often open sessions are counted, which costs more than all the rest."""
MOST_NAS = 1_000
_SAMPLE_BYTES = 64 << 10
_FRAME_BYTES = 8
"""What the spool puts before each record."""
log = get_logger("radius.sync-report")


@dataclass(frozen=True, slots=True)
class SpoolDepth:
    """What is in a spool but not in the database. `records` is exact up to some hundred, an estimate beyond;
    `oldest_at` is the receipt (epoch seconds) of the record that has waited longest, None when none waits."""

    bytes: int
    records: int
    oldest_at: float | None


def spool_depth(directory: Path, position: Position) -> SpoolDepth:
    """What lies behind `position`; OSError when the directory cannot be read."""
    waiting = 0
    for number in segments(directory):
        if number >= position.segment:
            with suppress(FileNotFoundError):
                size = segment_path(directory, number).stat().st_size
                waiting += max(0, size - (position.offset if number == position.segment else 0))
    if not waiting:
        return SpoolDepth(0, 0, None)
    payloads = _sample(SpoolReader(directory), position)
    if not payloads:  # a torn end, that the next segment will step over
        return SpoolDepth(waiting, 0, None)
    sampled = sum(map(len, payloads)) + _FRAME_BYTES * len(payloads)
    records = len(payloads) if sampled >= waiting else round(len(payloads) * waiting / sampled)
    first = unpack_received(payloads[0])
    return SpoolDepth(waiting, records, first.at.timestamp() if isinstance(first, Received) else None)


def _sample(reader: SpoolReader, position: Position) -> list[bytes]:
    """The first records behind `position`, about _SAMPLE_BYTES of them."""
    found: list[bytes] = []
    room = _SAMPLE_BYTES
    while room > 0:
        payloads, position = reader.read(position, room)
        if not payloads:
            break
        found += payloads
        room -= sum(map(len, payloads))
    return found


def watchers(
    database: Database, settings: Settings, counters: Callable[[], Counters]
) -> dict[str, Callable[[threading.Event], None]]:
    """What runs beside feeder and drainer, each in a thread until the event is set, by name.

    `counters` gives what those two have counted.
    """
    host = settings.lmdb_path.parent
    collector = RejectCollector(database, events_socket(host))

    def counted() -> Counters:
        return {**counters(), **collector.counters()}

    report = SyncReport(database, settings.lmdb_path, host, counted, snapshot_writer(host, "sync"))
    return {"rejects": collector.run, "report": report.run}


class SyncReport:
    """Looks about once a second. One thread's.

    `spools` is the directory that holds the spools; `counters` gives what the other threads have counted.
    """

    def __init__(
        self, database: Database, lmdb_path: Path, spools: Path, counters: Callable[[], Counters], write: Report
    ) -> None:
        self._database = database
        self._store = RecordStore(lmdb_path)
        self._spools = spools
        self._counters = counters
        self._write = write
        self._gauges: dict[str, float] = {}
        self._sessions: dict[str, float] = {}
        self._sessions_at = 0.0
        self._positions: dict[str, Position] = {}

    def run(self, stop: threading.Event) -> None:
        """Look and tell until `stop`. Nothing that goes wrong here ends the process: feeder and drainer matter more."""
        complained = ""
        while not stop.is_set():
            try:
                self.step()
            except Exception as error:
                if complained != type(error).__name__:
                    complained = type(error).__name__
                    log.exception("could not look after the replica and the spools")
            stop.wait(EVERY_SECONDS)
        self.close()

    def close(self) -> None:
        self._store.close()

    def step(self) -> None:
        """Look, and tell."""
        try:
            with self._database.reading() as tx:
                self._look_at_database(tx)
            self._gauges["database_up"] = 1
        except Unavailable:
            self._gauges["database_up"] = 0
        self._look_at_replica()
        depths = self._depths()
        self._write(WorkerReport("sync", self._counters(), gauges={**self._gauges, **self._sessions, **depths}))

    def _look_at_database(self, tx: Transaction) -> None:
        self._gauges["feed_revision"] = replica.position(tx).revision
        rows = tx.session.execute(select(SpoolPosition.spool, SpoolPosition.segment, SpoolPosition.offset)).all()
        self._positions = {spool: Position(segment, offset) for spool, segment, offset in rows}
        self._gauges["heard_at"] = time.time()
        if time.monotonic() >= self._sessions_at:
            self._sessions_at = time.monotonic() + SESSIONS_SECONDS
            self._sessions = {f"live_sessions:{name}": count for name, count in _live_sessions(tx)}

    def _look_at_replica(self) -> None:
        with suppress(StoreUnavailable):
            self._gauges["replica_revision"] = self._store.revision()
        behind = self._gauges.get("feed_revision", 0) - self._gauges.get("replica_revision", 0)
        if behind <= 0 and self._gauges["database_up"]:
            self._gauges["in_step_at"] = time.time()

    def _depths(self) -> dict[str, float]:
        """What waits in each spool; of one that cannot be read, nothing."""
        told: dict[str, float] = {}
        for directory in spools_in(self._spools):
            with suppress(OSError):
                depth = spool_depth(directory, self._positions.get(spool_name(directory), START))
                told[f"spool_pending_bytes:{directory.name}"] = depth.bytes
                told[f"spool_pending_records:{directory.name}"] = depth.records
                if depth.oldest_at is not None:
                    waited = self._database.clock().timestamp() - depth.oldest_at  # both are the product's time
                    told[f"spool_oldest_at:{directory.name}"] = time.time() - waited
        return told


def _live_sessions(tx: Transaction) -> list[tuple[str, int]]:
    """How many sessions are open on each NAS, by its name."""
    counted = (
        select(Session.nas_id, func.count().label("sessions"))
        .where(Session.stopped_at.is_(None))
        .group_by(Session.nas_id)
        .subquery()
    )
    statement = select(Nas.name, func.coalesce(counted.c.sessions, 0)).outerjoin(counted, counted.c.nas_id == Nas.id)
    return [(name, int(count)) for name, count in tx.session.execute(statement.order_by(Nas.id).limit(MOST_NAS))]
