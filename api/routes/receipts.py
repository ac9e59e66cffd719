"""Receipts: money that came in, and taking a receipt back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import Field
from starlette.requests import Request

from api.fields import Instant, Key, Note, PathKey, PositiveCents, Text
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from billing_bridge import payments
from billing_bridge.receipts.content import Format, Language
from billing_bridge.receipts.paper import paper_of
from core.database import Transaction

router = APIRouter(prefix="/api/v1/receipts", tags=["receipt"])
ReceiptId = Annotated[PathKey, Path(description="The receipt's id", examples=[18])]
_PDF: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The receipt",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ReceiptIn(Body):
    invoice_ids: list[Key] = Field(
        min_length=1, max_length=200, description="Open invoices of one subscriber", examples=[[31, 32]]
    )
    amount_cents: PositiveCents | None = Field(
        None, description="How much came in, in cents; the oldest due is paid first; null: what settles them",
        examples=[19980],
    )  # fmt: skip
    paid_at: Instant | None = Field(
        None, description="When it was paid; null: now", examples=["2026-03-09T15:00:00-03:00"]
    )
    method: Text = Field("manual", max_length=32, description="How it was paid", examples=["pix"])
    cash_box: Text = Field("", max_length=60, description="Where the money lies", examples=["Caixa da loja"])
    note: Note = Field("", description="For the receipt", examples=["paid at the counter"])


class ReversalIn(Body):
    note: Note = Field(description="Why", examples=["the cheque bounced"])


class PaymentView(View):
    invoice_id: int = Field(description="Which invoice", examples=[31])
    amount_cents: int = Field(description="How much of the receipt went to it, in cents", examples=[8990])
    discount_cents: int = Field(description="The discount that it brought, in cents", examples=[1000])


class ReceiptView(View):
    model_config = columns("id", "subscriber_id", "amount_cents", "method", "paid_at", "received_by", "reversed_at")

    id: int = Field(description="The receipt's id", examples=[18])
    number: str = Field(description="What is printed on it", examples=["00000018"])
    subscriber_id: int = Field(description="Who paid", examples=[7])
    amount_cents: int = Field(description="How much, in cents", examples=[8990])
    method: str = Field(description="How", examples=["pix"])
    cash_box: str = Field(description="Where the money lies", examples=["Caixa da loja"])
    paid_at: Instant = Field(description="When it was paid", examples=["2026-03-09T18:00:00Z"])
    received_at: Instant = Field(description="When it was entered", examples=["2026-03-09T18:01:00Z"])
    received_by: str = Field(description="Who entered it", examples=["ana"])
    note: str = Field(description="Note", examples=["paid at the counter"])
    reversed_at: Instant | None = Field(description="When it was taken back", examples=["2026-03-12T12:00:00Z"])
    reversed_by: str = Field(description="Who took it back", examples=["ana"])
    reversal_note: str = Field(description="Why", examples=["the cheque bounced"])
    lines: list[PaymentView] = Field(description="What it paid")


@router.post("", operation_id="receipt.receive", status_code=201, summary="One receipt over several invoices")
def receive(request: Request, body: ReceiptIn) -> ReceiptView:
    return write(request, lambda tx: ReceiptView.of(payments.receive_many(tx, **body.given())))


@router.get("", operation_id="receipt.list", summary="The receipts, reversed ones too")
def list_all(
    request: Request,
    pages: Pages,
    subscriber_id: Annotated[PathKey | None, Query(description="Only of this subscriber", examples=[7])] = None,
    invoice_id: Annotated[PathKey | None, Query(description="Only for this invoice", examples=[31])] = None,
) -> Page[ReceiptView]:
    def look(tx: Transaction) -> Page[ReceiptView]:
        rows = payments.list_receipts(
            tx, subscriber_id=subscriber_id, invoice_id=invoice_id, after=pages.place or 0, limit=pages.limit + 1
        )
        return pages.made([(row.id, row) for row in rows], ReceiptView.of)

    return read(request, look)


@router.get("/{receipt_id}", operation_id="receipt.show", summary="One receipt")
def show(request: Request, receipt_id: ReceiptId) -> ReceiptView:
    return read(request, lambda tx: ReceiptView.of(payments.get_receipt(tx, receipt_id)))


@router.get(
    "/{receipt_id}/print",
    operation_id="receipt.print",
    summary="The receipt on paper, as a PDF",
    response_class=Response,
    responses=_PDF,
)
def print_receipt(
    request: Request,
    receipt_id: ReceiptId,
    size: Annotated[Format, Query(description="A4, or the roll of a counter's printer", examples=["80mm"])] = "a4",
    lang: Annotated[Language, Query(description="In which language", examples=["en"])] = "pt-BR",
) -> Response:
    from billing_bridge.receipts.pdf import receipt_pdf  # half a second, which only who prints should pay for

    paper = read(request, lambda tx: paper_of(tx, receipt_id))
    headers = {"Content-Disposition": f'attachment; filename="recibo-{paper.number}.pdf"'}
    content = receipt_pdf(paper, size=size, language=lang)
    return Response(content, media_type="application/pdf", headers=headers)


@router.post("/{receipt_id}/reverse", operation_id="receipt.reverse", summary="Take a receipt back")
def reverse(request: Request, receipt_id: ReceiptId, body: ReversalIn) -> ReceiptView:
    return write(
        request, lambda tx: ReceiptView.of(payments.reverse_receipt(tx, receipt_id=receipt_id, note=body.note))
    )
