"""Time as a parameter.

Nothing below the edge of a process asks what time it is: a process builds one `Clock` and hands the instant
on. `RehearsalClock` lets a made-up provider, or a test of the whole product, live through weeks in seconds:
every process of the tree adds the same offset, read from one small file, to the real time.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

Clock = Callable[[], datetime]
"""Gives the present instant, timezone-aware, in UTC."""

_OFFSET = struct.Struct("<d")


def system_clock() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)


class RehearsalClock:
    """The machine's time plus an offset (seconds, float64) that lives in a memory-mapped file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_OFFSET.pack(0.0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _OFFSET.size)

    def __call__(self) -> datetime:
        return system_clock() + self.offset

    @property
    def offset(self) -> timedelta:
        return timedelta(seconds=_OFFSET.unpack_from(self._memory)[0])

    def advance(self, by: timedelta) -> None:
        """Move every process that shares the file forward by `by`."""
        _OFFSET.pack_into(self._memory, 0, (self.offset + by).total_seconds())


def clock_from(rehearsal_file: Path | None) -> Clock:
    """The clock that a process uses: the machine's, unless a rehearsal file is configured."""
    return RehearsalClock(rehearsal_file) if rehearsal_file else system_clock
