"""From the spool into the sessions, in batches, each record exactly once.

How far the spool is drained is a row that the same transaction writes as the sessions, so a crash at any point
leaves both or neither. The row is locked first: if somebody else has moved it (an older process that still runs), this
drainer takes over the new position and tries again.

A database that is away only makes the spool longer. A batch that fails for another reason is taken again record by
record, and a record that fails by itself three times is put aside in a file, because one odd router must not hold up
the accounting of all others.

Most records are Interims that bring new counters of known sessions: one statement writes those of a whole batch
(`radius.interim_update`), and only what it leaves is folded session by session (`radius.session_book`).
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from core.actor import Actor
from core.database import Database, Transaction
from core.errors import Unavailable
from core.logs import get_logger
from radius.accounting import AccountingRecord
from radius.company_days import CompanyDays
from radius.drain_batch import Batch
from radius.interim import QuickReader
from radius.interim_update import write_interims
from radius.models import SpoolPosition
from radius.session_book import SessionBook
from radius.session_lock import lock_sessions_of
from radius.session_statistics import LOOK_EVERY, refresh_statistics
from radius.spool import START, Position, SpoolReader, spool_name

log = get_logger("radius.drain")

BATCH_BYTES = 512 << 10
"""About two thousand records to a transaction."""
SMALL_BATCH = 1_000
BEHIND = timedelta(seconds=0.3)
"""Records that have waited for longer are a backlog, however few they are."""
HEARTBEAT = timedelta(seconds=5)
GAP = timedelta(seconds=60)
"""Silence of ours that is longer than this is an outage, after which `radius.stale` does not judge for a while."""
RETRY_SECONDS = 1.0
_TRIES = 3
_ACTOR = Actor("accounting", "system")


class Drainer:
    """Drains the spool in `directory` into `database`. One thread's."""

    def __init__(self, database: Database, directory: Path) -> None:
        self._database = database
        self._directory = directory
        self._spool = spool_name(directory)
        self._reader = SpoolReader(directory)
        self._interims = QuickReader()
        self._days = CompanyDays(database.settings.timezone)
        self._position: Position | None = None
        self._heartbeat_at = 0.0
        self._careful_until = START
        self._failures = 0
        self._folded = 0
        self._complained = ""
        self._arrived_at: datetime | None = None
        self._counted = {("drained", "written"): 0, ("drained", "put_aside"): 0}

    def step(self) -> int:
        """Drain one batch; gives how many records it had. Unavailable: the database cannot take it now."""
        if self._position is None:
            with self._database.reading() as tx:
                self._position = _position_in(tx.session.get(SpoolPosition, self._spool))
        careful = self._position < self._careful_until
        asked_at = self._database.clock()
        self._arrived_at = None
        payloads, end = self._reader.read(self._position, 1 if careful else BATCH_BYTES)
        if not payloads:
            self._rest(asked_at)
            return 0
        try:
            self._write(payloads, end)
        except Unavailable:
            raise
        except Exception as error:
            self._learn_from_failure(payloads, end, error)
        if self._folded >= LOOK_EVERY:
            self._folded = 0
            refresh_statistics(self._database)
        return len(payloads)

    def run(self, stop: threading.Event, poll_seconds: float) -> None:
        """Step until `stop`."""
        while not stop.is_set():
            pause = self.turn(poll_seconds)
            if pause:
                stop.wait(pause)

    def turn(self, poll_seconds: float) -> float:
        """One step; gives how many seconds to wait before the next. What cannot be written now stays in the spool.

        A transaction costs as much as a hundred records, so at the end of the spool some are left to gather.
        """
        try:
            pause = 0.0 if self._goes_on_after(self.step()) else poll_seconds
        except (Unavailable, OSError) as error:
            if str(error) != self._complained:
                log.warning("accounting waits in the spool", reason=str(error))
            self._complained = str(error)
            return RETRY_SECONDS
        self._complained = ""
        return pause

    def _goes_on_after(self, done: int) -> bool:
        """Whether there is more to do than this many records, which were done just now."""
        if not done or self._position is None:
            return False
        waited = self._arrived_at is not None and self._database.clock() - self._arrived_at > BEHIND
        return done >= SMALL_BATCH or waited or self._position < self._careful_until

    def counters(self) -> dict[tuple[str, str], int]:
        """Records since the start that are in the database now, and that could not be written and are in a file."""
        return dict(self._counted)

    def _write(self, payloads: list[bytes], end: Position) -> None:
        batch = Batch(payloads, self._interims, self._days)
        with self._database.transaction(_ACTOR) as tx:
            row = self._lock(tx, batch.arrived_at)
            if row is None:
                return
            lock_sessions_of(tx, batch.nas_ids)
            records = batch.records(write_interims(tx, batch.interims, batch.day))
            if records:
                self._fold(tx, records)
            row.segment, row.offset = end
        self._position, self._failures = end, 0
        self._counted["drained", "written"] += len(payloads)
        self._reader.drop_before(end)

    def _fold(self, tx: Transaction, records: list[AccountingRecord]) -> None:
        """The records that are more than another reading of known counters."""
        book = SessionBook(tx, records, self._days)
        for record in records:
            book.add(record)
        for nas_id in book.save():
            tx.enqueue("session.changed", str(nas_id))

    def _rest(self, asked_at: datetime) -> None:
        """Nothing to do: say so now and then, and clear away what is drained."""
        if self._position is None or time.monotonic() < self._heartbeat_at:
            return
        with self._database.transaction(_ACTOR) as tx:
            self._lock(tx, asked_at)
        self._heartbeat_at = time.monotonic() + HEARTBEAT.total_seconds()
        self._reader.drop_before(self._position)

    def _lock(self, tx: Transaction, caught_up_at: datetime | None) -> SpoolPosition | None:
        """Our row, locked and with fresh times; None when it is not where we think, and then we know better."""
        row = tx.session.scalar(select(SpoolPosition).where(SpoolPosition.spool == self._spool).with_for_update())
        if row is None:
            row = SpoolPosition(
                spool=self._spool, segment=0, offset=0, caught_up_at=tx.now, seen_at=tx.now, listening_since=tx.now
            )
            tx.session.add(row)
        elif _position_in(row) != self._position:
            self._position = _position_in(row)
            return None
        if abs(tx.now - row.seen_at) > GAP:
            row.listening_since = tx.now
        row.seen_at = tx.now
        row.caught_up_at = caught_up_at or row.caught_up_at
        return row

    def _learn_from_failure(self, payloads: list[bytes], end: Position, error: Exception) -> None:
        """After an error that waiting does not mend: go record by record, and put aside the one that fails.

        Only the error's kind is logged: what databases say quotes the row, which is somebody's connection.
        """
        log.error("accounting records could not be written", records=len(payloads), error=type(error).__name__)
        if len(payloads) > 1:
            self._careful_until = max(self._careful_until, end)
            return
        self._failures += 1
        if self._failures >= _TRIES:
            with (self._directory / "rejected").open("ab") as file:
                file.write(b"".join(len(payload).to_bytes(4) + payload for payload in payloads))
            self._counted["drained", "put_aside"] += len(payloads)
            self._write([], end)


def _position_in(row: SpoolPosition | None) -> Position:
    return START if row is None else Position(row.segment, row.offset)
