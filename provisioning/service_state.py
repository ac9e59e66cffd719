"""State is a function of facts and time.

Nothing "un-suspends" a subscription: a payment is a fact, and from the facts another state follows. An expired
trust unblock is over at its instant, whether or not anybody was awake to notice. So there are only two questions, both
pure: what holds at this instant, and when is the answer next another one.

Precedence, first match wins: cancelled or pending, paused, live trust unblock, live total order, live partial
order, active. The speed lies on top: reduced speed, custom speed, plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from provisioning.facts import (
    Cause,
    Facts,
    Level,
    RestrictionOrder,
    ServiceRules,
    ServiceState,
    Speed,
    SpeedOverride,
)
from radius.policy import Denial, Grant, Policy, Span

MOST_SPANS = 32


class _Interval(Protocol):
    @property
    def since(self) -> datetime: ...
    @property
    def until(self) -> datetime | None: ...


_Fact = TypeVar("_Fact", bound=_Interval)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The state at one instant, the fact that decided it, and the speed (None where there is no service)."""

    state: ServiceState
    cause: Cause
    speed: Speed | None
    override: SpeedOverride | None = None

    @property
    def effect(self) -> tuple[ServiceState, Speed | None]:
        """What anybody outside can notice; causes may change without it."""
        return self.state, self.speed


def service_state(facts: Facts, rules: ServiceRules, now: datetime) -> Evaluation:
    """What holds at `now`."""
    if facts.cancelled_at is not None and facts.cancelled_at <= now:
        return Evaluation(ServiceState.CANCELLED, None, None)
    if facts.installed_at is None or facts.installed_at > now:
        pending = ServiceState.PENDING_MIGRATION if facts.awaits_migration else ServiceState.PENDING_INSTALL
        return Evaluation(pending, None, None)
    if pause := _live(facts.pauses, now):
        return Evaluation(ServiceState.PAUSED, pause, rules.suspended)
    if trust := _live(facts.trusts, now):
        return _in_service(facts, now, trust)
    if total := _live_order(facts, Level.TOTAL, now):
        return Evaluation(ServiceState.SUSPENDED, total, rules.suspended)
    if partial := _live_order(facts, Level.PARTIAL, now):
        return Evaluation(ServiceState.REDUCED, partial, facts.reduced_speed or rules.reduced)
    return _in_service(facts, now, None)


def next_change_at(facts: Facts, rules: ServiceRules, now: datetime) -> datetime | None:
    """The first instant after `now` at which the effect differs from the one at `now`; None: never by itself."""
    present = service_state(facts, rules, now).effect
    for instant in sorted({edge for edge in _edges(facts) if edge > now}):
        if service_state(facts, rules, instant).effect != present:
            return instant
    return None


def answer_at(facts: Facts, rules: ServiceRules, now: datetime) -> Grant | Denial:
    """What RADIUS answers at `now`: limited service is an Accept with a limited policy (RFC 5080 §2.6.1)."""
    evaluation = service_state(facts, rules, now)
    if evaluation.speed is None:
        return Denial(evaluation.state.value.lower())
    lists = {
        ServiceState.SUSPENDED: rules.suspended_address_list,
        ServiceState.PAUSED: rules.paused_address_list,
    }
    policy = Policy(
        download_bps=evaluation.speed.download_bps,
        upload_bps=evaluation.speed.upload_bps,
        address_list=lists.get(evaluation.state, facts.address_list),
        pool=facts.pool,
        group=facts.group,
        interim_seconds=rules.interim_seconds,
        ipv6_pool=facts.ipv6_pool,
        delegated_ipv6_pool=facts.delegated_ipv6_pool,
    )
    return Grant(policy, facts.framed_ip_address, facts.framed_ipv6_prefix, facts.delegated_ipv6_prefix, facts.routes)


def spans_from(facts: Facts, rules: ServiceRules, now: datetime) -> tuple[Span, ...]:
    """The answers from `now` on, without a gap: the first span has no beginning, the last one no end.

    The RADIUS path so answers rightly at every instant to come, even when nothing of us but that path is alive.
    """
    spans: list[Span] = []
    since: datetime | None = None
    instant = now
    while True:
        until = next_change_at(facts, rules, instant) if len(spans) < MOST_SPANS - 1 else None
        spans.append(Span(since, until, answer_at(facts, rules, instant)))
        if until is None:
            return tuple(spans)
        since = instant = until


def _in_service(facts: Facts, now: datetime, cause: Cause) -> Evaluation:
    override = _live(facts.overrides, now)
    speed = override.speed if override else facts.plan_speed
    return Evaluation(ServiceState.ACTIVE, cause, speed, override)


def _live(intervals: Iterable[_Fact], now: datetime) -> _Fact | None:
    """The fact that holds at `now`; of several, the one that began last (later records win ties)."""
    holding: _Fact | None = None
    for item in intervals:
        live = item.since <= now and (item.until is None or now < item.until)
        if live and (holding is None or item.since >= holding.since):
            holding = item
    return holding


def _live_order(facts: Facts, level: Level, now: datetime) -> RestrictionOrder | None:
    return _live((order for order in facts.orders if order.level is level), now)


def _edges(facts: Facts) -> Iterator[datetime]:
    """Every instant at which some fact begins or ends."""
    if facts.installed_at:
        yield facts.installed_at
    if facts.cancelled_at:
        yield facts.cancelled_at
    for group in (facts.pauses, facts.trusts, facts.orders, facts.overrides):
        for item in group:
            yield item.since
            if item.until is not None:
                yield item.until
