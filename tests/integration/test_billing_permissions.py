"""Who may take another amount than the one that settles, and what a receipt says on paper."""

from __future__ import annotations

import pytest

from billing_bridge.invoices import charge_and_invoice, get_invoice
from billing_bridge.models import Invoice
from billing_bridge.payments import list_receipts, receive, receive_many, reverse_receipt
from billing_bridge.receipts.paper import paper_of
from core.actor import Actor
from core.database import Database, Transaction
from core.errors import Forbidden, InvalidInput
from core.runtime import Runtime
from core.settings import Settings
from tests.factories import make_subscriber, make_subscription
from tests.factories_api import Client
from tests.factories_billing import days_ago, make_invoice

CASHIER = Actor("joana", "api", permissions=frozenset())
CHIEF = Actor("rui", "api", permissions=frozenset({"receipt.change-amount"}))


def promised(tx: Transaction) -> Invoice:
    """R$ 100,00, R$ 10,00 off until today."""
    return charge_and_invoice(
        tx,
        subscription_id=make_subscription(tx).id,
        description="Fibra",
        amount_cents=10_000,
        due_on=days_ago(tx, 0),
        discount_cents=1000,
    )


@pytest.mark.parametrize(
    ("amount", "status"),
    [
        pytest.param(None, "PAID", id="no amount"),
        pytest.param(9000, "PAID", id="what settles it"),
    ],
)
def test_what_settles_needs_no_permission(database: Database, amount: int | None, status: str) -> None:
    with database.transaction() as tx:
        invoice = promised(tx)
    with database.transaction(CASHIER) as tx:
        assert receive(tx, invoice_id=invoice.id, amount_cents=amount).amount_cents == 9000
    with database.reading() as tx:
        assert get_invoice(tx, invoice.id).status == status


@pytest.mark.parametrize(
    ("amount", "status"),
    [
        pytest.param(1, "PARTIALLY_PAID", id="a cent"),
        pytest.param(8999, "PARTIALLY_PAID", id="a cent less than what settles it"),
        pytest.param(9001, "PAID", id="a cent more than what settles it"),
        pytest.param(10_000, "PAID", id="all in spite of the discount"),
    ],
)
def test_another_amount_needs_one(database: Database, amount: int, status: str) -> None:
    with database.transaction() as tx:
        invoice = promised(tx)
    with pytest.raises(Forbidden, match=r"receipt\.change-amount"), database.transaction(CASHIER) as tx:
        receive(tx, invoice_id=invoice.id, amount_cents=amount)
    with database.reading() as tx:
        assert list(list_receipts(tx)) == []
    with database.transaction(CHIEF) as tx:
        receive(tx, invoice_id=invoice.id, amount_cents=amount)
    with database.reading() as tx:
        assert get_invoice(tx, invoice.id).status == status


def test_more_than_is_open_is_refused_whatever_the_permission(database: Database) -> None:
    with database.transaction() as tx:
        invoice = promised(tx)
    for actor in (CASHIER, CHIEF):
        with pytest.raises(InvalidInput, match="amount_cents"), database.transaction(actor) as tx:
            receive(tx, invoice_id=invoice.id, amount_cents=10_001)


@pytest.mark.parametrize(
    "box",
    [pytest.param("x" * 61, id="too long"), pytest.param("a\x00b", id="a NUL")],
)
def test_a_cash_box_that_cannot_be(database: Database, box: str) -> None:
    with database.transaction() as tx:
        invoice = promised(tx)
        with pytest.raises(InvalidInput, match="cash_box"):
            receive(tx, invoice_id=invoice.id, cash_box=box)
        assert receive(tx, invoice_id=invoice.id, cash_box="x" * 60).cash_box == "x" * 60


def test_the_paper_of_a_receipt(database: Database) -> None:
    database.settings = Settings(company_name="Provedor Aurora", company_document="12.345.678/0001-95")
    with database.transaction(CHIEF) as tx:
        payer = make_subscriber(tx, "João da Silva", document="390.533.447-05")
        old = make_invoice(tx, make_subscription(tx, subscriber_id=payer.id), cents=5000, late=40)
        new = make_invoice(tx, make_subscription(tx, subscriber_id=payer.id), cents=7000)
        receipt = receive_many(tx, invoice_ids=[new.id, old.id], method="cash", cash_box="Loja")
        paper = paper_of(tx, receipt.id)
        assert (paper.payer_name, paper.payer_document) == ("João da Silva", "390.533.447-05")
        assert (paper.company_name, paper.company_document) == ("Provedor Aurora", "12.345.678/0001-95")
        assert [(line.invoice, line.amount_cents) for line in paper.lines] == [(str(old.id), 5000), (str(new.id), 7000)]
        assert (paper.paid_at.hour, paper.received_by, paper.reversed_at) == (9, "rui", None)
        reverse_receipt(tx, receipt_id=receipt.id, note="the cheque bounced")
        again = paper_of(tx, receipt.id)
        assert again.reversed_at is not None
        assert (again.reversed_by, again.reversal_note) == ("rui", "the cheque bounced")


def test_the_api_answers_a_file(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        receipt = receive(tx, invoice_id=promised(tx).id)
    client = Client(runtime)
    answer = client.get(f"/receipts/{receipt.id}/print", size="80mm")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["content-disposition"] == f'attachment; filename="recibo-{receipt.number}.pdf"'
    assert answer.content.startswith(b"%PDF")
    assert client.get("/receipts/999/print").status == 404
    assert client.get(f"/receipts/{receipt.id}/print", size="letter").status == 422
