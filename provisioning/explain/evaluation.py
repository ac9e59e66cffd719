"""Why a subscription is in its state: the evaluation itself, printed, for any instant, in English or Portuguese."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from core.database import Transaction
from core.errors import NotFound
from core.units import format_rate
from provisioning.explain.orders import Background, OpenDebt, tell_order
from provisioning.explain.words import ENGLISH, Voice
from provisioning.fact_store import load_known, rules_from
from provisioning.facts import Facts, Level, Pause, RestrictionOrder, ServiceRules, ServiceState, TrustUnblock
from provisioning.models import Debt, RestrictionOrderRow
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


def explain(tx: Transaction, subscription_id: int, at: datetime, language: str = ENGLISH) -> Explanation:
    """Evaluate the facts as they stand for the instant `at`; `language` is one of `explain_words`."""
    found = load_known(tx, [subscription_id])
    if not found:
        raise NotFound("subscription", subscription_id)
    voice = Voice(language, ZoneInfo(tx.settings.timezone), at)
    return explain_facts(
        subscription_id, found[0].facts, rules_from(tx.settings), voice, _background(tx, subscription_id, at)
    )


def explain_facts(
    subscription_id: int, facts: Facts, rules: ServiceRules, voice: Voice, background: Background | None = None
) -> Explanation:
    """The same, pure, for the instant of the voice."""
    evaluation = service_state(facts, rules, voice.at)
    following = next_change_at(facts, rules, voice.at)
    return Explanation(
        subscription_id,
        voice.at,
        evaluation.state,
        _sentence(voice, facts, evaluation, background or Background()),
        tuple(_steps(voice, facts, evaluation)),
        _speed(voice, facts, rules, evaluation),
        following,
    )


def _background(tx: Transaction, subscription_id: int, at: datetime) -> Background:
    rows = tx.session.execute(
        select(RestrictionOrderRow.id, RestrictionOrderRow.evidence, RestrictionOrderRow.ordered_by).where(
            RestrictionOrderRow.subscription_id == subscription_id
        )
    ).all()
    debts = {}
    if at >= tx.now:  # the debts of today say nothing about the past
        found = tx.session.scalars(select(Debt).where(Debt.subscription_id == subscription_id))
        debts = {debt.invoice_id: OpenDebt(debt.due_on, debt.open_cents) for debt in found}
    return Background({row.id: row.evidence for row in rows}, {row.id: row.ordered_by for row in rows}, debts)


def _sentence(voice: Voice, facts: Facts, evaluation: Evaluation, background: Background) -> str:
    state, cause = voice.say(f"state.{evaluation.state.value}"), evaluation.cause
    match cause:
        case Pause():
            until = voice.until(cause.until)
            sentence = voice.say("sentence.paused", state=state, since=voice.instant(cause.since), until=until)
            return voice.say("sentence.noted", sentence=sentence, note=cause.note) if cause.note else sentence
        case TrustUnblock():
            return voice.say("sentence.trust", state=state, until=voice.instant(cause.until), note=cause.note)
        case RestrictionOrder():
            why = tell_order(voice, cause, background)
            return voice.say("sentence.since", state=state, since=voice.instant(cause.since), why=why)
    return _without_cause(voice, state, facts, evaluation)


def _without_cause(voice: Voice, state: str, facts: Facts, evaluation: Evaluation) -> str:
    match evaluation.state:
        case ServiceState.CANCELLED if facts.cancelled_at:
            return voice.say("sentence.cancelled", state=state, since=voice.instant(facts.cancelled_at))
        case ServiceState.PENDING_MIGRATION if facts.migrates_from_id is not None:
            return voice.say("sentence.migration_from", state=state, old=facts.migrates_from_id)
        case ServiceState.PENDING_MIGRATION:
            return voice.say("sentence.migration", state=state)
        case ServiceState.PENDING_INSTALL if facts.installed_at:
            return voice.say("sentence.install_on", state=state, on=voice.instant(facts.installed_at))
        case ServiceState.PENDING_INSTALL:
            return voice.say("sentence.install", state=state)
    if evaluation.override is not None:
        return voice.say("sentence.custom", state=state, until=voice.until(evaluation.override.until))
    return voice.say("sentence.active", state=state)


def _steps(voice: Voice, facts: Facts, evaluation: Evaluation) -> Iterator[Step]:
    state, cause = evaluation.state, evaluation.cause
    yield Step(voice.say("rule.cancelled"), state is ServiceState.CANCELLED, _cancelled(voice, facts))
    pending = state in (ServiceState.PENDING_INSTALL, ServiceState.PENDING_MIGRATION)
    yield Step(voice.say("rule.pending"), pending, _installed(voice, facts, state))
    yield Step(voice.say("rule.paused"), isinstance(cause, Pause), _history(voice, facts.pauses))
    yield Step(voice.say("rule.trust"), isinstance(cause, TrustUnblock), _history(voice, facts.trusts))
    for level in (Level.TOTAL, Level.PARTIAL):
        orders = tuple(order for order in facts.orders if order.level is level)
        decided = isinstance(cause, RestrictionOrder) and cause.level is level
        yield Step(voice.say(f"rule.{level.value}"), decided, _history(voice, orders))
    decided = state is ServiceState.ACTIVE and cause is None
    yield Step(voice.say("rule.active"), decided, voice.say(f"step.{'nothing' if decided else 'something'}_above"))


def _cancelled(voice: Voice, facts: Facts) -> str:
    at = facts.cancelled_at
    return voice.say("step.cancelled", on=voice.instant(at)) if at else voice.say("step.not_cancelled")


def _installed(voice: Voice, facts: Facts, state: ServiceState) -> str:
    if state is ServiceState.PENDING_MIGRATION and facts.migrates_from_id is not None:
        return voice.say("step.migration", old=facts.migrates_from_id)
    at = facts.installed_at
    return voice.say("step.installed", on=voice.instant(at)) if at else voice.say("step.not_installed")


def _history(voice: Voice, facts: tuple[Pause, ...] | tuple[TrustUnblock, ...] | tuple[RestrictionOrder, ...]) -> str:
    begun = [fact for fact in facts if fact.since <= voice.at]
    if not begun:
        return voice.say("step.none")
    last = begun[-1]
    live = last.until is None or voice.at < last.until
    key = "step.live" if live else "step.over"
    return voice.say(key, since=voice.instant(last.since), until=voice.until(last.until))


def _speed(voice: Voice, facts: Facts, rules: ServiceRules, evaluation: Evaluation) -> str:
    if evaluation.speed is None:
        return voice.say("speed.none")
    source = voice.say("speed.plan")
    if evaluation.override is not None:
        source = voice.say("speed.custom")
    elif evaluation.state is ServiceState.REDUCED:
        source = voice.say("speed.reduced_plan" if facts.reduced_speed else "speed.reduced_company")
    elif evaluation.speed == rules.suspended and evaluation.state is not ServiceState.ACTIVE:
        source = voice.say("speed.state", state=voice.say(f"state.{evaluation.state.value}"))
    return voice.say(
        "speed",
        down=format_rate(evaluation.speed.download_bps),
        up=format_rate(evaluation.speed.upload_bps),
        source=source,
        until=voice.until(evaluation.override.until) if evaluation.override else "",
    )
