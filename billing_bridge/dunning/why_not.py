"""Why a subscription is not restricted today: everything that stands in the way, in words.

What nothing can change today (cancelled, nothing late) is told alone; what merely delays (days, notice, calendar, a
guard) is told together. The decision is asked too, so that an answer never says less than what a run would do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from billing_bridge.calendar.company import Hold
from billing_bridge.calendar.days import company_today
from billing_bridge.dunning.facts import DunningFacts, live_levels, read_facts
from billing_bridge.dunning.guards import restriction_hold
from billing_bridge.dunning.rules import OpenInvoice, SuspensionRules, decide, is_new
from core.database import Transaction
from core.units import format_money
from provisioning.explain.words import Voice
from provisioning.fact_store import load_known, rules_from
from provisioning.facts import Level, ServiceState, TrustUnblock
from provisioning.service_state import service_state
from provisioning.subscriptions import get_subscription


@dataclass(frozen=True, slots=True)
class Hindrance:
    """One thing in the way: a word for software, a sentence, and the day on which it is over."""

    code: str
    sentence: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class WhyNot:
    """`wanted`: whether the rules want it restricted today, guards aside."""

    subscription_id: int
    day: date
    wanted: bool
    reasons: tuple[Hindrance, ...]


def why_not_restricted(tx: Transaction, subscription_id: int, language: str) -> WhyNot:
    """What stands between the subscription and a restriction, today."""
    get_subscription(tx, subscription_id)
    day = company_today(tx.now, tx.settings.timezone)
    voice = Voice(language, ZoneInfo(tx.settings.timezone), tx.now)
    facts, live = read_facts(tx, [subscription_id], day), live_levels(tx, [subscription_id])[subscription_id]
    orders = decide(facts.late, facts.rules, day, facts.notices, facts.calendar)
    wanted = any(is_new(order, live) for order in orders)
    final = _of_service(tx, subscription_id, voice) or _of_orders(voice, live, wanted)
    if final is not None:
        return WhyNot(subscription_id, day, wanted, (final,))
    reasons = list(_of_billing(_Case(voice, day, subscription_id, facts)))
    if guard := restriction_hold(tx):
        reasons.append(Hindrance("guard", voice.say("why.guard", guard=guard)))
    if not reasons:
        reasons = [Hindrance("next_run", voice.say("why.next_run"))]
    return WhyNot(subscription_id, day, wanted, tuple(reasons))


def _of_orders(voice: Voice, live: set[Level], wanted: bool) -> Hindrance | None:
    """A live order, where the rules want no stricter one."""
    if wanted or not live:
        return None
    strictest = Level.TOTAL if Level.TOTAL in live else Level.PARTIAL
    return Hindrance("restricted", voice.say("why.restricted", level=voice.say(f"rule.{strictest.value}")))


def _of_service(tx: Transaction, subscription_id: int, voice: Voice) -> Hindrance | None:
    """What its own state says, before any bill is looked at."""
    [known] = load_known(tx, [subscription_id])
    evaluation = service_state(known.facts, rules_from(tx.settings), tx.now)
    if evaluation.state is ServiceState.CANCELLED:
        return Hindrance("cancelled", voice.say("why.cancelled"))
    if evaluation.state in (ServiceState.PENDING_INSTALL, ServiceState.PENDING_MIGRATION):
        return Hindrance("not_installed", voice.say("why.not_installed"))
    if isinstance(evaluation.cause, TrustUnblock):
        until = evaluation.cause.until
        return Hindrance(
            "trust", voice.say("why.trust", until=voice.instant(until)), until.astimezone(voice.zone).date()
        )
    return None


@dataclass(frozen=True, slots=True)
class _Case:
    voice: Voice
    day: date
    subscription_id: int
    facts: DunningFacts

    @property
    def rules(self) -> SuspensionRules | None:
        return self.facts.rules.get(self.subscription_id)

    @property
    def late(self) -> Sequence[OpenInvoice]:
        return self.facts.late.get(self.subscription_id, ())

    @property
    def notices(self) -> Mapping[int, date]:
        return self.facts.notices.get(self.subscription_id, {})

    @property
    def hold(self) -> Hold | None:
        check = self.facts.calendar.get(self.subscription_id)
        return check.hold if check else None

    def tell(self, code: str, until: date | None = None, **fields: object) -> Hindrance:
        return Hindrance(code, self.voice.say(f"why.{code}", **fields), until)


def _of_billing(case: _Case) -> Iterator[Hindrance]:
    rules = case.rules
    if rules is None:
        yield case.tell("no_account")
        return
    if rules.first_level is None:
        yield case.tell("rules_off", method=rules.method)
        return
    owed = sum(invoice.open_cents for invoice in case.late)
    if not owed:
        yield case.tell("nothing_late")
        return
    if owed < rules.minimum_open_cents:
        open_text, minimum = format_money(owed), format_money(rules.minimum_open_cents)
        yield case.tell("minimum", open=open_text, minimum=minimum)
        return
    yield from _of_days(case, rules, rules.first_level[1])
    if hold := case.hold:
        yield _of_calendar(case, hold)


def _of_days(case: _Case, rules: SuspensionRules, days: int) -> Iterator[Hindrance]:
    """Whether some invoice is late enough, and was announced long enough ago."""
    oldest = case.late[0]
    old = [invoice for invoice in case.late if (case.day - invoice.due_on).days >= days]
    if not old:
        first = oldest.due_on + timedelta(days=days)
        due = case.voice.day(oldest.due_on)
        told = {"invoice": oldest.invoice_id, "due": due, "method": rules.method, "count": days}
        yield case.tell("days", first, first=case.voice.day(first), **told)
        return
    if not rules.notice_days:
        return
    told_on = {
        invoice.invoice_id: case.notices[invoice.invoice_id] for invoice in old if invoice.invoice_id in case.notices
    }
    if not told_on:
        yield case.tell("not_told", invoice=oldest.invoice_id, method=rules.method, count=rules.notice_days)
        return
    invoice = min(told_on, key=lambda key: (told_on[key], key))
    first = told_on[invoice] + timedelta(days=rules.notice_days)
    if first > case.day:
        on = case.voice.day(told_on[invoice])
        yield case.tell(
            "told_lately", first, invoice=invoice, on=on, count=rules.notice_days, first=case.voice.day(first)
        )


def _of_calendar(case: _Case, hold: Hold) -> Hindrance:
    first = case.voice.day(hold.next_start) if hold.next_start else "?"
    return case.tell(hold.reason.value, hold.next_start, day=case.voice.day(hold.day), name=hold.name, first=first)
