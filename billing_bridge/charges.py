"""Charges: what a subscription has to pay, before and after it stands on an invoice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select

from billing_bridge import checks
from billing_bridge.company_days import company_today
from billing_bridge.locks import lock_charges, lock_subscriptions
from billing_bridge.models import Charge
from core.database import Transaction
from core.errors import NotAllowed, NotFound
from provisioning.checks import required_text
from provisioning.timeline import narrate


def add_charge(
    tx: Transaction, *, subscription_id: int, description: str, amount_cents: int, reference: date | None = None
) -> Charge:
    """A charge that waits for an invoice. `reference` is any date of its month; unset: the present month.

    Cancelled subscriptions may be charged too: a fine, equipment that was kept.
    """
    lock_subscriptions(tx, [subscription_id])
    month = checks.due_date(reference or company_today(tx.now, tx.settings.timezone), "reference").replace(day=1)
    charge = Charge(
        subscription_id=subscription_id,
        description=required_text(description, "description", 200, "Fibra 500 Mega, março"),
        amount_cents=checks.amount(amount_cents),
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
    }
    tx.audit("add", "charge", charge.id, after=after)
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
    charge = tx.session.get(Charge, charge_id)
    if charge is None:
        raise NotFound("charge", charge_id)
    return charge


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
