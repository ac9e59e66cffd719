"""One thread that does what a simulated NAS does by itself: soon, later, or whenever its clock says so."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)
Step = Callable[[], object]
LIMIT = 10_000


class Chores:
    """Runs steps one after the other; `tick` runs about ten times a second between them."""

    def __init__(self, tick: Step) -> None:
        self._tick = tick
        self._waiting: list[tuple[float, int, Step]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="simulated-nas-chores", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout: float) -> None:
        """Forget what was still to be done and end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def after(self, seconds: float, step: Step) -> None:
        """Run `step` in that many real seconds; steps of one moment keep their order."""
        with self._changed:
            if len(self._waiting) >= LIMIT:
                raise RuntimeError(f"{LIMIT} chores are waiting already")
            heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._order), step))
            self._changed.notify_all()

    def _run(self) -> None:
        while not self._closed:
            for step in (self._next(), self._tick):
                try:
                    step()
                except Exception:  # one failed chore must not end the others
                    _log.exception("a chore of the simulated NAS failed")

    def _next(self) -> Step:
        """The next step that is due, or one that does nothing when none is within a tenth of a second."""
        with self._changed:
            if not self._due():
                left = self._waiting[0][0] - time.monotonic() if self._waiting else 1.0
                self._changed.wait(max(0.0, min(0.1, left)))
            return heapq.heappop(self._waiting)[2] if self._due() and not self._closed else lambda: None

    def _due(self) -> bool:
        return bool(self._waiting) and self._waiting[0][0] <= time.monotonic()
