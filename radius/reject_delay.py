"""Access-Rejects are held back for about a second, so that guessing passwords is slow.

Nothing waits meanwhile: a reject is put in line with its due time and the worker goes on. All delays are equal
and the clock is monotonic, so the line is in order by itself and needs no heap.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from radius.duplicates import Key


class Held(NamedTuple):
    """A reject that is due at `due` (monotonic seconds), to be sent to `source` unless superseded."""

    due: float
    key: Key
    datagram: bytes
    reply: bytes
    source: Any


class RejectDelay:
    """Holds each reject for `seconds`; over `limit` of them the oldest leaves early, so the line stays bounded."""

    def __init__(self, seconds: float, limit: int = 65_536) -> None:
        self.seconds = seconds
        self._limit = limit
        self._line: deque[Held] = deque()

    def __len__(self) -> int:
        return len(self._line)

    def hold(self, key: Key, datagram: bytes, reply: bytes, source: Any, tick: float) -> None:
        self._line.append(Held(tick + self.seconds, key, datagram, reply, source))

    def due(self, tick: float) -> list[Held]:
        """Take those that are due, oldest first."""
        taken = []
        while self._line and (self._line[0].due <= tick or len(self._line) > self._limit):
            taken.append(self._line.popleft())
        return taken

    def next_due(self) -> float | None:
        """When the next one is due; None when the line is empty."""
        return self._line[0].due if self._line else None
