"""How many rows a second may be written to a router: a token bucket. Pure; `now` is monotonic seconds.

A command costs as many tokens as it touches rows. One that costs more than the bucket holds goes when it is full and
leaves a debt, so that the rate holds in the long run and nothing waits for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

BURST_SECONDS = 0.1
"""What may go at once, as a part of a second's worth: enough to fill a round trip, too little to be felt."""

_ROWS = (".id", "numbers")
"""Words that name the rows which a command is for, separated by commas."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """`tokens` were there at the tick `at`; `per_second` 0: unbounded."""

    per_second: int
    tokens: float
    at: float

    @property
    def capacity(self) -> float:
        return max(1.0, self.per_second * BURST_SECONDS)

    def tokens_at(self, now: float) -> float:
        """What is in it by now; below 0 where a debt is left."""
        return min(self.capacity, self.tokens + max(0.0, now - self.at) * self.per_second)


def full_bucket(per_second: int, now: float) -> Bucket:
    """The bucket of a connection that has written nothing yet."""
    if per_second < 0:
        raise ValueError(f"{per_second} writes a second: 0 is unbounded, else give a positive number")
    empty = Bucket(per_second, 0.0, now)
    return Bucket(per_second, empty.capacity, now)


def seconds_until(bucket: Bucket, cost: int, now: float) -> float:
    """How long a command of that cost has to wait; 0.0: it may go."""
    if not bucket.per_second:
        return 0.0
    lacking = min(float(cost), bucket.capacity) - bucket.tokens_at(now)
    return lacking / bucket.per_second if lacking > 1e-9 else 0.0


def spent(bucket: Bucket, cost: int, now: float) -> Bucket:
    """The bucket after a command of that cost has gone."""
    return Bucket(bucket.per_second, bucket.tokens_at(now) - cost, max(now, bucket.at))


def cost_of(words: Mapping[str, str]) -> int:
    """How many rows a command with these words touches, at least one."""
    return 1 + max(words.get(name, "").count(",") for name in _ROWS)
