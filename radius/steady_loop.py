"""A loop that nothing may stop: what every RADIUS process does, whatever its sockets are.

Whatever goes wrong with a packet, the store or the spool is counted, logged at most once in a while, and the loop
goes on. What the process counts is told about once a second, and at the end.
"""

from __future__ import annotations

import gc
import logging
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Protocol

from radius.store import StoreUnavailable
from radius.worker_report import LatencyCounter, WorkerReport

WAIT_SECONDS = 0.25
"""Longest sleep: how soon a stop is seen, and what could not be opened is tried again."""
_BREATH_SECONDS = WAIT_SECONDS / 4
_LOG_EVERY_SECONDS = 10.0
_REPORT_EVERY_SECONDS = 1.0

Stop = Callable[[], bool]
Ready = Callable[[tuple[str, int]], None]
"""Told the first bound address and the port, once the worker can serve."""
Report = Callable[[WorkerReport], None]
"""Told about every second and at the end how the worker does. It must not wait."""


class CountsFailures(Protocol):
    def count_failure(self, error: Exception) -> None: ...


class SteadyLoop(ABC):
    """Turns until it is told to stop. One thread's."""

    log: ClassVar[logging.Logger]
    """The worker's, so that a line tells which one it comes from."""

    def __init__(self, failures: CountsFailures, report: Report | None) -> None:
        self._failures = failures
        self._report = report
        self._report_at = 0.0
        self._log_at = 0.0
        self._latency = LatencyCounter()

    def run(self, stop: Stop) -> None:
        """Serve until `stop()`; the place where exceptions end that are not one packet's."""
        gc.collect()
        gc.freeze()  # what is here by now lasts, and need not be walked again
        while not stop():
            try:
                self._turn()
            except Exception as error:
                self._swallow(error)
                if isinstance(error, StoreUnavailable | OSError):  # which the next turn may well meet again at once
                    time.sleep(_BREATH_SECONDS)
        if self._report is not None:
            self._report(self._told())

    @abstractmethod
    def _turn(self) -> None:
        """Wait for something to do, WAIT_SECONDS at most, and do it."""

    @abstractmethod
    def _told(self) -> WorkerReport:
        """What there is to tell."""

    def _tell(self, tick: float) -> None:
        """Report, if a second has passed."""
        if self._report is not None and tick >= self._report_at:
            self._report_at = tick + _REPORT_EVERY_SECONDS
            self._report(self._told())

    def _swallow(self, error: Exception) -> None:
        """Count, and log where it happened (never the message: it could quote a packet)."""
        self._failures.count_failure(error)
        tick = time.monotonic()
        if tick >= self._log_at:  # under a flood of errors one line tells as much as all
            self._log_at = tick + _LOG_EVERY_SECONDS
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.log.error("swallowed %s at %s:%s", type(error).__name__, where.filename, where.lineno)


def patience(due: float | None, tick: float) -> float:
    """Seconds to wait at `tick` for what is `due` (None: nothing is), WAIT_SECONDS at most."""
    return WAIT_SECONDS if due is None else min(WAIT_SECONDS, max(0.0, due - tick))
