"""Charges, and the invoices that they stand on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Cents, Day, Instant, Int, Key, Note, PathKey, PositiveCents, Text
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from api.routes.receipts import ReceiptView
from billing_bridge import charges, invoices, payments
from billing_bridge.amounts import InvoiceStatus
from core.database import Transaction

router = APIRouter(prefix="/api/v1", tags=["invoice"])
InvoiceId = Annotated[PathKey, Path(description="The invoice's id", examples=[31])]
ChargeId = Annotated[PathKey, Path(description="The charge's id", examples=[40])]
OfSubscription = Annotated[PathKey | None, Query(description="Only of this subscription", examples=[12])]
OfSubscriber = Annotated[PathKey | None, Query(description="Only of this subscriber", examples=[7])]


class ChargeIn(Body):
    subscription_id: Key = Field(description="Who has to pay", examples=[12])
    description: Text = Field(description="What for", examples=["Fibra 500 Mega, março"])
    amount_cents: PositiveCents = Field(description="How much, in cents", examples=[9990])
    reference: Day | None = Field(
        None, description="Any day of the month that it is for; null: this month", examples=["2026-03-01"]
    )
    discount_cents: Cents = Field(0, description="Taken off when it is paid early enough, in cents", examples=[1000])
    discount_days: Int = Field(
        0, description="How many calendar days before the due date; 0: until the due date", examples=[0]
    )


class ChargeAndInvoiceIn(ChargeIn):
    due_on: Day | None = Field(None, description="Due date; null: the account's next due day", examples=["2026-03-10"])


class DiscountIn(Body):
    discount_cents: Cents = Field(description="Taken off, in cents; 0 takes a discount away", examples=[1000])
    discount_days: Int = Field(
        0, description="How many calendar days before the due date; 0: until the due date", examples=[0]
    )
    note: Note = Field("", description="Why", examples=["promised on the telephone"])


class InvoiceIn(Body):
    charge_ids: list[Key] = Field(
        min_length=1, max_length=200, description="Charges of one subscriber, on no invoice yet", examples=[[40, 41]]
    )
    due_on: Day = Field(description="Due date", examples=["2026-03-10"])


class RequiredNote(Body):
    note: Note = Field(description="Why", examples=["billed twice"])


class PaymentIn(Body):
    amount_cents: PositiveCents | None = Field(
        None, description="How much came in, in cents; null: what settles it", examples=[9990]
    )
    paid_at: Instant | None = Field(
        None, description="When it was paid; null: now", examples=["2026-03-09T15:00:00-03:00"]
    )
    method: Text = Field("manual", max_length=32, description="How it was paid", examples=["pix"])
    cash_box: Text = Field("", max_length=60, description="Where the money lies", examples=["Caixa da loja"])
    note: Note = Field("", description="For the receipt", examples=["paid at the counter"])


class ChargesPaymentIn(PaymentIn):
    charge_ids: list[Key] = Field(
        min_length=1, max_length=200, description="Charges of one subscriber, on no invoice yet", examples=[[40, 41]]
    )


class ChargeView(View):
    model_config = columns("id", "subscription_id", "description", "amount_cents", "invoice_id", "cancelled_at")

    id: int = Field(description="The charge's id", examples=[40])
    subscription_id: int = Field(description="Who has to pay", examples=[12])
    invoice_id: int | None = Field(description="The invoice that it stands on", examples=[31])
    description: str = Field(description="What for", examples=["Fibra 500 Mega, março"])
    amount_cents: int = Field(description="How much, in cents", examples=[9990])
    discount_cents: int = Field(description="Taken off when it is paid early enough, in cents", examples=[1000])
    discount_days: int = Field(description="How many calendar days before the due date", examples=[0])
    reference: Day = Field(description="First day of the month that it is for", examples=["2026-03-01"])
    created_at: Instant = Field(description="When it was added", examples=["2026-03-02T12:00:00Z"])
    cancelled_at: Instant | None = Field(description="When it was cancelled", examples=["2026-03-03T12:00:00Z"])


class DiscountView(View):
    discount_cents: int = Field(description="What is taken off, in cents", examples=[1000])
    until: Day = Field(description="The last day on which it is", examples=["2026-03-10"])
    words: str = Field(description="In words", examples=["Discount of R$ 10,00 for payment until 10/03/2026"])
    palavras: str = Field(
        description="In words, as the bill has them",
        examples=["Desconto de R$ 10,00 para pagamento até o dia 10/03/2026"],
    )


class InvoiceView(View):
    model_config = columns("id", "subscriber_id", "due_on", "amount_cents", "open_cents", "status")

    id: int = Field(description="The invoice's id", examples=[31])
    subscriber_id: int = Field(description="Who has to pay", examples=[7])
    due_on: Day = Field(description="Due date", examples=["2026-03-10"])
    amount_cents: int = Field(description="The sum of its charges, in cents", examples=[9990])
    paid_cents: int = Field(description="What was paid on it, in cents", examples=[5000])
    discount_cents: int = Field(description="The discount that was granted on it, in cents", examples=[0])
    open_cents: int = Field(description="What is still to be paid, in cents", examples=[4990])
    status: InvoiceStatus = Field(description="OPEN, PARTIALLY_PAID, PAID or CANCELLED", examples=["PARTIALLY_PAID"])
    issued_at: Instant = Field(description="When it was issued", examples=["2026-03-02T12:00:00Z"])
    cancelled_at: Instant | None = Field(description="When it was cancelled", examples=["2026-03-03T12:00:00Z"])
    cancel_note: str = Field(description="Why it was cancelled", examples=["billed twice"])
    charges: list[ChargeView] = Field(description="What it is for")
    discounts: list[DiscountView] = Field(description="What is taken off when it is paid early enough")


@router.post("/charges", operation_id="charge.add", status_code=201, summary="Add a charge that waits for an invoice")
def add_charge(request: Request, body: ChargeIn) -> ChargeView:
    return write(request, lambda tx: ChargeView.of(charges.add_charge(tx, **body.given())))


@router.get("/charges", operation_id="charge.list", summary="The charges")
def list_charges(
    request: Request,
    pages: Pages,
    subscription_id: OfSubscription = None,
    waiting: Annotated[bool, Query(description="Only those that wait for an invoice", examples=[True])] = False,
) -> Page[ChargeView]:
    def look(tx: Transaction) -> Page[ChargeView]:
        rows = charges.list_charges(
            tx, subscription_id=subscription_id, waiting=waiting, after=pages.place or 0, limit=pages.limit + 1
        )
        return pages.made([(row.id, row) for row in rows], ChargeView.of)

    return read(request, look)


@router.get("/charges/{charge_id}", operation_id="charge.show", summary="One charge")
def show_charge(request: Request, charge_id: ChargeId) -> ChargeView:
    return read(request, lambda tx: ChargeView.of(charges.get_charge(tx, charge_id)))


@router.post("/charges/{charge_id}/discount", operation_id="charge.discount", summary="Promise a discount on a charge")
def discount_charge(request: Request, charge_id: ChargeId, body: DiscountIn) -> ChargeView:
    return write(request, lambda tx: ChargeView.of(charges.add_discount(tx, charge_id=charge_id, **body.given())))


@router.post(
    "/charges/receive",
    operation_id="charge.receive",
    status_code=201,
    summary="Receive charges that are on no invoice",
    description="They get an invoice that is due today, which is paid in the same step.",
)
def receive_charges(request: Request, body: ChargesPaymentIn) -> ReceiptView:
    return write(request, lambda tx: ReceiptView.of(payments.receive_charges(tx, **body.given())))


@router.post("/charges/{charge_id}/cancel", operation_id="charge.cancel", summary="Drop a charge that is on no invoice")
def cancel_charge(request: Request, charge_id: ChargeId, body: RequiredNote) -> ChargeView:
    return write(request, lambda tx: ChargeView.of(charges.cancel_charge(tx, charge_id=charge_id, note=body.note)))


@router.post("/invoices", operation_id="invoice.issue", status_code=201, summary="One invoice over several charges")
def issue(request: Request, body: InvoiceIn) -> InvoiceView:
    return write(request, lambda tx: InvoiceView.of(invoices.issue_invoice(tx, **body.given())))


@router.post(
    "/invoices/charge-and-invoice",
    operation_id="invoice.charge-and-invoice",
    status_code=201,
    summary="A charge and its invoice in one step",
)
def charge_and_invoice(request: Request, body: ChargeAndInvoiceIn) -> InvoiceView:
    return write(request, lambda tx: InvoiceView.of(invoices.charge_and_invoice(tx, **body.given())))


@router.get("/invoices", operation_id="invoice.list", summary="The invoices")
def list_invoices(
    request: Request,
    pages: Pages,
    subscriber_id: OfSubscriber = None,
    subscription_id: OfSubscription = None,
    status: Annotated[InvoiceStatus | None, Query(description="Only with this status", examples=["OPEN"])] = None,
) -> Page[InvoiceView]:
    def look(tx: Transaction) -> Page[InvoiceView]:
        rows = invoices.list_invoices(
            tx,
            subscriber_id=subscriber_id,
            subscription_id=subscription_id,
            status=status.value if status else None,
            after=pages.place or 0,
            limit=pages.limit + 1,
        )
        return pages.made([(row.id, row) for row in rows], InvoiceView.of)

    return read(request, look)


@router.get("/invoices/{invoice_id}", operation_id="invoice.show", summary="One invoice")
def show(request: Request, invoice_id: InvoiceId) -> InvoiceView:
    return read(request, lambda tx: InvoiceView.of(invoices.get_invoice(tx, invoice_id)))


@router.post("/invoices/{invoice_id}/cancel", operation_id="invoice.cancel", summary="Cancel an unpaid invoice")
def cancel(request: Request, invoice_id: InvoiceId, body: RequiredNote) -> InvoiceView:
    return write(request, lambda tx: InvoiceView.of(invoices.cancel_invoice(tx, invoice_id=invoice_id, note=body.note)))


@router.post("/invoices/{invoice_id}/pay", operation_id="invoice.pay", status_code=201, summary="Receive a payment")
def pay(request: Request, invoice_id: InvoiceId, body: PaymentIn) -> ReceiptView:
    return write(request, lambda tx: ReceiptView.of(payments.receive(tx, invoice_id=invoice_id, **body.given())))
