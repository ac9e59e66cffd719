"""Granting promotional discounts: what the payments of an invoice have earned is written down, and taken back.

The discount of an invoice is worked out anew from all payments that hold whenever one comes or goes, so the order in
which they were entered does not matter. It is noted on the payment that earned it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from billing_bridge.calendar.days import company_today
from billing_bridge.discounts import available, granted, payable
from billing_bridge.models import Invoice, Payment, Receipt
from core.database import Transaction


@dataclass(frozen=True, slots=True)
class HeldPayment:
    """A payment that was not taken back, with the company's day on which it was made."""

    row: Payment
    paid_on: date


def payable_on(tx: Transaction, invoice: Invoice, day: date) -> int:
    """What settles the invoice when it is paid on that day; 0 for one that is settled or cancelled."""
    if not invoice.open_cents or not available(invoice.discounts, day):
        return invoice.open_cents
    return payable(invoice.amount_cents, invoice.discounts, _facts(held_payments(tx, invoice.id)), day)


def grant_discounts(tx: Transaction, invoices: Sequence[Invoice]) -> None:
    """Write down the discounts that the payments have earned; call it after `paid_cents` has changed."""
    tx.session.flush()
    for invoice in invoices:
        if invoice.discounts or invoice.discount_cents:
            _grant(invoice, held_payments(tx, invoice.id))


def held_payments(tx: Transaction, invoice_id: int) -> list[HeldPayment]:
    """The payments of the invoice that hold, in the order of their days."""
    query = (
        select(Payment, Receipt.paid_at)
        .join(Receipt, Receipt.id == Payment.receipt_id)
        .where(Payment.invoice_id == invoice_id, Receipt.reversed_at.is_(None))
    )
    zone = tx.settings.timezone
    found = [HeldPayment(payment, company_today(paid_at, zone)) for payment, paid_at in tx.session.execute(query)]
    return sorted(found, key=lambda held: (held.paid_on, held.row.id))


def _facts(payments: Sequence[HeldPayment]) -> list[tuple[date, int]]:
    return [(held.paid_on, held.row.amount_cents) for held in payments]


def _grant(invoice: Invoice, payments: Sequence[HeldPayment]) -> None:
    invoice.discount_cents = granted(invoice.amount_cents, invoice.discounts, _facts(payments))
    paid, earned = 0, invoice.discount_cents
    for held in payments:
        paid += held.row.amount_cents
        reached = paid >= invoice.amount_cents - available(invoice.discounts, held.paid_on)
        held.row.discount_cents = earned if reached else 0
        earned -= held.row.discount_cents
