"""Promotional discounts on charges: promised, granted by a payment in time, taken back with it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from billing_bridge.charges import add_charge, add_discount, cancel_charge
from billing_bridge.invoices import cancel_invoice, charge_and_invoice, get_invoice, issue_invoice, list_invoices
from billing_bridge.models import Invoice, Payment
from billing_bridge.payments import receive, receive_charges, receive_many, reverse_receipt
from core.database import Database, Transaction
from core.errors import InvalidInput, NotAllowed
from provisioning.models import Subscription
from provisioning.timeline import entries
from tests.factories import make_subscription
from tests.factories_billing import debts_of, make_invoice, make_shared_invoice
from tests.factories_core import audit_of
from tests.ticking import FakeClock

DUE = date(2026, 3, 10)


def promised(tx: Transaction, subscription: Subscription, cents: int = 1000, days: int = 0) -> Invoice:
    """An invoice over R$ 100,00 that is due on the 10th of March."""
    return charge_and_invoice(
        tx,
        subscription_id=subscription.id,
        description="Fibra",
        amount_cents=10_000,
        due_on=DUE,
        discount_cents=cents,
        discount_days=days,
    )


@pytest.mark.parametrize(
    ("days", "paid_at", "paid", "off"),
    [
        pytest.param(0, datetime(2026, 3, 9, 15, tzinfo=UTC), 9000, 1000, id="the day before the due date"),
        pytest.param(0, datetime(2026, 3, 11, 2, 59, tzinfo=UTC), 9000, 1000, id="the last minute in São Paulo"),
        pytest.param(0, datetime(2026, 3, 11, 3, 0, tzinfo=UTC), 10_000, 0, id="the first minute of the next day"),
        pytest.param(5, datetime(2026, 3, 5, 15, tzinfo=UTC), 9000, 1000, id="five days before"),
        pytest.param(5, datetime(2026, 3, 6, 15, tzinfo=UTC), 10_000, 0, id="four days before"),
    ],
)
def test_the_day_of_the_payment_decides(
    database: Database, clock: FakeClock, days: int, paid_at: datetime, paid: int, off: int
) -> None:
    clock.now = datetime(2026, 3, 20, 12, tzinfo=UTC)
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        invoice = promised(tx, subscription, days=days)
        receipt = receive(tx, invoice_id=invoice.id, paid_at=paid_at)
    with database.reading() as tx:
        stored = get_invoice(tx, invoice.id)
        assert (stored.status, stored.paid_cents, stored.discount_cents) == ("PAID", paid, off)
        assert (receipt.amount_cents, receipt.lines[0].discount_cents) == (paid, off)
        assert debts_of(tx, subscription.id) == {invoice.id: 0}
        assert entries(tx, subscription.id)[-1].details.get("discount_cents", 0) == off


def test_the_amount_that_is_shown_stays(database: Database) -> None:
    with database.transaction() as tx:
        invoice = promised(tx, make_subscription(tx))
        assert (invoice.amount_cents, invoice.open_cents, invoice.charges[0].amount_cents) == (10_000,) * 3
        [discount] = invoice.discounts
        assert discount.palavras == "Desconto de R$ 10,00 para pagamento até o dia 10/03/2026"


def test_parts_in_time_earn_it_and_a_late_part_does_not(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        early, late = promised(tx, subscription), promised(tx, subscription)
        for invoice in (early, late):
            receive(tx, invoice_id=invoice.id, amount_cents=4000)
            assert (invoice.status, invoice.discount_cents) == ("PARTIALLY_PAID", 0)
        assert receive(tx, invoice_id=early.id).amount_cents == 5000
    clock.now = datetime(2026, 3, 11, 12, tzinfo=UTC)
    with database.transaction() as tx:
        assert receive(tx, invoice_id=late.id).amount_cents == 6000
        assert [item.discount_cents for item in list_invoices(tx)] == [1000, 0]
        assert {item.status for item in list_invoices(tx, status="PAID")} == {"PAID"}
        assert list(list_invoices(tx, status="PARTIALLY_PAID")) == []


def test_who_pays_all_in_spite_of_it_has_paid(database: Database) -> None:
    with database.transaction() as tx:
        invoice = promised(tx, make_subscription(tx))
        receive(tx, invoice_id=invoice.id, amount_cents=9700)
        assert (invoice.status, invoice.paid_cents, invoice.discount_cents) == ("PAID", 9700, 300)
        with pytest.raises(InvalidInput, match="at most what is open"):
            receive(tx, invoice_id=promised(tx, make_subscription(tx)).id, amount_cents=10_001)


def test_a_reversal_takes_the_discount_back(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        invoice = promised(tx, subscription)
        first = receive(tx, invoice_id=invoice.id, amount_cents=4000)
        second = receive(tx, invoice_id=invoice.id)
        reverse_receipt(tx, receipt_id=first.id, note="the cheque bounced")
        assert (invoice.status, invoice.paid_cents, invoice.discount_cents) == ("PARTIALLY_PAID", 5000, 0)
        assert debts_of(tx, subscription.id) == {invoice.id: 5000}
        assert second.lines[0].discount_cents == 0, "what is left would not have earned it"
        assert receive(tx, invoice_id=invoice.id).amount_cents == 4000
        assert invoice.status == "PAID"


def test_one_receipt_over_several_invoices_grants_each_its_own(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        plain, off = make_invoice(tx, subscription, cents=5000, late=3), promised(tx, subscription)
        receipt = receive_many(tx, invoice_ids=[off.id, plain.id])
        assert receipt.amount_cents == 14_000
        assert [(line.amount_cents, line.discount_cents) for line in receipt.lines] == [(5000, 0), (9000, 1000)]
        assert debts_of(tx, subscription.id) == {plain.id: 0, off.id: 0}
        reverse_receipt(tx, receipt_id=receipt.id, note="wrong subscriber")
        assert debts_of(tx, subscription.id) == {plain.id: 5000, off.id: 10_000}


def test_a_discount_is_added_later_changed_and_taken_away(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        charge = add_charge(tx, subscription_id=subscription.id, description="Fibra", amount_cents=10_000)
        add_discount(tx, charge_id=charge.id, discount_cents=500)
        invoice = issue_invoice(tx, charge_ids=[charge.id], due_on=DUE)
        add_discount(tx, charge_id=charge.id, discount_cents=1000, discount_days=5, note="promised")
        assert [(item.cents, item.until) for item in invoice.discounts] == [(1000, DUE - timedelta(days=5))]
        add_discount(tx, charge_id=charge.id, discount_cents=0, discount_days=5)
        assert (invoice.discounts, charge.discount_days) == ((), 0)
        assert [item.event for item in entries(tx, subscription.id)].count("charge.discounted") == 3
    actions = [(entry.action, entry.note) for entry in audit_of(database, "charge")]
    assert actions == [("add", ""), ("discount", ""), ("discount", "promised"), ("discount", "")]


def _pay(tx: Transaction, invoice: Invoice) -> None:
    receive(tx, invoice_id=invoice.id, amount_cents=1)


def _cancel(tx: Transaction, invoice: Invoice) -> None:
    cancel_invoice(tx, invoice_id=invoice.id, note="x")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [pytest.param(_pay, "is PARTIALLY_PAID", id="paid in part"), pytest.param(_cancel, "is CANCELLED", id="cancelled")],
)
def test_no_discount_on_what_is_not_open(database: Database, spoil: object, words: str) -> None:
    with database.transaction() as tx:
        invoice = make_invoice(tx, make_subscription(tx))
        spoil(tx, invoice)  # type: ignore[operator]
        with pytest.raises(NotAllowed, match=words):
            add_discount(tx, charge_id=invoice.charges[0].id, discount_cents=100)


def test_no_discount_on_one_of_several_charges_or_a_dropped_one(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        invoice = make_shared_invoice(tx, [(subscription, 500), (subscription, 600)])
        with pytest.raises(NotAllowed, match="holds 2 charges"):
            add_discount(tx, charge_id=invoice.charges[0].id, discount_cents=100)
        charge = add_charge(tx, subscription_id=subscription.id, description="Fibra", amount_cents=500)
        cancel_charge(tx, charge_id=charge.id, note="typed twice")
        with pytest.raises(NotAllowed, match="was cancelled"):
            add_discount(tx, charge_id=charge.id, discount_cents=100)


@pytest.mark.parametrize(
    ("cents", "days", "field"),
    [
        pytest.param(10_000, 0, "discount_cents", id="the whole amount"),
        pytest.param(-1, 0, "discount_cents", id="less than nothing"),
        pytest.param(True, 0, "discount_cents", id="no number"),
        pytest.param(9_999, -1, "discount_days", id="after the due date"),
        pytest.param(9_999, 366, "discount_days", id="more than a year before"),
    ],
)
def test_a_discount_that_cannot_be(database: Database, cents: int, days: int, field: str) -> None:
    with database.transaction() as tx, pytest.raises(InvalidInput) as refused:
        promised(tx, make_subscription(tx), cents=cents, days=days)
    assert refused.value.field == field


def test_charges_without_an_invoice_are_received_with_one_of_today(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        ids = [
            add_charge(
                tx, subscription_id=subscription.id, description="Visita", amount_cents=5000, discount_cents=cents
            ).id
            for cents in (0, 500)
        ]
        receipt = receive_charges(tx, charge_ids=ids, method="cash", cash_box="Caixa da loja")
        [line] = receipt.lines
        invoice = get_invoice(tx, line.invoice_id)
        assert (receipt.amount_cents, receipt.cash_box, line.discount_cents) == (9500, "Caixa da loja", 500)
        assert (invoice.status, invoice.due_on, [charge.id for charge in invoice.charges]) == (
            "PAID",
            date(2026, 3, 2),
            ids,
        )
        assert debts_of(tx, subscription.id) == {invoice.id: 0}


@settings(max_examples=15)
@given(data=st.data())
def test_nothing_is_lost_and_reversing_gives_back_what_was(database: Database, data: st.DataObject) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        invoice = promised(tx, subscription, cents=data.draw(st.integers(0, 3000)), days=data.draw(st.integers(0, 12)))
        for _ in range(data.draw(st.integers(0, 2))):
            _pay_some(tx, invoice, data)
        before = _books(tx, invoice)
        receipt = _pay_some(tx, invoice, data)
        _assert_whole(tx, invoice)
        if receipt is not None:
            reverse_receipt(tx, receipt_id=receipt, note="back")
        assert _books(tx, invoice) == before
        assert debts_of(tx, subscription.id) == {invoice.id: invoice.open_cents}


def _pay_some(tx: Transaction, invoice: Invoice, data: st.DataObject) -> int | None:
    if not invoice.open_cents:
        return None
    paid_at = tx.now - timedelta(days=data.draw(st.integers(0, 5)))
    amount = data.draw(st.none() | st.integers(1, invoice.open_cents))
    return receive(tx, invoice_id=invoice.id, amount_cents=amount, paid_at=paid_at).id


def _books(tx: Transaction, invoice: Invoice) -> tuple[int, int, int]:
    return invoice.paid_cents, invoice.discount_cents, invoice.open_cents


def _assert_whole(tx: Transaction, invoice: Invoice) -> None:
    lines = tx.session.scalars(select(Payment).where(Payment.invoice_id == invoice.id)).all()
    assert sum(line.amount_cents for line in lines) == invoice.paid_cents
    assert sum(line.discount_cents for line in lines) == invoice.discount_cents
    assert invoice.paid_cents + invoice.discount_cents + invoice.open_cents == invoice.amount_cents
