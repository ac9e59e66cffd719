"""The sync process's part of the last rejects: hear the workers, fold what is alike, write it down once a second.

A database that is away is waited for, within bounds: what workers tell meanwhile is folded further, and new kinds
beyond the bound are dropped and counted. None of this can reach a worker: the socket is the only thing between.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from core.actor import Actor
from core.database import Database
from core.errors import Unavailable
from core.logs import get_logger
from radius.reject_book import Bounds, keep_rejects, keep_sightings
from radius.reject_events import EventReceiver, Events, merge

WRITE_SECONDS = 1.0
MOST_KINDS = 10_000
"""Kinds of rejects that are kept while the database is away."""
_LISTEN_SECONDS = 0.2
_COMPLAIN_SECONDS = 60.0
_ACTOR = Actor("rejects", "system")
log = get_logger("radius.rejects")


class RejectCollector:
    """Writes into `database` what comes to the socket at `path`. One thread's, but for `counters`."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._path = path
        self._receiver: EventReceiver | None = None
        self._kept = Events({}, {})
        self._bounds = Bounds()
        self._write_at = self._complain_at = 0.0
        self._counted = {"written": 0, "left_out": 0, "dropped": 0}

    def run(self, stop: threading.Event) -> None:
        """Collect until `stop`, then once more; without a socket, which is tried again, there is nothing to collect."""
        complained = False
        while not stop.is_set():
            self.listen(_LISTEN_SECONDS)
            complained = self._try_to_write(complained)
        self._write_at = 0.0
        self.listen(0.0)
        self._try_to_write(complained)
        self.close()

    def open(self) -> None:
        """Make the socket, if there is none yet. OSError when that fails."""
        if self._receiver is None:
            self._receiver = EventReceiver(self._path)

    def close(self) -> None:
        if self._receiver is not None:
            self._receiver.close()
            self._receiver = None

    def listen(self, seconds: float) -> None:
        """Take in what has come, after waiting up to `seconds` for the first of it."""
        try:
            self.open()
        except OSError as error:
            self._without_socket(error)
            time.sleep(seconds)
        if self._receiver is None:
            return
        until = time.monotonic() + WRITE_SECONDS
        told = self._receiver.receive(seconds)
        while told is not None and time.monotonic() < until:
            self._take(told)
            told = self._receiver.receive(0.0)
        if told is not None:
            self._take(told)

    def write(self) -> None:
        """Write down what was taken in. Unavailable: it is kept for the next time."""
        if not any(self._kept):
            return
        bounds = self._bounds.copy()
        with self._database.transaction(_ACTOR) as tx:
            left_out = keep_rejects(tx, self._kept.rejects, bounds)
            keep_sightings(tx, self._kept.seen)
        times = sum(folded.times for folded in self._kept.rejects.values())
        self._counted["written"] += times - left_out
        self._counted["left_out"] += left_out
        self._kept, self._bounds = Events({}, {}), bounds

    def counters(self) -> dict[tuple[str, str], int]:
        """Rejects that were written, left out for the bounds on strangers, or dropped unwritten."""
        return {("reject_note", name): count for name, count in self._counted.items()}

    def _without_socket(self, error: OSError) -> None:
        if time.monotonic() >= self._complain_at:
            self._complain_at = time.monotonic() + _COMPLAIN_SECONDS
            log.error("the rejects of the workers cannot be heard", socket=str(self._path), reason=str(error))

    def _take(self, told: Events) -> None:
        room = MOST_KINDS - len(self._kept.rejects)
        if len(told.rejects) > room:
            fresh = [kind for kind in told.rejects if kind not in self._kept.rejects]
            for kind in fresh[room:]:
                self._counted["dropped"] += told.rejects.pop(kind).times
        merge(self._kept, told)

    def _try_to_write(self, complained: bool) -> bool:
        """Write once a second; gives whether it failed, of which only the first failure is logged."""
        if time.monotonic() < self._write_at:
            return complained
        self._write_at = time.monotonic() + WRITE_SECONDS
        try:
            self.write()
        except Unavailable as error:
            if not complained:
                log.warning("rejects wait to be written", reason=error.detail)
            return True
        except Exception as error:  # what cannot be written must not end the feeder beside us; it is dropped
            self._counted["dropped"] += sum(folded.times for folded in self._kept.rejects.values())
            self._kept = Events({}, {})
            log.error("rejects could not be written", error=type(error).__name__)
        return False
