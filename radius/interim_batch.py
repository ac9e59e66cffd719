"""Interims of one batch, put together session by session. Pure.

What several Interims of a session come to is the greatest of their times and counters, as long as nothing else in the
batch is about that session and each could have been folded after the one before it (`radius.fold`). Sessions of which
that is not certain are given back, all their records, to be folded one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from radius.fold import REUSE_GAP
from radius.interim import Interim

_MICRO: Final = 1_000_000
BEGAN_SLACK: Final = 60 * _MICRO
"""Microseconds by which the beginnings that Interims of one session tell may differ, to be taken together."""
_REUSE_GAP: Final = int(REUSE_GAP.total_seconds()) * _MICRO


@dataclass(slots=True)
class Combined:
    """The Interims of one session; as `radius.interim.Interim`, with the first `at` and the places in the batch."""

    key: bytes
    told: int
    at: int
    began: int
    input_octets: int
    output_octets: int
    seconds: int
    sender: bytes
    first_at: int
    places: list[int]


class InterimBatch:
    """Takes the Interims of a batch in order of receipt."""

    def __init__(self) -> None:
        self.sessions: dict[bytes, Combined] = {}
        self._left: dict[bytes, list[int]] = {}

    def add(self, place: int, interim: Interim) -> None:
        """The record at `place` in the batch."""
        key, told, at, began, input_octets, output_octets, seconds, sender, _ = interim
        known = self.sessions.get(key)
        if known is None:
            if self._left and key in self._left:
                self._left[key].append(place)
                return
            self.sessions[key] = Combined(
                key, told, at, began, input_octets, output_octets, seconds, sender, at, [place]
            )
            return
        known.places.append(place)
        if told != known.told or abs(began - known.began) > BEGAN_SLACK or began > known.at + _REUSE_GAP:
            self.leave(key)
            return
        known.at = max(known.at, at)
        known.first_at = min(known.first_at, at)
        known.began = min(known.began, began)
        known.input_octets = max(known.input_octets, input_octets)
        known.output_octets = max(known.output_octets, output_octets)
        known.seconds = max(known.seconds, seconds)

    def leave(self, key: bytes) -> None:
        """Another record of this session, or another word about it, is in the batch."""
        known = self.sessions.pop(key, None)
        self._left.setdefault(key, []).extend(known.places if known else [])

    def leave_sender(self, sender: bytes) -> None:
        """The NAS told of a restart: about all its sessions."""
        for key in [key for key, each in self.sessions.items() if each.sender == sender]:
            self.leave(key)

    def left(self, done: Iterable[bytes] = ()) -> list[int]:
        """Places of the records that remain when the sessions `done` are written; in no order."""
        places = [place for each in self._left.values() for place in each]
        written = frozenset(done)
        for key, each in self.sessions.items():
            if key not in written:
                places += each.places
        return places

    @property
    def spread(self) -> int:
        """Microseconds, at most, between the first and the last Interim of one session."""
        return max((each.at - each.first_at for each in self.sessions.values()), default=0)
