"""Keeps the records of one RADIUS host equal to the feed in the database; see `radius.replica`.

It asks for one small row, when the database rings (`radius.replica_bell`) or every few hundredths of a second where it
cannot, and copies what is new. Every other second it notes that the database was heard of, which is what session limits
go by (`radius.presence`). Three things could make "what is new"
a lie, and for all of them the store is filled again, entry by entry, while workers go on answering from it:

- the database is another one, or an older copy of itself: the feed's name differs, or its revision is lower than ours;
- it was restored and has overtaken us since: then the row in which we wrote how far we are is the backup's, and does
  not say what we wrote last;
- we were away for so long that the feed no longer says what to forget (`radius.replica_purge`).

A database that has never fed anybody is believed in nothing: after a wrong URL or a wiped disk, subscribers go on
being served from what is here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path

import lmdb

from core.clock import system_clock
from core.database import Database, Transaction
from core.errors import Unavailable
from core.logs import get_logger
from radius.presence import HEARD_KEY, pack_heard
from radius.replica import FeedPosition, changes_since, position, report
from radius.replica_bell import Bell
from radius.store import RecordStore, StoreUnavailable

log = get_logger("radius.feeder")

REPORT_SECONDS = 5.0
HEARD_SECONDS = 2.0
RETRY_SECONDS = 1.0
_BATCH = 10_000
_FEED = b"\0feed"
_DAMAGE = (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError, lmdb.PageNotFoundError)


class StoreLost(Exception):
    """The file was deleted or replaced under us: workers still map the old one and must open the new one."""


class Feeder:
    """Copies the feed of `database` into the store at `path`, which it makes when there is none. One thread's."""

    def __init__(self, database: Database, path: Path, host: str) -> None:
        self._database = database
        self._host = host
        self._path = path
        self._store = _open(path)
        self._file = _identity(path)
        with self._store.snapshot() as snapshot:
            self._at = FeedPosition((snapshot.get(_FEED) or b"").decode(), snapshot.revision())
        self.made_anew = not self._at.revision
        """Whether the store had to be filled from nothing, so that workers that run already may map another file."""
        self._reported = self._at.revision or None
        self._report_at = 0.0
        self._heard_at = 0.0
        self._bell = Bell(database.engine)

    @property
    def revision(self) -> int:
        """The revision that the store is at."""
        return self._at.revision

    def step(self) -> None:
        """Copy what is new, and say so. Unavailable, StoreUnavailable: nothing is lost; StoreLost: open it anew."""
        if _identity(self._path) != self._file:
            raise StoreLost(f"the access records in {self._path} were deleted or replaced")
        with self._database.reading() as tx:
            source = position(tx)
            if self._at.revision and not source.feed:
                self._distrust()
                return
            if source != self._at:
                self._follow(tx, source)
        self._note_heard()
        if self._at.revision != self._reported or time.monotonic() >= self._report_at:
            self._report()

    def run(self, stop: threading.Event, poll_seconds: float) -> None:
        """Step until `stop`, at each ring or every `poll_seconds`; a database or a disk that is away is waited for."""
        complained = ""
        prompted = True
        while not stop.is_set():
            before = self._at.revision
            try:
                self.step()
            except (Unavailable, StoreUnavailable) as error:
                if str(error) != complained:
                    log.warning("the access records are not being updated", reason=str(error))
                complained, prompted = str(error), True
                stop.wait(RETRY_SECONDS)
                continue
            complained = ""
            if self._at.revision != before and not prompted:
                self._bell.missed()
            listening = self._bell.listening
            prompted = self._bell.wait(stop, poll_seconds) or not listening
        self._bell.close()

    def close(self, *, leave: bool = False) -> None:
        """Close the store; `leave`: tell the others that this host goes, so that nobody waits for it."""
        if leave:
            try:
                with self._database.transaction() as tx:
                    report(tx, self._host, self._at.revision, before=None, now=system_clock(), live=False)
            except Unavailable:
                log.info("could not say goodbye; the host counts as down in a while")
        self._store.close()

    def _note_heard(self) -> None:
        if time.monotonic() >= self._heard_at:
            self._store.apply({HEARD_KEY: pack_heard(time.time())}, self._at.revision)
            self._heard_at = time.monotonic() + HEARD_SECONDS

    def _distrust(self) -> None:
        if time.monotonic() >= self._report_at:
            self._report_at = time.monotonic() + REPORT_SECONDS
            log.error("the database is empty: keeping the access records that are here; is its URL right?")

    def _follow(self, tx: Transaction, source: FeedPosition) -> None:
        before = self._at.revision
        another = source.feed != self._at.feed or source.revision < before
        if before and (another or before < source.purged):
            self._reload(tx, source)
            return
        self._copy(tx, source)
        if before and before < position(tx).purged:  # something to forget went away while we read
            self._reload(tx, position(tx))

    def _copy(self, tx: Transaction, source: FeedPosition) -> None:
        """All changes since our revision, in its order; a transaction's entries stay together."""
        batch: dict[bytes, bytes | None] = {}
        reached = self._at.revision
        for revision, key, value in changes_since(tx, reached):
            if len(batch) >= _BATCH and revision > reached:
                self._apply(batch, FeedPosition(source.feed, reached))
                batch = {}
            batch[key] = value
            reached = revision
        self._apply(batch, FeedPosition(source.feed, max(reached, source.revision)))

    def _apply(self, entries: dict[bytes, bytes | None], at: FeedPosition) -> None:
        if at.feed != self._at.feed:
            entries[_FEED] = at.feed.encode()
        self._store.apply(entries, at.revision)
        self._at = at

    def _reload(self, tx: Transaction, source: FeedPosition) -> None:
        """Make the store what the feed is. Until the end it keeps its old revision, so a crash begins again."""
        log.warning("the database is not the one that these access records came from: filling them again")
        wanted: set[bytes] = set()
        batch: dict[bytes, bytes | None] = {}
        reached = source.revision
        for revision, key, value in changes_since(tx, 0):
            reached = max(reached, revision)
            if value is None:
                continue
            wanted.add(key)
            batch[key] = value
            if len(batch) >= _BATCH:
                self._store.apply(batch, self._at.revision)
                batch = {}
        for key in self._strangers(wanted):
            batch[key] = None
        batch[_FEED] = source.feed.encode()
        self._store.apply(batch, reached)
        self._at = FeedPosition(source.feed, reached)

    def _strangers(self, wanted: set[bytes]) -> Iterable[bytes]:
        with self._store.snapshot() as snapshot:
            return [key for key, _ in snapshot.scan(b"") if not key.startswith(b"\0") and key not in wanted]

    def _report(self) -> None:
        at = self._at.revision
        with self._database.transaction() as tx:
            expected = report(tx, self._host, at, before=self._reported, now=system_clock())
        if not expected:
            with self._database.reading() as tx:
                self._reload(tx, position(tx))
            with self._database.transaction() as tx:
                report(tx, self._host, self._at.revision, before=None, now=system_clock())
        self._reported = self._at.revision
        self._report_at = time.monotonic() + REPORT_SECONDS


def _open(path: Path) -> RecordStore:
    """The store; a damaged file is put aside, because all that it held is in the database."""
    try:
        return RecordStore(path)
    except StoreUnavailable as error:
        if not isinstance(error.__cause__, _DAMAGE):
            raise
        log.error("the access records are damaged: filling them again", reason=str(error))
        path.replace(path.with_name(path.name + ".damaged"))
        return RecordStore(path)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
