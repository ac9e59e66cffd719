"""Billed subscriptions and their invoices for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from billing_bridge.accounts import set_billing
from billing_bridge.calendar.days import company_today
from billing_bridge.charges import add_charge
from billing_bridge.invoices import charge_and_invoice, issue_invoice
from billing_bridge.methods import add_billing_method
from billing_bridge.models import BillingMethod, Invoice
from core.database import Database, Transaction
from provisioning.models import Debt, Subscription
from radius import replica
from radius.policy import Denial, Grant
from radius.records import login_key, unpack
from tests.factories import make_subscription


def make_method(
    tx: Transaction,
    *,
    name: str = "Boleto",
    total_days: int | None = 30,
    partial_days: int | None = 15,
    minimum_open_cents: int = 1000,
    notice_days: int = 0,
    held_weekdays: Sequence[int] = (),
    hold_holidays: bool = False,
    hold_holiday_eves: bool = False,
) -> BillingMethod:
    """Partial after 15 days, total after 30, from R$ 10,00, on any day; None switches a level off."""
    return add_billing_method(
        tx,
        name=name,
        total_enabled=total_days is not None,
        total_days=total_days or 30,
        partial_enabled=partial_days is not None,
        partial_days=partial_days or 15,
        minimum_open_cents=minimum_open_cents,
        notice_days=notice_days,
        held_weekdays=held_weekdays,
        hold_holidays=hold_holidays,
        hold_holiday_eves=hold_holiday_eves,
    )


def make_billed(
    tx: Transaction,
    method: BillingMethod,
    *,
    active: bool = True,
    **values: object,
) -> Subscription:
    """A subscription with a billing account, due on the 10th; `values` as for `make_subscription`."""
    subscription = make_subscription(tx, active=active, **values)
    set_billing(tx, subscription_id=subscription.id, billing_method_id=method.id, due_day=10)
    return subscription


def days_ago(tx: Transaction, days: int) -> date:
    """A date as the company counts; negative: still to come."""
    return company_today(tx.now, tx.settings.timezone) - timedelta(days=days)


def make_invoice(tx: Transaction, subscription: Subscription, *, cents: int = 9990, late: int = 0) -> Invoice:
    """An invoice over one charge, due `late` days ago."""
    return charge_and_invoice(
        tx,
        subscription_id=subscription.id,
        description="Fibra, a month",
        amount_cents=cents,
        due_on=days_ago(tx, late),
    )


def make_shared_invoice(tx: Transaction, charges: list[tuple[Subscription, int]], *, late: int = 0) -> Invoice:
    """One invoice over a charge of each (subscription, cents), in that order."""
    ids = [
        add_charge(tx, subscription_id=subscription.id, description="Fibra", amount_cents=cents).id
        for subscription, cents in charges
    ]
    return issue_invoice(tx, charge_ids=ids, due_on=days_ago(tx, late))


def state_of(database: Database, subscription_id: int) -> str:
    """The state that was last concluded, as lists show it."""
    with database.reading() as tx:
        subscription = tx.session.get(Subscription, subscription_id)
        assert subscription is not None
        return subscription.state


def debts_of(tx: Transaction, subscription_id: int) -> dict[int, int]:
    """Open cents by invoice, as provisioning knows them; settled ones with 0."""
    debts = tx.session.query(Debt).filter_by(subscription_id=subscription_id).all()
    return {debt.invoice_id: debt.open_cents for debt in debts}


def answer_of(database: Database, subscription_id: int) -> Grant | Denial:
    """What the published access record answers now."""
    with database.reading() as tx:
        subscription = tx.session.get(Subscription, subscription_id)
        assert subscription is not None
        assert subscription.login is not None
        entries = {key: value for _, key, value in replica.changes_since(tx, 0) if value is not None}
        spans = unpack(login_key(subscription.login.encode()), entries, tx.keyring.unseal).spans
        return next(span.answer for span in spans if span.until is None or tx.now < span.until)


def address_list_of(database: Database, subscription_id: int) -> str:
    """The address list of the answer: the walled garden's name for whoever is suspended."""
    answer = answer_of(database, subscription_id)
    assert isinstance(answer, Grant)
    return answer.policy.address_list


def download_of(database: Database, subscription_id: int) -> int | None:
    answer = answer_of(database, subscription_id)
    assert isinstance(answer, Grant)
    return answer.policy.download_bps
