"""What a cancelled subscription means for its invoices: the open ones go, unless others stand on them too."""

from __future__ import annotations

from sqlalchemy import select

from billing_bridge.invoices import cancel_invoice
from billing_bridge.locks import lock_invoices
from billing_bridge.models import Charge, Invoice
from core.database import Transaction
from provisioning.models import TimelineEntry
from provisioning.timeline import narrate

LEFT = "invoices.left"


def cancel_open_invoices(tx: Transaction, subscription_id: int) -> list[Invoice]:
    """Cancel the open invoices that hold charges of this subscription only; gives them.

    Partly paid ones and those shared with other subscriptions stay; a timeline entry names them, once.
    """
    cancelled, left = [], []
    for invoice in lock_invoices(tx, _unpaid_ids(tx, subscription_id)):
        reason = _reason_to_leave(invoice, subscription_id)
        if reason:
            left.append({"invoice": invoice.id, "open_cents": invoice.open_cents, "reason": reason})
        elif invoice.open_cents:
            note = f"subscription {subscription_id} was cancelled"
            cancelled.append(cancel_invoice(tx, invoice_id=invoice.id, note=note))
    if left and not _told_before(tx, subscription_id):
        narrate(tx, subscription_id, LEFT, details={"invoices": left})
        tx.audit("leave-invoices", "subscription", subscription_id, after={"invoices": left})
    return cancelled


def _unpaid_ids(tx: Transaction, subscription_id: int) -> list[int]:
    query = (
        select(Invoice.id)
        .where(Invoice.id.in_(select(Charge.invoice_id).where(Charge.subscription_id == subscription_id)))
        .where(Invoice.cancelled_at.is_(None), Invoice.paid_cents < Invoice.amount_cents)
    )
    return list(tx.session.scalars(query))


def _reason_to_leave(invoice: Invoice, subscription_id: int) -> str:
    if not invoice.open_cents:
        return ""
    if any(charge.subscription_id != subscription_id for charge in invoice.charges):
        return "it holds charges of another subscription"
    return "it is partly paid" if invoice.paid_cents else ""


def _told_before(tx: Transaction, subscription_id: int) -> bool:
    query = select(TimelineEntry.id).where(
        TimelineEntry.subscription_id == subscription_id, TimelineEntry.event == LEFT
    )
    return tx.session.scalar(query.limit(1)) is not None
