"""From facts and a reading of the router to a plan, and to fingerprints of what should be there and what is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provisioning.routeros.cycle.facts import Facts
from provisioning.routeros.cycle.observing import Reading
from provisioning.routeros.fingerprints import desired_fingerprints, observed_fingerprints
from provisioning.routeros.plan.smallest import default_removal_cap, plan
from provisioning.routeros.rows import Desired, Plan


@dataclass(frozen=True, slots=True)
class Planned:
    """What there is to do; `wanted` and `seen`: fingerprints by subscription, 0 for the router's own rows."""

    desired: Desired
    plan: Plan
    wanted: Mapping[int, str]
    seen: Mapping[int, str]


def plan_of(facts: Facts, reading: Reading, approved: int | None = None) -> Planned:
    """Plan for the first time in a turn. `approved`: so many held removals may go."""
    return _planned(facts, reading, approved, desired_fingerprints(facts.desired))


def plan_again(before: Planned, facts: Facts, reading: Reading, approved: int | None = None) -> Planned:
    """The same for another reading of the router: what the facts demand has not changed since."""
    return _planned(facts, reading, approved, before.wanted)


def _planned(facts: Facts, reading: Reading, approved: int | None, wanted: Mapping[int, str]) -> Planned:
    demanded = facts.desired
    own = facts.router.removal_cap
    cap = max(default_removal_cap(reading.observed) if own is None else own, approved or 0)
    made = plan(demanded, reading.observed, removal_cap=cap)
    return Planned(demanded, made, wanted, observed_fingerprints(demanded, reading.observed))
