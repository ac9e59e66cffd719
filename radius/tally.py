"""Counting by label without letting anybody make the labels many.

A label is (result, reason), and some reasons come from data: a denial's, an exception's kind. Over a bound all new
reasons of a result are counted together as "other", so memory and metrics stay small whatever is sent.
"""

from __future__ import annotations

Counters = dict[tuple[str, str], int]
"""(result, reason) → how often."""
OTHER = "other"
_LIMIT = 256


class Tally:
    """Counts up to `limit` labels, beyond them by result alone. One thread's."""

    __slots__ = ("_counters", "_limit")

    def __init__(self, limit: int = _LIMIT) -> None:
        self._counters: Counters = {}
        self._limit = limit

    def count(self, result: str, reason: str, more: int = 1) -> None:
        try:
            self._counters[result, reason] += more
        except KeyError:
            self._begin(result, reason, more)

    def counters(self) -> Counters:
        """A copy of the counters since the start."""
        return dict(self._counters)

    def _begin(self, result: str, reason: str, more: int) -> None:
        label = (result, reason) if len(self._counters) < self._limit else (result, OTHER)
        self._counters[label] = self._counters.get(label, 0) + more
