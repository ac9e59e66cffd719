"""Guessing passwords is made slow, a line at a time. Pure.

Each line may be wrong ten times in a row and once every six seconds from then on; meanwhile its requests are refused
without a look at the password. Whoever guesses through another line, or another NAS, empties his own bucket and nobody
else's. Which lines are checked all the same is the caller's to know (`radius.auth_service`).

Requests come by the thousand and a throttled line is rare, so `until` says when there is nothing to look up at all.
Entries live in two generations that are swapped: one that is not touched for as long as an empty bucket takes to fill
is full again and need not be remembered, and memory has a bound that no sender can move. Each worker counts for itself.
"""

from __future__ import annotations

from collections.abc import Hashable

from radius.access_request import AccessRequest
from radius.attributes import CALLING_STATION_ID
from radius.line import ports_of
from radius.records import login_key

BURST = 10
SECONDS = 6.0
"""Until a token is there again."""


_LOGINS = login_key(b"")


def throttled_by(request: AccessRequest, nas_id: int, key: bytes) -> Hashable | None:
    """The line that a request is throttled by: the caller or, where none is told, the port, at this NAS.

    None for what no guessing helps against, a MAC address that needs no password, and where the NAS tells neither
    caller nor port: those who cannot be told apart would be locked out together.
    """
    if not key.startswith(_LOGINS):
        return None
    caller = request.value(CALLING_STATION_ID)
    if caller:
        return nas_id, caller
    port = ports_of(request)[0]
    return (nas_id, b"", port) if port else None


class Throttle:
    """A bucket of `burst` tokens for each line, at most `limit` lines; `tick` is monotonic seconds."""

    def __init__(self, burst: int = BURST, seconds: float = SECONDS, limit: int = 65_536) -> None:
        self.until = 0.0
        """From this tick on no line is throttled."""
        self._seconds = seconds
        self._span = burst * seconds
        self._limit = limit // 2
        self._young: dict[Hashable, float] = {}
        """Line → the tick at which its bucket is full again."""
        self._old: dict[Hashable, float] = {}
        self._swap_at = 0.0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def stops(self, line: Hashable, tick: float) -> bool:
        """Whether the line has no token left."""
        return self._full_at(line) - tick > self._span - self._seconds

    def wrong(self, line: Hashable, tick: float) -> None:
        """Take a token: the line was wrong."""
        if tick >= self._swap_at or len(self._young) >= self._limit:
            self._old, self._young = self._young, {}
            self._swap_at = tick + self._span
        full_at = min(max(self._full_at(line), tick) + self._seconds, tick + self._span)
        self._young[line] = full_at
        self.until = max(self.until, full_at - self._span + self._seconds)

    def _full_at(self, line: Hashable) -> float:
        return self._young.get(line) or self._old.get(line, 0.0)
