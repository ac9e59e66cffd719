"""Receipts: whole, partial, over several invoices, and taken back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing_bridge.invoices import cancel_invoice, get_invoice
from billing_bridge.models import Invoice, Payment, Receipt
from billing_bridge.payments import get_receipt, list_receipts, receive, receive_many, reverse_receipt
from core.actor import Actor
from core.database import Database, Transaction
from core.errors import CatracaError, InvalidInput, NotAllowed, NotFound
from provisioning.timeline import entries
from tests.factories import make_subscriber, make_subscription
from tests.factories_billing import debts_of, make_invoice, make_shared_invoice
from tests.ticking import FakeClock

CASHIER = Actor("joana", "api")


def test_a_receipt_says_who_when_how_much_and_for_what(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        invoice = make_invoice(tx, make_subscription(tx), cents=9990)
    paid_at = clock.now - timedelta(hours=3)
    with database.transaction(CASHIER) as tx:
        receipt = receive(tx, invoice_id=invoice.id, paid_at=paid_at, method="pix", note="at the counter")
    with database.reading() as tx:
        stored = get_receipt(tx, receipt.id)
        assert (stored.number, stored.amount_cents, stored.method) == (f"{receipt.id:08d}", 9990, "pix")
        assert (stored.received_by, stored.received_at, stored.paid_at) == ("joana", clock.now, paid_at)
        assert [(line.invoice_id, line.amount_cents) for line in stored.lines] == [(invoice.id, 9990)]
        assert get_invoice(tx, invoice.id).status == "PAID"


@pytest.mark.parametrize(
    ("paid", "status", "left"),
    [
        pytest.param(1, "PARTIALLY_PAID", 9989, id="one cent"),
        pytest.param(9989, "PARTIALLY_PAID", 1, id="all but one cent"),
        pytest.param(9990, "PAID", 0, id="all"),
        pytest.param(None, "PAID", 0, id="no amount: all"),
    ],
)
def test_less_than_due_is_partly_paid(database: Database, paid: int | None, status: str, left: int) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        invoice = make_invoice(tx, subscription, cents=9990)
        receive(tx, invoice_id=invoice.id, amount_cents=paid)
    with database.reading() as tx:
        stored = get_invoice(tx, invoice.id)
        assert (stored.status, stored.open_cents, debts_of(tx, subscription.id)) == (status, left, {invoice.id: left})
        assert entries(tx, subscription.id)[-1].details["open_cents"] == left


@pytest.mark.parametrize("amount", [9991, 0, -1, True])
def test_an_amount_that_does_not_fit_changes_nothing(database: Database, amount: int) -> None:
    with database.transaction() as tx:
        invoice = make_invoice(tx, make_subscription(tx), cents=9990)
    rule = r"at most what is open, R\$ 99,90; for example 9990"
    with pytest.raises(InvalidInput, match=rule), database.transaction() as tx:
        receive(tx, invoice_id=invoice.id, amount_cents=amount)
    with database.reading() as tx:
        assert get_invoice(tx, invoice.id).status == "OPEN"
        assert list(list_receipts(tx)) == []


def test_what_is_closed_takes_no_payment(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        paid, gone = make_invoice(tx, subscription), make_invoice(tx, subscription)
        receipt = receive(tx, invoice_id=paid.id)
        cancel_invoice(tx, invoice_id=gone.id, note="x")
        with pytest.raises(NotAllowed, match=f"paid already, by receipt {receipt.number}"):
            receive(tx, invoice_id=paid.id, amount_cents=1)
        with pytest.raises(NotAllowed, match="is cancelled"):
            receive(tx, invoice_id=gone.id)
        with pytest.raises(NotFound, match="invoice 999"):
            receive(tx, invoice_id=999)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        pytest.param("paid_at", {"paid_at": datetime(2026, 3, 1)}, id="no zone"),  # noqa: DTZ001
        pytest.param("paid_at", {"paid_at": datetime.fromisoformat("2026-03-02T12:00:01+00:00")}, id="in the future"),
        pytest.param("method", {"method": " "}, id="blank method"),
        pytest.param("method", {"method": "x" * 33}, id="method too long"),
        pytest.param("note", {"note": "x" * 2001}, id="note too long"),
    ],
)
def test_bad_fields_are_named(database: Database, field: str, values: dict[str, str]) -> None:
    with database.transaction() as tx:
        invoice = make_invoice(tx, make_subscription(tx))
        with pytest.raises(InvalidInput) as refused:
            receive(tx, invoice_id=invoice.id, **values)  # type: ignore[arg-type]
        assert refused.value.field == field


def test_one_receipt_over_several_invoices_pays_the_oldest_due_first(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        young, old, middle = (make_invoice(tx, subscription, cents=100, late=late) for late in (1, 30, 10))
        receipt = receive_many(tx, invoice_ids=[young.id, old.id, middle.id, old.id], amount_cents=150)
        assert [(line.invoice_id, line.amount_cents) for line in receipt.lines] == [(old.id, 100), (middle.id, 50)]
        assert [item.status for item in (old, middle, young)] == ["PAID", "PARTIALLY_PAID", "OPEN"]
        assert debts_of(tx, subscription.id) == {old.id: 0, middle.id: 50, young.id: 100}


def test_invoices_of_two_subscribers_share_no_receipt(database: Database) -> None:
    with database.transaction() as tx:
        one, other = make_invoice(tx, make_subscription(tx)), make_invoice(tx, make_subscription(tx))
        with pytest.raises(InvalidInput, match="one subscriber"):
            receive_many(tx, invoice_ids=[one.id, other.id])


def test_a_payment_covers_the_charges_in_their_order(database: Database) -> None:
    with database.transaction() as tx:
        owner = make_subscriber(tx)
        home, office = make_subscription(tx, subscriber_id=owner.id), make_subscription(tx, subscriber_id=owner.id)
        invoice = make_shared_invoice(tx, [(office, 5000), (home, 9990)])
        receive(tx, invoice_id=invoice.id, amount_cents=6000)
        assert debts_of(tx, office.id) == {invoice.id: 0}
        assert debts_of(tx, home.id) == {invoice.id: 8990}
        for subscription in (home, office):
            assert entries(tx, subscription.id)[-1].event == "payment.received"


def test_a_reversal_opens_all_that_the_receipt_paid(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        first, second = make_invoice(tx, subscription, cents=100), make_invoice(tx, subscription, cents=200)
        kept = receive(tx, invoice_id=second.id, amount_cents=30)
        receipt = receive_many(tx, invoice_ids=[first.id, second.id])
    with database.transaction(CASHIER) as tx:
        reverse_receipt(tx, receipt_id=receipt.id, note="the cheque bounced")
    with database.reading() as tx:
        assert debts_of(tx, subscription.id) == {first.id: 100, second.id: 170}
        assert get_invoice(tx, second.id).status == "PARTIALLY_PAID"
        stored = get_receipt(tx, receipt.id)
        assert (stored.reversed_at, stored.reversed_by, stored.reversal_note) == (
            clock.now,
            "joana",
            "the cheque bounced",
        )
        assert [item.id for item in list_receipts(tx, invoice_id=second.id)] == [kept.id, receipt.id]
        assert entries(tx, subscription.id)[-1].event == "receipt.reversed"
    with pytest.raises(NotAllowed, match="was reversed"), database.transaction() as tx:
        reverse_receipt(tx, receipt_id=receipt.id, note="again")


def test_a_reversal_needs_a_note_and_a_receipt(database: Database) -> None:
    with database.transaction() as tx:
        receipt = receive(tx, invoice_id=make_invoice(tx, make_subscription(tx)).id)
        with pytest.raises(InvalidInput, match="note"):
            reverse_receipt(tx, receipt_id=receipt.id, note="")
        with pytest.raises(NotFound, match="receipt 999"):
            reverse_receipt(tx, receipt_id=999, note="x")


@settings(max_examples=20)
@given(data=st.data())
def test_paying_then_reversing_gives_the_same_open_amounts(database: Database, data: st.DataObject) -> None:
    with database.transaction() as tx:
        owner = make_subscriber(tx)
        services = [make_subscription(tx, subscriber_id=owner.id) for _ in range(2)]
        drawn = data.draw(st.lists(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 500)), min_size=1), min_size=1))
        invoices = [
            make_shared_invoice(tx, [(services[which], cents) for which, cents in charges], late=late)
            for late, charges in enumerate(drawn[:4])
        ]
        _pay_some(tx, invoices, data)
        before = [debts_of(tx, service.id) for service in services]
        receipt = _pay_some(tx, invoices, data)
        assert sum(sum(debts_of(tx, service.id).values()) for service in services) == sum(
            invoice.open_cents for invoice in invoices
        )
        if receipt is not None:
            reverse_receipt(tx, receipt_id=receipt.id, note="back")
        assert [debts_of(tx, service.id) for service in services] == before
        _assert_books_balance(tx)


def _pay_some(tx: Transaction, invoices: list[Invoice], data: st.DataObject) -> Receipt | None:
    chosen = [invoice for invoice in invoices if invoice.open_cents and data.draw(st.booleans())]
    if not chosen:
        return None
    amount = data.draw(st.integers(1, sum(invoice.open_cents for invoice in chosen)))
    return receive_many(tx, invoice_ids=[invoice.id for invoice in chosen], amount_cents=amount)


def _assert_books_balance(tx: Transaction) -> None:
    """What an invoice calls paid is the sum of the lines of receipts that hold."""
    lines = (
        select(Payment.invoice_id, func.sum(Payment.amount_cents))
        .join(Receipt, Receipt.id == Payment.receipt_id)
        .where(Receipt.reversed_at.is_(None))
        .group_by(Payment.invoice_id)
    )
    held = {row[0]: row[1] for row in tx.session.execute(lines)}
    for invoice in tx.session.scalars(select(Invoice)):
        assert invoice.paid_cents == held.get(invoice.id, 0)
    for receipt in tx.session.scalars(select(Receipt)):
        assert receipt.amount_cents == sum(line.amount_cents for line in receipt.lines)


def test_errors_are_the_kind_that_people_read(database: Database) -> None:
    with database.transaction() as tx:
        invoice = make_invoice(tx, make_subscription(tx))
        receive(tx, invoice_id=invoice.id)
        with pytest.raises(CatracaError) as refused:
            receive(tx, invoice_id=invoice.id)
        assert (refused.value.status, refused.value.extras["status"]) == (409, "PAID")
