"""Charges: what a subscription has to pay, before and after it stands on an invoice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select

from billing_bridge import checks
from billing_bridge.calendar.days import company_today
from billing_bridge.intake.foreign_invoices import refuse_foreign
from billing_bridge.locks import lock_charges, lock_invoices, lock_subscriptions
from billing_bridge.models import Charge, Invoice
from core.database import Transaction
from core.errors import NotAllowed
from core.rows import get_row
from provisioning.checks import optional_text, required_text
from provisioning.timeline import narrate


def add_charge(
    tx: Transaction,
    *,
    subscription_id: int,
    description: str,
    amount_cents: int,
    reference: date | None = None,
    discount_cents: int = 0,
    discount_days: int = 0,
) -> Charge:
    """A charge that waits for an invoice. `reference` is any date of its month; unset: the present month.

    `discount_cents` are taken off when it is paid `discount_days` calendar days before the due date, or earlier.
    Cancelled subscriptions may be charged too: a fine, equipment that was kept.
    """
    lock_subscriptions(tx, [subscription_id])
    month = checks.due_date(reference or company_today(tx.now, tx.settings.timezone), "reference").replace(day=1)
    charge = Charge(
        subscription_id=subscription_id,
        description=required_text(description, "description", 200, "Fibra 500 Mega, março"),
        amount_cents=checks.amount(amount_cents),
        discount_cents=checks.discount(discount_cents, amount_cents),
        discount_days=checks.discount_days(discount_days),
        reference=month,
        created_at=tx.now,
    )
    tx.session.add(charge)
    tx.session.flush()
    after = {
        "subscription_id": subscription_id,
        "description": charge.description,
        "amount_cents": charge.amount_cents,
        "reference": month,
        **_promised(charge),
    }
    tx.audit("add", "charge", charge.id, after=after)
    return charge


def add_discount(
    tx: Transaction, *, charge_id: int, discount_cents: int, discount_days: int = 0, note: str = ""
) -> Charge:
    """Promise a discount on a charge, in the place of one that it has; 0 cents take it away.

    The charge waits for an invoice, or is the only one on an invoice that nothing was paid on. What it shows as its
    amount stays as it is. NotAllowed otherwise.
    """
    [charge] = lock_charges(tx, [charge_id])
    if charge.cancelled_at is not None:
        raise NotAllowed(f"charge {charge_id} was cancelled on {charge.cancelled_at:%Y-%m-%d}")
    if charge.invoice_id is not None:
        invoices = lock_invoices(tx, [charge.invoice_id])
        refuse_foreign(tx, invoices)
        _refuse_discount(*invoices)
    lock_subscriptions(tx, [charge.subscription_id])
    text = optional_text(note, "note", 2000, "promised on the telephone")
    before = _promised(charge)
    charge.discount_cents = checks.discount(discount_cents, charge.amount_cents)
    charge.discount_days = checks.discount_days(discount_days) if discount_cents else 0
    details = {"charge": charge.id, "invoice": charge.invoice_id, **_promised(charge)}
    narrate(tx, charge.subscription_id, "charge.discounted", details=details, note=text)
    tx.audit("discount", "charge", charge.id, before, _promised(charge), text)
    tx.session.flush()
    return charge


def cancel_charge(tx: Transaction, *, charge_id: int, note: str) -> Charge:
    """Drop a charge that is on no invoice yet; one that is goes with its invoice."""
    [charge] = lock_charges(tx, [charge_id])
    if charge.invoice_id is not None:
        raise NotAllowed(
            f"charge {charge_id} stands on invoice {charge.invoice_id}: cancel that", invoice_id=charge.invoice_id
        )
    if charge.cancelled_at is not None:
        raise NotAllowed(f"charge {charge_id} was cancelled on {charge.cancelled_at:%Y-%m-%d}")
    text = required_text(note, "note", 2000, "typed twice")
    lock_subscriptions(tx, [charge.subscription_id])
    charge.cancelled_at = tx.now
    details = {"charge": charge.id, "amount_cents": charge.amount_cents, "description": charge.description}
    narrate(tx, charge.subscription_id, "charge.cancelled", details=details, note=text)
    tx.audit("cancel", "charge", charge.id, note=text)
    tx.session.flush()
    return charge


def get_charge(tx: Transaction, charge_id: int) -> Charge:
    return get_row(tx, Charge, charge_id, "charge")


def list_charges(
    tx: Transaction, *, subscription_id: int | None = None, waiting: bool = False, after: int = 0, limit: int = 100
) -> Sequence[Charge]:
    """In order of id, from behind `after`; `waiting`: only those that an invoice can still take."""
    query = select(Charge).where(Charge.id > after)
    if subscription_id is not None:
        query = query.where(Charge.subscription_id == subscription_id)
    if waiting:
        query = query.where(Charge.invoice_id.is_(None), Charge.cancelled_at.is_(None))
    return tx.session.scalars(query.order_by(Charge.id).limit(limit)).all()


def _promised(charge: Charge) -> dict[str, object]:
    return {"discount_cents": charge.discount_cents, "discount_days": charge.discount_days}


def _refuse_discount(invoice: Invoice) -> None:
    if invoice.cancelled_at is not None or invoice.paid_cents:
        raise NotAllowed(
            f"invoice {invoice.id} is {invoice.status.value}: a discount is for what nothing was paid on",
            status=invoice.status.value,
        )
    if len(invoice.charges) > 1:
        raise NotAllowed(
            f"invoice {invoice.id} holds {len(invoice.charges)} charges: a discount is given before they share one",
            invoice_id=invoice.id,
        )
