"""Finding who may have to be restricted, in the database: memory does not grow with the number of debtors.

The query is a filter, not the decision. It counts for the cap and gives the ids of a chunk; `dunning_rules` decides
each of them from amounts that are read under the locks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Date, Select, and_, case, exists, false, func, literal, or_, select

from billing_bridge.dunning_rules import OpenInvoice, SuspensionRules, WantedOrder, decide, is_new
from billing_bridge.models import BillingAccount, BillingMethod
from core.database import Transaction
from provisioning.facts import Level, ServiceState
from provisioning.models import Debt, RestrictionOrderRow, Subscription


def count_candidates(tx: Transaction, day: date) -> dict[Level, int]:
    """How many subscriptions a run of that day would order to each level."""
    found = _candidates(tx, day).subquery()
    totals = func.coalesce(func.sum(case((found.c.wants_total, 1), else_=0)), 0)
    total, every = tx.session.execute(select(totals, func.count()).select_from(found)).one()
    return {Level.TOTAL: int(total), Level.PARTIAL: int(every) - int(total)}


def candidate_ids(tx: Transaction, day: date, *, after: int, limit: int) -> list[int]:
    """The next subscriptions to look at, by id."""
    query = _candidates(tx, day).where(Debt.subscription_id > after).order_by(Debt.subscription_id).limit(limit)
    return [row.subscription_id for row in tx.session.execute(query)]


def count_active(tx: Transaction) -> int:
    query = select(func.count()).select_from(Subscription).where(Subscription.state == ServiceState.ACTIVE.value)
    return tx.session.scalar(query) or 0


def new_orders(tx: Transaction, ids: Collection[int], day: date) -> list[WantedOrder]:
    """What the rules want for these subscriptions and no live order gives yet, in order of subscription."""
    live = _live_levels(tx, ids)
    wanted = decide(_late_invoices(tx, ids, day), _rules_of(tx, ids), day)
    return [order for order in wanted if is_new(order, live[order.subscription_id])]


def _candidates(tx: Transaction, day: date) -> Select[int, bool]:
    """Subscriptions in service, late by their method's rules, not under an order that leaves nothing to add."""
    methods = tx.session.scalars(select(BillingMethod)).all()
    oldest, owed = func.min(Debt.due_on), func.sum(Debt.open_cents)
    wants_total = _ripe(oldest, methods, day, lambda rules: rules.total_days)
    wants_partial = _ripe(oldest, methods, day, lambda rules: rules.partial_days)
    return (
        select(Debt.subscription_id, wants_total.label("wants_total"))
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
            owed >= BillingMethod.minimum_open_cents,
            or_(wants_total, and_(wants_partial, ~_under_order(Level.PARTIAL))),
        )
    )


def _ripe(
    oldest: ColumnElement[date],
    methods: Sequence[BillingMethod],
    day: date,
    days_of: Callable[[SuspensionRules], int | None],
) -> ColumnElement[bool]:
    """Whether the oldest late invoice is as old as its method wants; never NULL."""
    cutoffs = {
        method.id: literal(day - timedelta(days=days), Date)
        for method in methods
        if (days := days_of(method.rules)) is not None
    }
    if not cutoffs:
        return false()
    cutoff = case(cutoffs, value=BillingMethod.id, else_=literal(date.min, Date))
    return oldest <= cutoff


def _under_order(level: Level) -> ColumnElement[bool]:
    return exists().where(
        RestrictionOrderRow.subscription_id == Debt.subscription_id,
        RestrictionOrderRow.level == level.value,
        RestrictionOrderRow.lapsed_at.is_(None),
    )


def _late_invoices(tx: Transaction, ids: Collection[int], day: date) -> dict[int, list[OpenInvoice]]:
    rows = tx.session.execute(
        select(Debt.subscription_id, Debt.invoice_id, Debt.due_on, Debt.open_cents)
        .where(Debt.subscription_id.in_(ids), Debt.open_cents > 0, Debt.due_on < day)
        .order_by(Debt.subscription_id, Debt.due_on, Debt.invoice_id)
    )
    late: dict[int, list[OpenInvoice]] = defaultdict(list)
    for row in rows:
        late[row.subscription_id].append(OpenInvoice(row.invoice_id, row.due_on, row.open_cents))
    return late


def _rules_of(tx: Transaction, ids: Collection[int]) -> dict[int, SuspensionRules]:
    rows = tx.session.execute(
        select(BillingAccount.subscription_id, BillingMethod)
        .join(BillingMethod, BillingMethod.id == BillingAccount.billing_method_id)
        .where(BillingAccount.subscription_id.in_(ids))
    )
    return {subscription_id: method.rules for subscription_id, method in rows}


def _live_levels(tx: Transaction, ids: Collection[int]) -> dict[int, set[Level]]:
    rows = tx.session.execute(
        select(RestrictionOrderRow.subscription_id, RestrictionOrderRow.level).where(
            RestrictionOrderRow.subscription_id.in_(ids), RestrictionOrderRow.lapsed_at.is_(None)
        )
    )
    live: dict[int, set[Level]] = defaultdict(set)
    for subscription_id, level in rows:
        live[subscription_id].add(Level(level))
    return live
