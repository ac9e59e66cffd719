"""What a cancelled subscription means for billing: open invoices go, unless others stand on them too; a fine comes."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select

from billing_bridge.calendar.days import company_today
from billing_bridge.invoices import cancel_invoice, charge_and_invoice
from billing_bridge.locks import lock_invoices, lock_subscriptions
from billing_bridge.models import Charge, Invoice
from core.database import Transaction
from provisioning.models import Subscription, TimelineEntry
from provisioning.timeline import narrate

LEFT, FINED = "invoices.left", "fine.charged"
FINE = "Multa por cancelamento"
"""As it stands on the bill, which is Portuguese."""


def follow_up(
    tx: Transaction, subscription_id: int, *, cancel_invoices: bool, fine_cents: int = 0, protocol: str = ""
) -> str:
    """Carry out what the cancellation chose; doing it again changes nothing. Gives what was done, in words."""
    if _told_before(tx, subscription_id, FINED):
        return "it was done before"
    words = "open invoices stay"
    if cancel_invoices:
        words = f"{len(cancel_open_invoices(tx, subscription_id))} invoices cancelled"
    if fine_cents and charge_fine(tx, subscription_id, fine_cents, protocol) is not None:
        words += ", fine charged"
    return words


def charge_fine(tx: Transaction, subscription_id: int, fine_cents: int, protocol: str = "") -> Invoice | None:
    """The fine of a cancellation, on an invoice of its own; None where it was charged before."""
    lock_subscriptions(tx, [subscription_id])
    if _told_before(tx, subscription_id, FINED):
        return None
    today = company_today(tx.now, tx.settings.timezone)
    invoice = charge_and_invoice(
        tx,
        subscription_id=subscription_id,
        description=FINE,
        amount_cents=fine_cents,
        due_on=today + timedelta(days=tx.settings.fine_due_days),
    )
    details = {"invoice": invoice.id, "amount_cents": fine_cents, "due_on": invoice.due_on, "protocol": protocol}
    narrate(tx, subscription_id, FINED, details=details)
    tx.session.flush()
    return invoice


def cancel_open_invoices(tx: Transaction, subscription_id: int) -> list[Invoice]:
    """Cancel the open invoices that hold charges of this subscription only; gives them.

    Those that were issued after it was cancelled are about something else: a fine, equipment that was kept.
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
    if left and not _told_before(tx, subscription_id, LEFT):
        narrate(tx, subscription_id, LEFT, details={"invoices": left})
        tx.audit("leave-invoices", "subscription", subscription_id, after={"invoices": left})
    return cancelled


def _unpaid_ids(tx: Transaction, subscription_id: int) -> list[int]:
    query = (
        select(Invoice.id)
        .where(Invoice.id.in_(select(Charge.invoice_id).where(Charge.subscription_id == subscription_id)))
        .join(Subscription, Subscription.id == subscription_id)
        .where(or_(Subscription.cancelled_at.is_(None), Invoice.issued_at <= Subscription.cancelled_at))
        .where(Invoice.subscriber_id == Subscription.subscriber_id)  # an earlier owner goes on owing
        .where(Invoice.cancelled_at.is_(None), Invoice.paid_cents + Invoice.discount_cents < Invoice.amount_cents)
    )
    return list(tx.session.scalars(query))


def _reason_to_leave(invoice: Invoice, subscription_id: int) -> str:
    if not invoice.open_cents:
        return ""
    if invoice.source_id is not None:
        return "it belongs to another system"
    if any(charge.subscription_id != subscription_id for charge in invoice.charges):
        return "it holds charges of another subscription"
    return "it is partly paid" if invoice.paid_cents else ""


def _told_before(tx: Transaction, subscription_id: int, event: str) -> bool:
    query = select(TimelineEntry.id).where(
        TimelineEntry.subscription_id == subscription_id, TimelineEntry.event == event
    )
    return tx.session.scalar(query.limit(1)) is not None
