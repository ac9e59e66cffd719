"""What is measured of a change of state: which changes count, in which buckets, and quantiles of those. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from provisioning.facts import ServiceState

RESTORED, RESTRICTED = "restored", "restricted"
KINDS = (RESTORED, RESTRICTED)
RADIUS, ROUTER = "radius", "router"
PATHS = (RADIUS, ROUTER)
OFFLINE, UNPROVEN = "offline", "unproven"
UNCOUNTED = (OFFLINE, UNPROVEN)
"""Waits that end without a proof: nobody was connected and nothing had to change, or none came within a day."""

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Upper bounds of the buckets, in seconds; after the last one comes the bucket without bound."""

_SERVICE = {
    ServiceState.ACTIVE.value: 2,
    ServiceState.REDUCED.value: 1,
    ServiceState.SUSPENDED.value: 0,
    ServiceState.PAUSED.value: 0,
}


def was_in_service(state: str) -> bool:
    """Whether a wait can have begun in this state."""
    return state in _SERVICE


def kind_of_change(before: str, after: str) -> str | None:
    """`restored` for more service, `restricted` for less or another restriction; None: neither of the two.

    Installation and cancellation are begun and ended contracts, not service that comes back or is held back.
    """
    if before not in _SERVICE or after not in _SERVICE or before == after:
        return None
    return RESTORED if _SERVICE[after] > _SERVICE[before] else RESTRICTED


def bucket_of(seconds: float) -> int:
    """The number of the bucket; a bound belongs to its own bucket, as Prometheus counts (`le`)."""
    return bisect_left(BOUNDS, seconds)


def cumulative(counts: Sequence[int]) -> list[int]:
    """How many took at most each bound; the last is of all. `counts` has one number a bucket."""
    totals, sum_so_far = [], 0
    for count in counts:
        sum_so_far += count
        totals.append(sum_so_far)
    return totals


def quantile(share: float, counts: Sequence[int]) -> float | None:
    """An estimate in seconds, linear inside its bucket, as `histogram_quantile` of Prometheus; None without counts.

    What lies beyond the last bound is said to be that bound.
    """
    totals = cumulative(counts)
    if not totals or not totals[-1]:
        return None
    wanted = share * totals[-1]
    number = next(index for index, total in enumerate(totals) if total >= wanted and counts[index])
    if number >= len(BOUNDS):
        return BOUNDS[-1]
    below = BOUNDS[number - 1] if number else 0.0
    before = totals[number] - counts[number]
    return below + (BOUNDS[number] - below) * max(0.0, wanted - before) / counts[number]
