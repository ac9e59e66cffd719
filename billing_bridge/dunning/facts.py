"""What the decision of many subscriptions needs, read with one query a kind of fact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from billing_bridge.calendar.company import DayCheck, check_day
from billing_bridge.calendar.holiday_book import open_book, place_key
from billing_bridge.dunning.rules import OpenInvoice, SuspensionRules
from billing_bridge.models import BillingAccount, BillingMethod
from billing_bridge.notices.models import DebtNotice
from core.among import among
from core.database import Transaction
from provisioning.facts import Level
from provisioning.models import Debt, RestrictionOrderRow, Subscriber, Subscription


@dataclass(frozen=True, slots=True)
class DunningFacts:
    """The arguments of `decide`, each by subscription id."""

    late: Mapping[int, list[OpenInvoice]]
    rules: Mapping[int, SuspensionRules]
    notices: Mapping[int, Mapping[int, date]]
    calendar: Mapping[int, DayCheck]


def read_facts(tx: Transaction, ids: Collection[int], day: date) -> DunningFacts:
    """What is known of these subscriptions on that day of the company."""
    rules = rules_of(tx, ids)
    announced = any(rule.notice_days for rule in rules.values())
    return DunningFacts(
        late_invoices(tx, ids, day), rules, notices_of(tx, ids) if announced else {}, calendar_of(tx, rules, day)
    )


def late_invoices(tx: Transaction, ids: Collection[int], day: date) -> dict[int, list[OpenInvoice]]:
    """What each owes that was due before `day`, oldest first."""
    rows = tx.session.execute(
        select(Debt.subscription_id, Debt.invoice_id, Debt.due_on, Debt.open_cents)
        .where(among(tx.session, Debt.subscription_id, ids), Debt.open_cents > 0, Debt.due_on < day)
        .order_by(Debt.subscription_id, Debt.due_on, Debt.invoice_id)
    )
    late: dict[int, list[OpenInvoice]] = defaultdict(list)
    for row in rows:
        late[row.subscription_id].append(OpenInvoice(row.invoice_id, row.due_on, row.open_cents))
    return late


def rules_of(tx: Transaction, ids: Collection[int]) -> dict[int, SuspensionRules]:
    """The rules of each one's billing method; who has no account is missing."""
    query = select(BillingAccount.subscription_id, BillingAccount.billing_method_id)
    rows = tx.session.execute(query.where(among(tx.session, BillingAccount.subscription_id, ids))).all()
    rules = {method.id: method.rules for method in tx.session.scalars(select(BillingMethod))}
    return {subscription_id: rules[method_id] for subscription_id, method_id in rows}


def notices_of(tx: Transaction, ids: Collection[int]) -> dict[int, dict[int, date]]:
    """On which day each invoice's notice was given."""
    query = select(DebtNotice.subscription_id, DebtNotice.invoice_id, DebtNotice.given_on)
    given: dict[int, dict[int, date]] = defaultdict(dict)
    for row in tx.session.execute(query.where(among(tx.session, DebtNotice.subscription_id, ids))):
        given[row.subscription_id][row.invoice_id] = row.given_on
    return given


def calendar_of(tx: Transaction, rules: Mapping[int, SuspensionRules], day: date) -> dict[int, DayCheck]:
    """What the day is for each by its rules and its subscriber's place; worked out once for each pair of them."""
    query = select(Subscription.id, Subscriber.region, Subscriber.city).join(Subscription.subscriber)
    rows = tx.session.execute(query.where(among(tx.session, Subscription.id, rules)))
    book, known, checks = open_book(tx), {}, {}
    for subscription_id, region, city in rows:
        rule = rules[subscription_id]
        key = (rule, region, place_key(city))
        if key not in known:
            known[key] = check_day(day, rule, book.around(day, region, city))
        checks[subscription_id] = known[key]
    return checks


def live_levels(tx: Transaction, ids: Collection[int]) -> dict[int, set[Level]]:
    """The levels of each one's live orders."""
    rows = tx.session.execute(
        select(RestrictionOrderRow.subscription_id, RestrictionOrderRow.level).where(
            among(tx.session, RestrictionOrderRow.subscription_id, ids), RestrictionOrderRow.lapsed_at.is_(None)
        )
    )
    live: dict[int, set[Level]] = defaultdict(set)
    for subscription_id, level in rows:
        live[subscription_id].add(Level(level))
    return live
