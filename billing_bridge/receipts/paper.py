"""What is to be printed on a receipt, read from the database."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from billing_bridge.models import Invoice, Payment
from billing_bridge.payments import get_receipt
from billing_bridge.receipts.content import PaperLine, ReceiptPaper
from core.database import Transaction
from provisioning.documents import Document
from provisioning.subscribers import get_subscriber


def paper_of(tx: Transaction, receipt_id: int) -> ReceiptPaper:
    """The receipt as it stands now, with the company's name from the settings."""
    receipt = get_receipt(tx, receipt_id)
    payer, settings = get_subscriber(tx, receipt.subscriber_id), tx.settings
    invoices = _invoices(tx, [line.invoice_id for line in receipt.lines])
    return ReceiptPaper(
        number=receipt.number,
        company_name=settings.company_name,
        company_document=settings.company_document,
        payer_name=payer.name,
        payer_document=Document(payer.kind, payer.document).formatted,
        amount_cents=receipt.amount_cents,
        method=receipt.method,
        cash_box=receipt.cash_box,
        paid_at=_local(tx, receipt.paid_at),
        received_at=_local(tx, receipt.received_at),
        received_by=receipt.received_by,
        note=receipt.note,
        lines=tuple(_line(invoices[line.invoice_id], line) for line in receipt.lines),
        reversed_at=None if receipt.reversed_at is None else _local(tx, receipt.reversed_at),
        reversed_by=receipt.reversed_by,
        reversal_note=receipt.reversal_note,
    )


def _invoices(tx: Transaction, ids: list[int]) -> dict[int, Invoice]:
    return {invoice.id: invoice for invoice in tx.session.scalars(select(Invoice).where(Invoice.id.in_(ids)))}


def _line(invoice: Invoice, line: Payment) -> PaperLine:
    charges = tuple(charge.description for charge in invoice.charges)
    return PaperLine(str(invoice.id), invoice.due_on, charges, line.discount_cents, line.amount_cents)


def _local(tx: Transaction, instant: datetime) -> datetime:
    return instant.astimezone(ZoneInfo(tx.settings.timezone))
