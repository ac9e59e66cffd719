"""Reading what a monthly run decides by: subscriptions with a billing account, their pauses, orders, earlier bills."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, or_, select

from billing_bridge.calendar.days import company_today
from billing_bridge.models import BillingAccount, Charge, Invoice
from billing_bridge.monthly.models import BillingRun, MonthlyBill
from billing_bridge.monthly.plan import Service, Span, month_before
from core.among import among
from core.database import Transaction
from core.units import format_money
from provisioning.facts import Level
from provisioning.models import PauseRow, RestrictionOrderRow, Subscriber, Subscription
from provisioning.prices import price_of


def count_candidates(tx: Transaction, month: date, filters: Mapping[str, Sequence[object]]) -> int:
    """How many subscriptions a run over that month would look at."""
    return tx.session.scalar(_candidates(tx, month, filters).with_only_columns(func.count(Subscription.id))) or 0


def candidate_ids(tx: Transaction, run: BillingRun, limit: int) -> list[int]:
    """The next subscriptions of a run that is being prepared, in order of id."""
    query = _candidates(tx, run.month, run.filters).where(Subscription.id > run.cursor)
    return list(tx.session.scalars(query.order_by(Subscription.id).limit(limit)))


def billed_ids(tx: Transaction, ids: Sequence[int], month: date) -> set[int]:
    """Those of the subscriptions whose month is billed already."""
    query = select(MonthlyBill.subscription_id).where(MonthlyBill.month == month)
    return set(tx.session.scalars(query.where(among(tx.session, MonthlyBill.subscription_id, ids))))


def load_services(
    tx: Transaction, ids: Sequence[int], month: date
) -> list[tuple[Subscription, BillingAccount, Service]]:
    """The facts about each of the subscriptions, in order of id."""
    query = (
        select(Subscription, BillingAccount)
        .join(BillingAccount, BillingAccount.subscription_id == Subscription.id)
        .where(among(tx.session, Subscription.id, ids))
        .order_by(Subscription.id)
    )
    around = _Around(tx, ids, month)
    return [(row, account, around.service(row, account)) for row, account in tx.session.execute(query)]


class _Around:
    """What other tables hold about many subscriptions."""

    def __init__(self, tx: Transaction, ids: Sequence[int], month: date) -> None:
        self.zone = tx.settings.timezone
        self.pauses = self._spans(tx, ids)
        self.suspensions = self._orders(tx, ids)
        self.charged = _charged(tx, ids, month)
        self.last = _last_bills(tx, ids, month_before(month))

    def service(self, subscription: Subscription, account: BillingAccount) -> Service:
        key, subscriber = subscription.id, subscription.subscriber
        contact = {"phone": subscriber.phone, "e-mail": subscriber.email}
        return Service(
            plan_name=subscription.plan.name,
            price_cents=price_of(subscription),
            due_day=account.due_day,
            postpaid=account.billing_method.postpaid,
            installed_on=self._day(subscription.installed_at),
            cancelled_on=self._day(subscription.cancelled_at),
            pauses=tuple(self.pauses[key]),
            suspensions=tuple(self.suspensions[key]),
            charged=tuple(self.charged[key]),
            last_cents=self.last.get(key),
            missing=tuple(name for name, value in contact.items() if not value),
        )

    def _day(self, at: datetime | None) -> date | None:
        return None if at is None else company_today(at, self.zone)

    def _spans(self, tx: Transaction, ids: Sequence[int]) -> dict[int, list[Span]]:
        found: dict[int, list[Span]] = defaultdict(list)
        query = select(PauseRow.subscription_id, PauseRow.since, PauseRow.until)
        for key, since, until in tx.session.execute(query.where(among(tx.session, PauseRow.subscription_id, ids))):
            found[key].append((company_today(since, self.zone), self._day(until)))
        return found

    def _orders(self, tx: Transaction, ids: Sequence[int]) -> dict[int, list[Span]]:
        found: dict[int, list[Span]] = defaultdict(list)
        order = RestrictionOrderRow
        query = select(order.subscription_id, order.since, order.lapsed_at).where(order.level == Level.TOTAL.value)
        for key, since, lapsed in tx.session.execute(query.where(among(tx.session, order.subscription_id, ids))):
            found[key].append((company_today(since, self.zone), self._day(lapsed)))
        return found


def _candidates(tx: Transaction, month: date, filters: Mapping[str, Sequence[object]]) -> Select[int]:
    """Who has a billing account, is in the filters, and was not cancelled before the month began."""
    begins = datetime.combine(month, time.min, ZoneInfo(tx.settings.timezone))
    query = (
        select(Subscription.id)
        .join(BillingAccount, BillingAccount.subscription_id == Subscription.id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(or_(Subscription.cancelled_at.is_(None), Subscription.cancelled_at >= begins))
    )
    columns = {
        "billing_method_ids": BillingAccount.billing_method_id,
        "cities": Subscriber.city,
        "plan_ids": Subscription.plan_id,
        "states": Subscription.state,
    }
    for name, column in columns.items():
        if wanted := filters.get(name):
            query = query.where(column.in_(wanted))
    return query


def _charged(tx: Transaction, ids: Sequence[int], month: date) -> dict[int, list[str]]:
    """The charges of that month that hold, in words."""
    query = (
        select(Charge.subscription_id, Charge.description, Charge.amount_cents)
        .outerjoin(Invoice, Invoice.id == Charge.invoice_id)
        .where(Charge.reference == month, Charge.cancelled_at.is_(None), Invoice.cancelled_at.is_(None))
        .where(among(tx.session, Charge.subscription_id, ids))
        .order_by(Charge.id)
    )
    found: dict[int, list[str]] = defaultdict(list)
    for key, description, cents in tx.session.execute(query):
        found[key].append(f"{description} {format_money(cents)}")
    return found


def _last_bills(tx: Transaction, ids: Sequence[int], month: date) -> dict[int, int]:
    query = select(MonthlyBill.subscription_id, MonthlyBill.amount_cents).where(MonthlyBill.month == month)
    rows = tx.session.execute(query.where(among(tx.session, MonthlyBill.subscription_id, ids)))
    return {row.subscription_id: row.amount_cents for row in rows}
