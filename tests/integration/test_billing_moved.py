"""Billing after a migration: the account and what is unpaid go over, and no payment is lost in between."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from billing_bridge.accounts import set_billing
from billing_bridge.charges import add_charge
from billing_bridge.models import BillingAccount, Charge, Invoice
from billing_bridge.monthly.models import BillingRun, MonthlyBill
from billing_bridge.moved_subscriptions import move_billing
from billing_bridge.notices.models import DebtNotice
from billing_bridge.payments import receive, reverse_receipt
from core.database import Database, Transaction
from core.runtime import Runtime
from provisioning.debts import record_debt
from provisioning.models import Subscription
from provisioning.moves.migration import start_migration
from provisioning.orders import order_restriction
from provisioning.subscriptions import activate
from tests.factories import ANA, make_plan, make_subscription
from tests.factories_billing import (
    debts_of,
    make_billed,
    make_invoice,
    make_method,
    make_shared_invoice,
    state_of,
)
from tests.factories_moves import follow_up, told_of

MIGRATED = "subscription.migrated"


def suspended(tx: Transaction) -> tuple[Subscription, Invoice]:
    """A subscription that is suspended for its one invoice."""
    old = make_billed(tx, make_method(tx))
    invoice = make_invoice(tx, old, late=40)
    order_restriction(tx, subscription_id=old.id, level="total", invoice_ids=[invoice.id], minimum_open_cents=1000)
    return old, invoice


def migrate(tx: Transaction, old: int) -> int:
    return start_migration(tx, subscription_id=old, plan_id=make_plan(tx).id, immediate=True).id


def charged_to(tx: Transaction, invoice_id: int) -> list[int]:
    found = tx.session.scalars(
        select(Charge.subscription_id).where(Charge.invoice_id == invoice_id).order_by(Charge.id)
    )
    return list(found)


def test_account_and_unpaid_charges_go_over_once(database: Database, runtime: Runtime) -> None:
    with database.transaction(ANA) as tx:
        old, late = suspended(tx)
        paid = make_invoice(tx, old)
        receive(tx, invoice_id=paid.id)
        partly = make_invoice(tx, old)
        receive(tx, invoice_id=partly.id, amount_cents=90)
        waiting = add_charge(tx, subscription_id=old.id, description="Router", amount_cents=5000)
        new = migrate(tx, old.id)
    assert follow_up(runtime, MIGRATED) == ["Applied"]
    with database.transaction(ANA) as tx:
        accounts = tx.session.scalars(select(BillingAccount)).all()
        assert [(account.subscription_id, account.due_day) for account in accounts] == [(new, 10)]
        assert charged_to(tx, late.id) == charged_to(tx, partly.id) == [new]
        assert charged_to(tx, paid.id) == [old.id]
        assert tx.session.get_one(Charge, waiting.id).subscription_id == new
        assert debts_of(tx, new) == {late.id: 9990, paid.id: 0, partly.id: 9900}
        assert debts_of(tx, old.id) == {}
        assert move_billing(tx, old.id) == []
    assert len(told_of(database, new, "billing.moved")) == 1
    assert state_of(database, new) == "SUSPENDED"


@pytest.mark.parametrize("when", ["before the books", "after the books"])
def test_a_payment_restores_the_new_one_at_once(database: Database, runtime: Runtime, when: str) -> None:
    with database.transaction(ANA) as tx:
        old, invoice = suspended(tx)
        new = migrate(tx, old.id)
    if when == "after the books":
        follow_up(runtime, MIGRATED)
    with database.transaction(ANA) as tx:
        receipt = receive(tx, invoice_id=invoice.id)
    assert state_of(database, new) == "ACTIVE"
    follow_up(runtime, MIGRATED)
    with database.transaction(ANA) as tx:
        assert debts_of(tx, new) == {invoice.id: 0}
        reverse_receipt(tx, receipt_id=receipt.id, note="bounced")
        assert debts_of(tx, new) == {invoice.id: 9990}
        assert debts_of(tx, old.id) == {}
    assert state_of(database, new) == "ACTIVE"


def test_a_part_payment_in_between_does_not_restore(database: Database, runtime: Runtime) -> None:
    with database.transaction(ANA) as tx:
        old, invoice = suspended(tx)
        new = migrate(tx, old.id)
    with database.transaction(ANA) as tx:
        receive(tx, invoice_id=invoice.id, amount_cents=90)
    for _ in range(2):
        assert state_of(database, new) == "SUSPENDED"
        with database.reading() as tx:
            assert debts_of(tx, new) == {invoice.id: 9900}
        follow_up(runtime, MIGRATED)


def test_shares_of_one_invoice_that_meet_are_added(database: Database, runtime: Runtime) -> None:
    """The old one and the waiting one both have charges on it."""
    with database.transaction(ANA) as tx:
        old = make_billed(tx, make_method(tx))
        new = start_migration(tx, subscription_id=old.id, plan_id=make_plan(tx).id)
        neighbour = make_subscription(tx, subscriber_id=old.subscriber_id)
        invoice = make_shared_invoice(tx, [(old, 1000), (new, 300), (neighbour, 50)])
        activate(tx, subscription_id=new.id)
        assert debts_of(tx, new.id) == {invoice.id: 1300}
        receive(tx, invoice_id=invoice.id, amount_cents=100)
        assert debts_of(tx, new.id) == {invoice.id: 1200}
    follow_up(runtime, MIGRATED)
    with database.reading() as tx:
        assert charged_to(tx, invoice.id) == [new.id, new.id, neighbour.id]
        assert (debts_of(tx, new.id), debts_of(tx, neighbour.id)) == ({invoice.id: 1200}, {invoice.id: 50})


def test_an_account_that_the_waiting_one_was_given_stays(database: Database, runtime: Runtime) -> None:
    with database.transaction(ANA) as tx:
        old = make_billed(tx, make_method(tx))
        new = start_migration(tx, subscription_id=old.id, plan_id=make_plan(tx).id)
        set_billing(tx, subscription_id=new.id, billing_method_id=make_method(tx, name="Pix").id, due_day=20)
        activate(tx, subscription_id=new.id)
    follow_up(runtime, MIGRATED)
    with database.reading() as tx:
        assert tx.session.get_one(BillingAccount, new.id).due_day == 20


def test_billed_months_and_notices_hold_for_the_new_one(database: Database, runtime: Runtime) -> None:
    """Else its first month would be billed twice, and a suspension wait for a second notice."""
    with database.transaction(ANA) as tx:
        old, invoice = suspended(tx)
        day = date(2026, 3, 1)
        tx.session.add(MonthlyBill(
            subscription_id=old.id, month=day, amount_cents=9990, invoice_id=invoice.id, run_id=billing_run(tx, day)
        ))  # fmt: skip
        tx.session.add(DebtNotice(
            subscription_id=old.id, invoice_id=invoice.id, level="total", given_on=day, restriction_from=day,
            open_cents=9990, created_at=tx.now,
        ))  # fmt: skip
        new = migrate(tx, old.id)
    follow_up(runtime, MIGRATED)
    with database.reading() as tx:
        assert tx.session.scalars(select(MonthlyBill.subscription_id)).all() == [new]
        assert tx.session.scalars(select(DebtNotice.subscription_id)).all() == [new]


def billing_run(tx: Transaction, month: date) -> int:
    run = BillingRun(
        month=month, filters={}, pro_rata=False, auto=False, status="done", actor="ana", source="api",
        created_at=tx.now, candidates=1,
    )  # fmt: skip
    tx.session.add(run)
    tx.session.flush()
    return run.id


def test_the_last_of_several_migrations_owes(database: Database, runtime: Runtime) -> None:
    with database.transaction(ANA) as tx:
        old, invoice = suspended(tx)
        second = migrate(tx, old.id)
        third = migrate(tx, second)
        record_debt(tx, subscription_id=old.id, invoice_id=invoice.id, due_on=invoice.due_on, open_cents=5000)
        assert (debts_of(tx, old.id), debts_of(tx, second)) == ({}, {})
        assert debts_of(tx, third) == {invoice.id: 5000}
    follow_up(runtime, MIGRATED)
    with database.reading() as tx:
        assert charged_to(tx, invoice.id) == [third]
        assert debts_of(tx, third) == {invoice.id: 9990}
        assert tx.session.get(BillingAccount, third) is not None
    assert state_of(database, third) == "SUSPENDED"
