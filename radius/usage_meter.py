"""How much of a session's counters belongs to which day. Pure.

A session keeps a base: what its counters stood at when its present day began. What lies between base and counters is
the rest, which is nobody's day yet. The rest is counted, and the base moves up to the counters, when

- a record of a later day comes: what was known before it belongs to the day that is over;
- the session turns out to be another subscription's: what was known before belongs to the one that it was;
- the session is over: all of it belongs to its last day. Counters that rise after the end are counted at once, and one
  that is open again goes on from the base, so nothing is counted twice.

Hence, whatever order records come in: what was counted and the rests of open sessions are together what the counters
say. An Interim belongs to the day on which it was told, so at midnight up to one interim interval is attributed to the
new day. While it is not known whose the session is, nothing is counted, and the base stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from radius.fold import SessionState


class Counted(NamedTuple):
    """Octets that are now known to belong to a subscription's day."""

    subscription_id: int
    day: date
    input_octets: int
    output_octets: int


@dataclass(frozen=True, slots=True)
class Meter:
    """A session's day, and its base."""

    day: date
    input_octets: int = 0
    output_octets: int = 0


def read_meter(
    meter: Meter, before: SessionState | None, after: SessionState, day: date
) -> tuple[Meter, list[Counted]]:
    """The meter after a record of `day` that changed the session from `before`, and what is counted by it."""
    counted: list[Counted] = []
    over = before is not None and (day > meter.day or before.subscription_id != after.subscription_id)
    if before is not None and over:
        meter = _count(meter, before, counted)
    if day > meter.day:
        meter = Meter(day, meter.input_octets, meter.output_octets)
    if after.stopped_at is not None:
        meter = _count(meter, after, counted)
    return meter, counted


def _count(meter: Meter, state: SessionState, counted: list[Counted]) -> Meter:
    if state.subscription_id is None:
        return meter
    rest = state.input_octets - meter.input_octets, state.output_octets - meter.output_octets
    if rest == (0, 0):
        return meter
    counted.append(Counted(state.subscription_id, meter.day, *rest))
    return Meter(meter.day, state.input_octets, state.output_octets)
