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
    """Plan anew. `approved`: so many held removals may go."""
    demanded = facts.desired
    own = facts.router.removal_cap
    cap = max(default_removal_cap(reading.observed) if own is None else own, approved or 0)
    made = plan(demanded, reading.observed, removal_cap=cap)
    return Planned(demanded, made, desired_fingerprints(demanded), observed_fingerprints(demanded, reading.observed))
