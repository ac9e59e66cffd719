"""Time as a parameter.

Nothing below the edge of a process asks what time it is: a process builds one `Clock` and hands the instant
on. `RehearsalClock` lets a made-up provider, or a test of the whole product, live through weeks in seconds:
every process of the tree adds the same offset, read from one small file, to the real time.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

Clock = Callable[[], datetime]
"""Gives the present instant, timezone-aware, in UTC."""

_SIZE = 8


def system_clock() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)


class RehearsalClock:
    """The machine's time plus an offset (seconds, float64) that lives in a memory-mapped file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            if file.tell() < _SIZE:
                file.truncate(_SIZE)  # zeros are 0.0; nobody's offset is lost when several processes start at once
        with path.open("r+b") as file:
            self._cell = memoryview(mmap.mmap(file.fileno(), _SIZE)).cast("d")  # written in one store: never torn

    def __call__(self) -> datetime:
        return system_clock() + self.offset

    @property
    def offset(self) -> timedelta:
        return timedelta(seconds=self._cell[0])

    def advance(self, by: timedelta) -> None:
        """Move every process that shares the file forward by `by`."""
        self._cell[0] += by.total_seconds()


def clock_from(rehearsal_file: Path | None) -> Clock:
    """The clock that a process uses: the machine's, unless a rehearsal file is configured."""
    return RehearsalClock(rehearsal_file) if rehearsal_file else system_clock
