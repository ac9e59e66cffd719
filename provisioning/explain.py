"""Why a subscription is in its state: the evaluation itself, printed, for any instant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from core.database import Transaction
from core.errors import NotFound
from core.units import format_rate
from provisioning.fact_store import load_known, rules_from
from provisioning.facts import Facts, Level, Pause, RestrictionOrder, ServiceRules, ServiceState, TrustUnblock
from provisioning.service_state import Evaluation, next_change_at, service_state


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the precedence: whether it decided, and what was found."""

    rule: str
    decided: bool
    finding: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The state at `at`, every step of the evaluation in order, and when it changes by itself."""

    subscription_id: int
    at: datetime
    state: ServiceState
    sentence: str
    steps: tuple[Step, ...]
    speed: str
    next_change_at: datetime | None


def explain(tx: Transaction, subscription_id: int, at: datetime) -> Explanation:
    """Evaluate the facts as they stand for the instant `at`."""
    found = load_known(tx, [subscription_id])
    if not found:
        raise NotFound("subscription", subscription_id)
    return explain_facts(subscription_id, found[0].facts, rules_from(tx.settings), at, ZoneInfo(tx.settings.timezone))


def explain_facts(subscription_id: int, facts: Facts, rules: ServiceRules, at: datetime, zone: ZoneInfo) -> Explanation:
    """The same, pure."""
    evaluation = service_state(facts, rules, at)
    following = next_change_at(facts, rules, at)
    return Explanation(
        subscription_id,
        at,
        evaluation.state,
        _sentence(evaluation, zone),
        tuple(_steps(facts, evaluation, at, zone)),
        _speed(facts, rules, evaluation, zone),
        following,
    )


def _sentence(evaluation: Evaluation, zone: ZoneInfo) -> str:
    cause = evaluation.cause
    match cause:
        case Pause():
            return (
                f"{evaluation.state} since {_local(cause.since, zone)} at the subscriber's request{_until(cause, zone)}"
            )
        case TrustUnblock():
            return f"{evaluation.state} on trust until {_local(cause.until, zone)}: {cause.note}"
        case RestrictionOrder():
            invoices = ", ".join(str(number) for number in cause.invoice_ids)
            rule = f"; {cause.rule}" if cause.rule else ""
            return f"{evaluation.state} since {_local(cause.since, zone)}: invoice {invoices} is open{rule}"
    return f"{evaluation.state}: no restriction holds" if evaluation.speed else evaluation.state.value


def _steps(facts: Facts, evaluation: Evaluation, at: datetime, zone: ZoneInfo) -> Iterator[Step]:
    state, cause = evaluation.state, evaluation.cause
    ended = state is ServiceState.CANCELLED
    yield Step("cancelled", ended, _instant("cancelled", facts.cancelled_at, zone))
    pending = state in (ServiceState.PENDING_INSTALL, ServiceState.PENDING_MIGRATION)
    yield Step("pending", pending, _instant("installed", facts.installed_at, zone))
    yield Step("paused", isinstance(cause, Pause), _history(facts.pauses, at, zone))
    yield Step("trust unblock", isinstance(cause, TrustUnblock), _history(facts.trusts, at, zone))
    for level in (Level.TOTAL, Level.PARTIAL):
        orders = tuple(order for order in facts.orders if order.level is level)
        decided = isinstance(cause, RestrictionOrder) and cause.level is level
        yield Step(f"{level.value} order", decided, _history(orders, at, zone))
    decided = state is ServiceState.ACTIVE and cause is None
    yield Step("active", decided, "nothing above holds" if decided else "something above holds")


def _history(
    facts: tuple[Pause, ...] | tuple[TrustUnblock, ...] | tuple[RestrictionOrder, ...], at: datetime, zone: ZoneInfo
) -> str:
    begun = [fact for fact in facts if fact.since <= at]
    if not begun:
        return "none"
    last = begun[-1]
    live = last.until is None or at < last.until
    return f"{'live' if live else 'over'}: from {_local(last.since, zone)}{_until(last, zone)}"


def _speed(facts: Facts, rules: ServiceRules, evaluation: Evaluation, zone: ZoneInfo) -> str:
    if evaluation.speed is None:
        return "no service"
    source = "plan"
    if evaluation.override is not None:
        source = "custom speed"
    elif evaluation.state is ServiceState.REDUCED:
        source = "reduced speed of the plan" if facts.reduced_speed else "reduced speed of the company"
    elif evaluation.speed == rules.suspended and evaluation.state is not ServiceState.ACTIVE:
        source = f"speed of {evaluation.state}"
    until = _until(evaluation.override, zone) if evaluation.override else ""
    down, up = format_rate(evaluation.speed.download_bps), format_rate(evaluation.speed.upload_bps)
    return f"{down} down, {up} up ({source}{until})"


def _until(fact: object, zone: ZoneInfo) -> str:
    until = getattr(fact, "until", None)
    return f", until {_local(until, zone)}" if until else ""


def _instant(word: str, instant: datetime | None, zone: ZoneInfo) -> str:
    return f"{word} {_local(instant, zone)}" if instant else f"not {word}"


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%d/%m/%Y %H:%M}"
