"""May this subscription have service on a promise? Pure: facts, rules and the instant decide.

Days are the company's, from midnight to midnight. A trust of N days holds until the end of the N-th day after today;
a use counts on the day of its grant and on the `period_days - 1` days after it.

A promise is broken when an order that it covered (one that was live when it was granted) is live at its end, however
that end came: a payment at the last second keeps it, one at the end itself or later does not. A broken promise blocks
while such an order is live, and after that until `broken_block_days` days have passed since its end: paying late ends
the restriction at once, but does not make the next promise worth more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from provisioning.facts import Facts, RestrictionOrder, TrustUnblock

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TrustRules:
    """The company's limits, in days and uses; version 0 are those that nobody has set."""

    version: int = 0
    max_days: int = 10
    uses: int = 2
    period_days: int = 30
    minimum_age_days: int = 0
    block_after_broken: bool = True
    broken_block_days: int = 90
    self_service: bool = True
    self_service_max_days: int = 3

    @property
    def portal_days(self) -> int:
        """How many days a subscriber may give themselves; 0: none."""
        return min(self.self_service_max_days, self.max_days) if self.self_service else 0


class Limit(StrEnum):
    """Which rule refuses."""

    DAYS = "days"
    USES = "uses"
    AGE = "age"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Granted:
    """It may be; `uses_left` are those that remain after it."""

    uses_left: int


@dataclass(frozen=True, slots=True)
class Refused:
    """It may not be: which rule says so, why, how to mend it; `from_day` is when that rule stops refusing, if known."""

    limit: Limit
    reason: str
    mend: str
    from_day: date | None = None


def may_trust(facts: Facts, rules: TrustRules, now: datetime, until: datetime, zone: str) -> Granted | Refused:
    """Whether the rules permit a trust unblock from `now` to `until` (after `now`)."""
    today = _day(now, zone)
    return (
        _too_long(rules, today, until, zone)
        or _too_young(facts, rules, today, zone)
        or _broken_before(facts, rules, now, zone)
        or _count_uses(facts, rules, today, zone)
    )


def days_until(now: datetime, until: datetime, zone: str) -> int:
    """How many days after today the last day is on which a trust to `until` still holds."""
    return (_day(until - _MOMENT, zone) - _day(now, zone)).days


def end_of_day(now: datetime, days: int, zone: str) -> datetime:
    """The instant at which the `days`-th day after today is over."""
    following = _day(now, zone) + timedelta(days=days + 1)
    return datetime.combine(following, time.min, ZoneInfo(zone)).astimezone(UTC)


def broken_promises(facts: Facts, now: datetime) -> Iterator[tuple[TrustUnblock, tuple[RestrictionOrder, ...]]]:
    """The promises that were broken by `now`, each with the orders that it covered and that held at its end."""
    for trust in facts.trusts:
        if trust.until <= now:
            held = tuple(order for order in facts.orders if _live(order, trust.since) and _live(order, trust.until))
            if held:
                yield trust, held


def _too_long(rules: TrustRules, today: date, until: datetime, zone: str) -> Refused | None:
    if (_day(until - _MOMENT, zone) - today).days <= rules.max_days:
        return None
    return Refused(Limit.DAYS, f"at most {rules.max_days} days ahead", "choose an earlier end")


def _too_young(facts: Facts, rules: TrustRules, today: date, zone: str) -> Refused | None:
    if facts.installed_at is None:
        return Refused(Limit.AGE, "it is not installed yet", "install it first")
    ripe = _day(facts.installed_at, zone) + timedelta(days=rules.minimum_age_days)
    if today >= ripe:
        return None
    reason = f"it was installed less than {rules.minimum_age_days} days ago"
    return Refused(Limit.AGE, reason, f"possible from {ripe} on", ripe)


def _broken_before(facts: Facts, rules: TrustRules, now: datetime, zone: str) -> Refused | None:
    if not rules.block_after_broken:
        return None
    broken = sorted(broken_promises(facts, now), key=lambda found: found[0].until, reverse=True)
    for trust, held in broken:
        if any(_live(order, now) for order in held):
            return Refused(Limit.BROKEN, _not_kept(trust, zone), "pay what was promised then")
    for trust, _ in broken[:1]:
        free = _day(trust.until, zone) + timedelta(days=rules.broken_block_days)
        if _day(now, zone) < free:
            return Refused(Limit.BROKEN, _not_kept(trust, zone), f"possible again from {free} on", free)
    return None


def _not_kept(trust: TrustUnblock, zone: str) -> str:
    return f"the promise of {_day(trust.since, zone)} was not kept"


def _count_uses(facts: Facts, rules: TrustRules, today: date, zone: str) -> Granted | Refused:
    days = sorted(_day(trust.since, zone) for trust in facts.trusts)
    recent = [day for day in days if day > today - timedelta(days=rules.period_days)]
    if len(recent) < rules.uses:
        return Granted(rules.uses - len(recent) - 1)
    reason = f"{rules.uses} within {rules.period_days} days were used"
    if not rules.uses:
        return Refused(Limit.USES, "the rules permit none", "pay what is owed")
    free = recent[-rules.uses] + timedelta(days=rules.period_days)
    return Refused(Limit.USES, reason, f"possible again from {free} on", free)


def _live(order: RestrictionOrder, at: datetime) -> bool:
    return order.since <= at and (order.lapsed_at is None or at < order.lapsed_at)


def _day(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()
