"""Invoices: charges of one subscriber, to be paid by a date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import ColumnElement, and_, delete, select

from billing_bridge import checks
from billing_bridge.accounts import get_billing
from billing_bridge.amounts import InvoiceStatus
from billing_bridge.calendar.days import company_today, next_due_on
from billing_bridge.charges import add_charge
from billing_bridge.debt_feed import lock_debtors, narrate_debtors, publish_debts
from billing_bridge.intake.foreign_invoices import refuse_foreign
from billing_bridge.locks import lock_charges, lock_invoices, lock_subscriptions
from billing_bridge.models import Charge, Invoice
from billing_bridge.monthly.models import MonthlyBill
from core.database import Transaction
from core.errors import Conflict, InvalidInput, NotAllowed
from core.rows import get_row
from provisioning.checks import required_text
from provisioning.models import Subscription


def issue_invoice(tx: Transaction, *, charge_ids: Sequence[int], due_on: date) -> Invoice:
    """One invoice over charges of one subscriber, whichever its subscriptions. Conflict: a charge is on one already."""
    charges = lock_charges(tx, checks.several(charge_ids, "charge_ids"))
    _refuse_used(charges)
    lock_subscriptions(tx, {charge.subscription_id for charge in charges})
    invoice = Invoice(
        subscriber_id=_one_subscriber(tx, charges),
        due_on=checks.due_date(due_on),
        amount_cents=sum(charge.amount_cents for charge in charges),
        paid_cents=0,
        discount_cents=0,
        issued_at=tx.now,
        charges=charges,
    )
    tx.session.add(invoice)
    publish_debts(tx, [invoice])
    details = {"due_on": invoice.due_on, "amount_cents": invoice.amount_cents}
    narrate_debtors(tx, invoice, "invoice.issued", details)
    tx.audit("issue", "invoice", invoice.id, after={**details, "charges": [charge.id for charge in charges]})
    return invoice


def charge_and_invoice(
    tx: Transaction,
    *,
    subscription_id: int,
    description: str,
    amount_cents: int,
    due_on: date | None = None,
    reference: date | None = None,
    discount_cents: int = 0,
    discount_days: int = 0,
) -> Invoice:
    """A charge and its invoice in one step; without `due_on` it is due on the account's next due day."""
    if due_on is None:
        due_on = next_due_on(company_today(tx.now, tx.settings.timezone), get_billing(tx, subscription_id).due_day)
    charge = add_charge(
        tx,
        subscription_id=subscription_id,
        description=description,
        amount_cents=amount_cents,
        reference=reference,
        discount_cents=discount_cents,
        discount_days=discount_days,
    )
    return issue_invoice(tx, charge_ids=[charge.id], due_on=due_on)


def cancel_invoice(tx: Transaction, *, invoice_id: int, note: str) -> Invoice:
    """Cancel an invoice that nothing was paid on; its charges go with it. NotAllowed otherwise."""
    text = required_text(note, "note", 2000, "billed twice")
    [invoice] = lock_invoices(tx, [invoice_id])
    refuse_foreign(tx, [invoice])
    if invoice.cancelled_at is not None:
        raise NotAllowed(f"invoice {invoice_id} was cancelled on {invoice.cancelled_at:%Y-%m-%d}", status="CANCELLED")
    if invoice.paid_cents:
        raise NotAllowed(
            f"invoice {invoice_id} is {invoice.status.value}: reverse its receipts before cancelling it",
            status=invoice.status.value,
        )
    lock_debtors(tx, [invoice])
    before = {"status": invoice.status, "open_cents": invoice.open_cents}
    invoice.cancelled_at, invoice.cancel_note = tx.now, text
    tx.session.execute(delete(MonthlyBill).where(MonthlyBill.invoice_id == invoice_id))
    narrate_debtors(tx, invoice, "invoice.cancelled", {"amount_cents": invoice.amount_cents}, text)
    tx.audit("cancel", "invoice", invoice_id, before, {"status": invoice.status, "open_cents": 0}, text)
    publish_debts(tx, [invoice])
    return invoice


def get_invoice(tx: Transaction, invoice_id: int) -> Invoice:
    return get_row(tx, Invoice, invoice_id, "invoice")


def list_invoices(
    tx: Transaction,
    *,
    subscriber_id: int | None = None,
    subscription_id: int | None = None,
    status: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> Sequence[Invoice]:
    """In order of id, from behind `after`."""
    query = select(Invoice).where(Invoice.id > after)
    if subscriber_id is not None:
        query = query.where(Invoice.subscriber_id == subscriber_id)
    if subscription_id is not None:
        charged = select(Charge.invoice_id).where(Charge.subscription_id == subscription_id)
        query = query.where(Invoice.id.in_(charged.where(Charge.invoice_id.is_not(None))))
    if status is not None:
        query = query.where(has_status(status))
    return tx.session.scalars(query.order_by(Invoice.id).limit(limit)).all()


def has_status(status: str) -> ColumnElement[bool]:
    """The condition that `Invoice.status` is this one; InvalidInput for a word that is none."""
    holds, settled = Invoice.cancelled_at.is_(None), Invoice.paid_cents + Invoice.discount_cents
    conditions = {
        InvoiceStatus.OPEN: and_(holds, Invoice.paid_cents == 0),
        InvoiceStatus.PARTIALLY_PAID: and_(holds, Invoice.paid_cents > 0, settled < Invoice.amount_cents),
        InvoiceStatus.PAID: and_(holds, settled == Invoice.amount_cents),
        InvoiceStatus.CANCELLED: Invoice.cancelled_at.is_not(None),
    }
    if status not in set(InvoiceStatus):
        raise InvalidInput("status", f"one of {', '.join(InvoiceStatus)}", "OPEN")
    return conditions[InvoiceStatus(status)]


def _refuse_used(charges: Sequence[Charge]) -> None:
    for charge in charges:
        if charge.invoice_id is not None:
            raise Conflict(
                f"charge {charge.id} stands on invoice {charge.invoice_id} already",
                field="charge_ids",
                charge_id=charge.id,
                invoice_id=charge.invoice_id,
            )
        if charge.cancelled_at is not None:
            raise NotAllowed(f"charge {charge.id} was cancelled on {charge.cancelled_at:%Y-%m-%d}")


def _one_subscriber(tx: Transaction, charges: Sequence[Charge]) -> int:
    ids = {charge.subscription_id for charge in charges}
    owners = set(tx.session.scalars(select(Subscription.subscriber_id).where(Subscription.id.in_(ids))))
    if len(owners) != 1:
        raise InvalidInput("charge_ids", f"charges of one subscriber, not of {len(owners)}", [charges[0].id])
    return owners.pop()
