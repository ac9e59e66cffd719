"""Charges and invoices, and what provisioning is told about them."""

from __future__ import annotations

from datetime import date

import pytest

from billing_bridge.charges import add_charge, cancel_charge, list_charges
from billing_bridge.invoices import (
    cancel_invoice,
    charge_and_invoice,
    get_invoice,
    issue_invoice,
    list_invoices,
)
from billing_bridge.payments import receive
from core.database import Database
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from provisioning.timeline import entries
from tests.factories import make_subscriber, make_subscription
from tests.factories_billing import debts_of, make_billed, make_invoice, make_method, make_shared_invoice

DUE = date(2026, 3, 10)


def test_an_invoice_sums_its_charges_and_becomes_debts(database: Database) -> None:
    with database.transaction() as tx:
        owner = make_subscriber(tx)
        home, office = make_subscription(tx, subscriber_id=owner.id), make_subscription(tx, subscriber_id=owner.id)
        invoice = make_shared_invoice(tx, [(home, 9990), (office, 5000), (home, 10)])
    with database.reading() as tx:
        stored = get_invoice(tx, invoice.id)
        assert (stored.status, stored.amount_cents, stored.open_cents) == ("OPEN", 15000, 15000)
        assert stored.subscriber_id == owner.id
        assert debts_of(tx, home.id) == {invoice.id: 10000}
        assert debts_of(tx, office.id) == {invoice.id: 5000}
        for subscription in (home, office):
            assert entries(tx, subscription.id)[-1].event == "invoice.issued"


def test_charge_and_invoice_in_one_step(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        invoice = charge_and_invoice(
            tx, subscription_id=subscription.id, description="Fibra", amount_cents=9990, due_on=DUE
        )
        [charge] = invoice.charges
        assert (charge.amount_cents, charge.reference, invoice.due_on) == (9990, date(2026, 3, 1), DUE)


def test_without_a_due_date_the_account_gives_it(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx))
        invoice = charge_and_invoice(tx, subscription_id=subscription.id, description="Fibra", amount_cents=1)
        assert invoice.due_on == DUE


def test_a_charge_goes_on_one_invoice_only(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        charge = add_charge(tx, subscription_id=subscription.id, description="Fibra", amount_cents=9990)
        assert list(list_charges(tx, subscription_id=subscription.id, waiting=True)) == [charge]
        invoice = issue_invoice(tx, charge_ids=[charge.id], due_on=DUE)
    with pytest.raises(Conflict) as taken, database.transaction() as tx:
        issue_invoice(tx, charge_ids=[charge.id], due_on=DUE)
    assert taken.value.extras["invoice_id"] == invoice.id
    with database.reading() as tx:
        assert list(list_charges(tx, subscription_id=subscription.id, waiting=True)) == []
        assert len(list_charges(tx, subscription_id=subscription.id)) == 1


def test_charges_of_two_subscribers_share_no_invoice(database: Database) -> None:
    with pytest.raises(InvalidInput, match="one subscriber"), database.transaction() as tx:
        make_shared_invoice(tx, [(make_subscription(tx), 1), (make_subscription(tx), 1)])
    with database.reading() as tx:
        assert list(list_invoices(tx)) == []


@pytest.mark.parametrize("cents", [0, -1, True, 100_000_001, 9.5])
def test_amounts_are_whole_positive_cents(database: Database, cents: int) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        with pytest.raises(InvalidInput, match="amount_cents"):
            add_charge(tx, subscription_id=subscription.id, description="Fibra", amount_cents=cents)


def test_other_bad_input_is_refused_by_name(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        charge = add_charge(tx, subscription_id=subscription.id, description="Fibra", amount_cents=1)
        with pytest.raises(InvalidInput, match="description"):
            add_charge(tx, subscription_id=subscription.id, description=" ", amount_cents=1)
        with pytest.raises(InvalidInput, match="due_on"):
            issue_invoice(tx, charge_ids=[charge.id], due_on=date(1999, 12, 31))
        with pytest.raises(InvalidInput, match="charge_ids"):
            issue_invoice(tx, charge_ids=[], due_on=DUE)
        with pytest.raises(NotFound, match="charge 999"):
            issue_invoice(tx, charge_ids=[charge.id, 999], due_on=DUE)
        with pytest.raises(NotFound, match="subscription 999"):
            add_charge(tx, subscription_id=999, description="Fibra", amount_cents=1)
        with pytest.raises(NotFound, match="invoice 999"):
            get_invoice(tx, 999)
        with pytest.raises(InvalidInput, match="status"):
            list_invoices(tx, status="LATE")


def test_a_waiting_charge_is_cancelled_and_then_used_by_nothing(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        charge = add_charge(tx, subscription_id=subscription.id, description="Fibra", amount_cents=1)
        cancel_charge(tx, charge_id=charge.id, note="typed twice")
        assert list(list_charges(tx, waiting=True)) == []
        with pytest.raises(NotAllowed, match="was cancelled"):
            issue_invoice(tx, charge_ids=[charge.id], due_on=DUE)
        with pytest.raises(NotAllowed, match="was cancelled"):
            cancel_charge(tx, charge_id=charge.id, note="again")
        with pytest.raises(NotAllowed, match="stands on invoice"):
            cancel_charge(tx, charge_id=make_invoice(tx, subscription).charges[0].id, note="no")


def test_a_cancelled_invoice_owes_nothing(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        invoice = make_invoice(tx, subscription)
        cancel_invoice(tx, invoice_id=invoice.id, note="billed twice")
    with database.reading() as tx:
        stored = get_invoice(tx, invoice.id)
        assert (stored.status, stored.open_cents, stored.cancel_note) == ("CANCELLED", 0, "billed twice")
        assert debts_of(tx, subscription.id) == {invoice.id: 0}
        assert entries(tx, subscription.id)[-1].event == "invoice.cancelled"


@pytest.mark.parametrize(
    ("paid", "word"), [pytest.param(1, "PARTIALLY_PAID", id="partly paid"), pytest.param(9990, "PAID", id="paid")]
)
def test_what_was_paid_on_is_not_cancelled(database: Database, paid: int, word: str) -> None:
    with database.transaction() as tx:
        invoice = make_invoice(tx, make_subscription(tx), cents=9990)
        receive(tx, invoice_id=invoice.id, amount_cents=paid)
    with pytest.raises(NotAllowed, match=f"{word}: reverse its receipts"), database.transaction() as tx:
        cancel_invoice(tx, invoice_id=invoice.id, note="no")


def test_cancelling_twice_and_without_a_note_is_refused(database: Database) -> None:
    with database.transaction() as tx:
        invoice = make_invoice(tx, make_subscription(tx))
        with pytest.raises(InvalidInput, match="note"):
            cancel_invoice(tx, invoice_id=invoice.id, note=" ")
        cancel_invoice(tx, invoice_id=invoice.id, note="billed twice")
        with pytest.raises(NotAllowed, match="was cancelled"):
            cancel_invoice(tx, invoice_id=invoice.id, note="again")


def test_lists_filter_by_what_is_derived(database: Database) -> None:
    with database.transaction() as tx:
        subscription, other = make_subscription(tx), make_subscription(tx)
        opened, part, paid, gone = (make_invoice(tx, subscription, cents=100) for _ in range(4))
        make_invoice(tx, other)
        receive(tx, invoice_id=part.id, amount_cents=99)
        receive(tx, invoice_id=paid.id)
        cancel_invoice(tx, invoice_id=gone.id, note="x")
    wanted = {"OPEN": opened, "PARTIALLY_PAID": part, "PAID": paid, "CANCELLED": gone}
    with database.reading() as tx:
        for status, invoice in wanted.items():
            found = list_invoices(tx, subscription_id=subscription.id, status=status)
            assert [(item.id, item.status) for item in found] == [(invoice.id, status)]
        assert len(list_invoices(tx, subscriber_id=subscription.subscriber_id)) == 4
        assert [item.id for item in list_invoices(tx, after=part.id, limit=1)] == [paid.id]
