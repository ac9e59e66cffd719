"""When a router that failed may be tried again. Pure.

Closed while it answers; after a failure it is open until `retry_at`, and then one try decides: success closes it (the
caller forgets failures and `retry_at`), failure opens it for twice as long. That it is one try and not several at once
is the router's lease's to see to.
"""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST_SECONDS = 2.0
MOST_SECONDS = 300.0


def after_failure(failures: int, now: datetime, jitter: float) -> datetime:
    """When to try again after that many failures in a row, this one included.

    `jitter` is a random number from 0 to 1 that spreads routers that failed together (a dead uplink) over the second
    half of the pause.
    """
    if failures < 1:
        raise ValueError(f"{failures} failures: the one that just happened counts")
    return now + timedelta(seconds=pause_seconds(failures) * (0.5 + min(max(jitter, 0.0), 1.0) / 2))


def pause_seconds(failures: int) -> float:
    """The longest pause after that many failures in a row: 2 s, then twice as long each time, up to five minutes."""
    doublings = min(failures - 1, 16)  # a router that is dead for a year must not make a number of a thousand digits
    return min(FIRST_SECONDS * 2.0**doublings, MOST_SECONDS)


def may_try(retry_at: datetime | None, now: datetime) -> bool:
    """Whether a connection may be tried: no failure is remembered, or its pause is over."""
    return retry_at is None or now >= retry_at
