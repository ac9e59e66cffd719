"""How each subscription stands when a cycle has ended: in step, or since when and why not. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from provisioning.routeros.cycle.apply_report import ApplyReport, owner_of
from provisioning.routeros.cycle.records import OWN, Record, Standing
from provisioning.routeros.rows import Desired, EndSession, Menu, Plan, Step

ENDED = "its session was ended, so that the next one gets what it should; it has not begun yet, or shows something else"
DRIFT = "drift reported: somebody changed its rows at the router, which is set to report and not to repair"
MAINTENANCE = "maintenance: nothing is written to the router until it ends"
NOT_YET = "not done yet"
CONFLICTS = ("already have", "already exists", "no such item")
"""What a router answers when it is not as it was read."""
KICK_AGAIN = timedelta(minutes=10)
"""A session that stays wrong though it was ended is not ended again before: it would never be of use to anybody."""


@dataclass(frozen=True, slots=True)
class Ended:
    """All that a cycle knows at its end. `plan`: what would still have to be done; `left_out`: whose steps were left
    out because of drift that is only reported; `waiting`: whose sessions were ended a moment before this cycle;
    `refused`: menus that could not be read, and the router's words; `in_vain`: what is left to do in the router's own
    rows was tried before (`tried_in_vain`) and waits for the next check."""

    desired: Desired
    plan: Plan
    wanted: Mapping[int, str]
    seen: Mapping[int, str]
    report: ApplyReport
    left_out: frozenset[int]
    waiting: frozenset[int]
    refused: Mapping[Menu, str]
    maintenance: bool = False
    in_vain: bool = False

    @property
    def stuck(self) -> frozenset[int]:
        """Whom no step can help any more, only other facts or a hand at the router."""
        return frozenset(problems_of(self)) - {owner_of(step) or OWN for step in self.steps}

    @property
    def steps(self) -> list[Step]:
        """What is left that another cycle would do."""
        resting = self.left_out | {OWN} if self.in_vain else self.left_out
        return [step for step in self.plan.steps if (owner_of(step) or OWN) not in resting]


def patient(
    plan: Plan, records: Mapping[int, Record], wanted: Mapping[int, str], now: datetime
) -> tuple[Plan, frozenset[int]]:
    """The plan without ending again sessions that were ended for the same a moment ago, and whose those are."""
    waiting = frozenset(
        step.subscription_id
        for step in plan.steps
        if isinstance(step, EndSession) and step.subscription_id is not None
        if _just_ended(records.get(step.subscription_id), wanted.get(step.subscription_id, ""), now)
    )
    stages = (
        tuple(step for step in stage if not (isinstance(step, EndSession) and step.subscription_id in waiting))
        for stage in plan.stages
    )
    return (replace(plan, stages=tuple(stage for stage in stages if stage)) if waiting else plan), waiting


def _just_ended(record: Record | None, wanted: str, now: datetime) -> bool:
    if record is None or record.why != ENDED or record.desired != wanted or record.observed_at is None:
        return False
    return now - record.observed_at < KICK_AGAIN


def standings(ended: Ended, keys: Iterable[int], touched: Mapping[int, datetime]) -> dict[int, Standing]:
    """The standing of each of these subscriptions (0: the router's own rows)."""
    reasons = _reasons(ended)
    made = {}
    for key in keys:
        wanted, seen = ended.wanted.get(key, ""), ended.seen.get(key, "")
        why = reasons.get(key, "") or ("" if wanted == seen else NOT_YET)
        made[key] = Standing(wanted, seen, why, touched.get(key))
    return made


def problems_of(ended: Ended) -> dict[int, str]:
    """What cannot be done by trying again, by subscription; several in one text."""
    found: dict[int, dict[str, None]] = {}
    for problem in (*ended.desired.problems, *ended.plan.problems):
        found.setdefault(problem.subscription_id or OWN, {})[problem.words] = None
    for row in ended.desired.rows if ended.refused else ():
        if words := ended.refused.get(row.menu):
            text = f"the router refuses to show {row.menu}: {words}"
            found.setdefault(row.subscription_id or OWN, {})[text] = None
    return {key: "; ".join(words) for key, words in found.items()}


def _reasons(ended: Ended) -> dict[int, str]:
    """Why each is not in step; the last that is said of one counts."""
    steps = sorted(ended.plan.steps, key=lambda step: not isinstance(step, EndSession))
    just = ended.waiting | {step.subscription_id for step in ended.report.ended}
    reasons = {owner_of(step) or OWN: ENDED if _only_session(step, just) else NOT_YET for step in steps}
    if ended.maintenance:
        reasons = dict.fromkeys(reasons, MAINTENANCE)
    if ended.plan.held:
        reasons[OWN] = f"held by the guard: {len(ended.plan.held)} rows that nobody asked for wait to be removed"
    reasons |= {key: DRIFT for key in ended.left_out if key in reasons}
    for failure in ended.report.failures:
        key = owner_of(failure.step) or OWN
        if key in reasons:
            reasons[key] = f"the router refused: {failure.message}"
    return reasons | problems_of(ended)


def _only_session(step: Step, just: Collection[int | None]) -> bool:
    return isinstance(step, EndSession) and step.subscription_id in just


def tried_in_vain(before: Record | None, wanted: str | None) -> bool:
    """Whether the router's own rows were not right after the last read of all of it either, though the same was wanted.

    Then what is left of them is a matter for the next check, or for other facts: reading all of it each time somebody
    pays would not help. `wanted`: what all of them are to be; None: this turn is for a few.
    """
    if before is None or before.why in ("", MAINTENANCE):
        return False
    return wanted is None or wanted == before.desired


def needs_whole(ended: Ended) -> bool:
    """Whether the router was not as it was read, so that all of it has to be read again."""
    failures = [one for one in ended.report.failures if owner_of(one.step) is not None or not ended.in_vain]
    return any(word in failure.message for failure in failures for word in CONFLICTS)
