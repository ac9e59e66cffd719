"""Retransmissions get the same octets again (RFC 2865 §3, RFC 5080 §2.2.2).

A request is known by who sent it (address and port) and its Identifier. The same datagram again is a
retransmission: it is given the reply that it already got, or nothing while that reply is still being held back.
Another datagram under the same key is a new request and the older one is forgotten, with a reply that it may still
be owed. We compare whole datagrams, not the Request Authenticator alone: an equal authenticator on other content
is no retransmission, and answering it from memory could accept something that nobody checked.

Entries live in two generations that are swapped, so that nothing is ever searched for what has expired, and
memory has a bound that no sender can move: under a flood the window shrinks, the cache does not grow.
"""

from __future__ import annotations

PENDING = b""
"""Stands for the reply of a request that is still held back."""

Key = tuple[object, int]
"""Source address as the socket gives it, and Identifier."""


class DuplicateCache:
    """Keeps each reply for `seconds`, and at most `2 * limit` of them. `tick` is monotonic seconds."""

    def __init__(self, seconds: float, limit: int = 65_536) -> None:
        self._seconds = seconds
        self._limit = limit
        self._young: dict[Key, tuple[bytes, float, bytes]] = {}
        self._old: dict[Key, tuple[bytes, float, bytes]] = {}
        self._swap_at = 0.0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def find(self, key: Key, datagram: bytes, tick: float) -> bytes | None:
        """The reply to this very datagram, PENDING, or None when it is new (what it supersedes is forgotten)."""
        entry = self._young.get(key) or self._old.get(key)
        if entry is None:
            return None
        if entry[0] == datagram and tick < entry[1]:
            return entry[2]
        self._young.pop(key, None)
        self._old.pop(key, None)
        return None

    def put(self, key: Key, datagram: bytes, reply: bytes, tick: float) -> None:
        """Remember the reply to a datagram, or PENDING."""
        if tick >= self._swap_at or len(self._young) >= self._limit:
            self._old = self._young
            self._young = {}
            self._swap_at = tick + self._seconds
        self._young[key] = (datagram, tick + self._seconds, reply)

    def is_pending(self, key: Key, datagram: bytes) -> bool:
        """Whether this datagram still waits for its reply: not answered, superseded or pushed out since."""
        entry = self._young.get(key) or self._old.get(key)
        return entry is not None and entry[0] is datagram and entry[2] == PENDING
