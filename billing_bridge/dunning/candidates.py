"""Finding who may have to be restricted, in the database: memory does not grow with the number of debtors.

The query is a filter, not the decision: it knows days, amounts, notices and held weekdays, but no holidays. It gives
the ids of a chunk; `dunning_rules` decides each of them from amounts that are read under the locks. A chunk takes the
same few queries whatever its size.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Date, Select, and_, case, exists, false, func, literal, or_, select

from billing_bridge.dunning.facts import live_levels, read_facts
from billing_bridge.dunning.rules import SuspensionRules, WantedOrder, decide, is_new
from billing_bridge.models import BillingAccount, BillingMethod
from billing_bridge.notices.models import DebtNotice
from core.database import Transaction
from provisioning.facts import Level, ServiceState
from provisioning.models import Debt, RestrictionOrderRow, Subscription

ALL: frozenset[Level] = frozenset(Level)


def candidate_ids(
    tx: Transaction, day: date, *, levels: frozenset[Level] = ALL, after: int = 0, limit: int
) -> list[int]:
    """The next subscriptions to look at, by id."""
    query = _candidates(tx, day, levels).where(Debt.subscription_id > after)
    query = query.order_by(Debt.subscription_id).limit(limit)
    return list(tx.session.scalars(query))


def count_active(tx: Transaction) -> int:
    query = select(func.count()).select_from(Subscription).where(Subscription.state == ServiceState.ACTIVE.value)
    return tx.session.scalar(query) or 0


def new_orders(
    tx: Transaction, ids: Collection[int], day: date, *, levels: frozenset[Level] = ALL
) -> list[WantedOrder]:
    """What the rules want for these subscriptions and no live order gives yet, in order of subscription.

    With some `levels` only, it is decided as if the others were switched off.
    """
    if not ids:
        return []
    facts = read_facts(tx, ids, day)
    rules = {key: only(rule, levels) for key, rule in facts.rules.items()}
    live = live_levels(tx, ids)
    wanted = decide(facts.late, rules, day, facts.notices, facts.calendar)
    return [order for order in wanted if is_new(order, live[order.subscription_id])]


def only(rules: SuspensionRules, levels: frozenset[Level]) -> SuspensionRules:
    """The rules with the other levels switched off."""
    if levels >= ALL:
        return rules
    return replace(
        rules,
        total_days=rules.total_days if Level.TOTAL in levels else None,
        partial_days=rules.partial_days if Level.PARTIAL in levels else None,
    )


def _candidates(tx: Transaction, day: date, levels: frozenset[Level]) -> Select[int]:
    """Subscriptions in service, late by their method's rules, not under an order that leaves nothing to add."""
    methods = {row.id: only(row.rules, levels) for row in tx.session.scalars(select(BillingMethod))}
    rules = {key: rule for key, rule in methods.items() if day.isoweekday() not in rule.held_weekdays}
    announced = any(rule.notice_days for rule in rules.values())
    oldest = func.min(case((_announced(rules, day), Debt.due_on))) if announced else func.min(Debt.due_on)
    wants_total = _ripe(oldest, day, {key: rule.total_days for key, rule in rules.items()})
    wants_partial = _ripe(oldest, day, {key: rule.partial_days for key, rule in rules.items()})
    query = (
        select(Debt.subscription_id)
        .join(Subscription, Subscription.id == Debt.subscription_id)
        .join(BillingAccount, BillingAccount.subscription_id == Debt.subscription_id)
        .join(BillingMethod, BillingMethod.id == BillingAccount.billing_method_id)
        .where(
            Debt.open_cents > 0,
            Debt.due_on < day,
            Subscription.installed_at <= tx.now,
            Subscription.cancelled_at.is_(None),
            ~_under_order(Level.TOTAL),
        )
        .group_by(Debt.subscription_id, BillingMethod.id)
        .having(
            func.sum(Debt.open_cents) >= BillingMethod.minimum_open_cents,
            or_(wants_total, and_(wants_partial, ~_under_order(Level.PARTIAL))),
        )
    )
    notice_of_debt = and_(DebtNotice.subscription_id == Debt.subscription_id, DebtNotice.invoice_id == Debt.invoice_id)
    return query.outerjoin(DebtNotice, notice_of_debt) if announced else query


def _announced(rules: dict[int, SuspensionRules], day: date) -> ColumnElement[bool]:
    """Whether a debt's notice is old enough for its method, or none is needed."""
    cutoffs = {
        key: literal(day - timedelta(days=rule.notice_days), Date) for key, rule in rules.items() if rule.notice_days
    }
    cutoff = case(cutoffs, value=BillingMethod.id, else_=literal(date.min, Date))
    return or_(BillingMethod.id.not_in(sorted(cutoffs)), DebtNotice.given_on <= cutoff)


def _ripe(oldest: ColumnElement[date], day: date, days: dict[int, int | None]) -> ColumnElement[bool]:
    """Whether the oldest late invoice is as old as its method wants; never NULL."""
    cutoffs = {key: literal(day - timedelta(days=count), Date) for key, count in days.items() if count is not None}
    if not cutoffs:
        return false()
    cutoff = case(cutoffs, value=BillingMethod.id, else_=literal(date.min, Date))
    return func.coalesce(oldest, literal(date.max, Date)) <= cutoff


def _under_order(level: Level) -> ColumnElement[bool]:
    return exists().where(
        RestrictionOrderRow.subscription_id == Debt.subscription_id,
        RestrictionOrderRow.level == level.value,
        RestrictionOrderRow.lapsed_at.is_(None),
    )
