"""Drains every spool of a host, by turns and in one thread: the database has one writer's time to give, or one core's.

Spools are looked for now and then: an accounting worker more makes one more, and those of workers that run no more are
drained all the same. One that cannot be read holds up no other.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

from core.database import Database
from core.logs import get_logger
from radius.drain import Drainer
from radius.spool import spools_in
from radius.tally import Counters

LOOK_SECONDS = 1.0
log = get_logger("radius.drainers")


class Drainers:
    """Drains the spools beside `first`, and that one. One thread's, but for `counters`."""

    def __init__(self, database: Database, first: Path) -> None:
        self._database = database
        self._first = first
        self._drainers: dict[Path, Drainer] = {}
        self._due: dict[Path, float] = {}
        self._look_at = 0.0
        self._complained: set[Path] = set()

    def run(self, stop: threading.Event, poll_seconds: float) -> None:
        """Drain until `stop`."""
        while not stop.is_set():
            pause = self.turn(poll_seconds)
            if pause > 0:
                stop.wait(pause)

    def turn(self, poll_seconds: float) -> float:
        """One batch of each spool that has any; gives after how many seconds there may be more to do."""
        if time.monotonic() >= self._look_at:
            self._look()
            self._look_at = time.monotonic() + LOOK_SECONDS
        for path, drainer in self._drainers.items():
            if time.monotonic() >= self._due[path]:
                pause = drainer.turn(poll_seconds)
                self._due[path] = time.monotonic() + pause if pause else 0.0
        return min((*self._due.values(), self._look_at)) - time.monotonic()

    def counters(self) -> Counters:
        """What all of them have counted."""
        total: Counter[tuple[str, str]] = Counter()
        for drainer in list(self._drainers.values()):
            total.update(drainer.counters())
        return dict(total)

    def _look(self) -> None:
        for path in dict.fromkeys((self._first, *spools_in(self._first.parent))):
            if path not in self._drainers:
                self._take_up(path)

    def _take_up(self, path: Path) -> None:
        try:
            drainer = Drainer(self._database, path)
        except OSError as error:
            if path not in self._complained:
                log.error("a spool cannot be drained", spool=path.name, reason=str(error))
                self._complained.add(path)
            return
        self._drainers = {**self._drainers, path: drainer}
        self._due[path] = 0.0
