"""What billing does after a service has moved: to another subscription (migration) or to another subscriber (transfer).

What is owed is keyed rightly from the first instant on (`debt_feed` follows migrations), so a payment that comes before
these steps restores whom it should; they bring the books into agreement. Each may run any number of times.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, or_, select, update

from billing_bridge.debt_feed import lock_debtors, publish_debts
from billing_bridge.intake.models import ExternalSubscription
from billing_bridge.locks import lock_charges, lock_invoices, lock_subscriptions
from billing_bridge.models import BillingAccount, Charge, Invoice
from billing_bridge.monthly.models import MonthlyBill
from billing_bridge.notices.models import DebtNotice
from core.actor import Actor
from core.database import Transaction
from core.job_queue import Job
from core.jobs import backoff, handles
from core.outcomes import Applied, Outcome, Retry
from core.runtime import Runtime
from provisioning.debts import debtors_of, set_aside
from provisioning.refresh import refresh
from provisioning.timeline import narrate

FOLLOW_UP = Actor("billing", "system")


@handles("subscription.migrated")
def follow_migration(runtime: Runtime, job: Job) -> Outcome:
    """Give the new subscription the old one's billing account and what it has not paid. Payload: old, new."""
    with runtime.database.transaction(FOLLOW_UP) as tx:
        moved = move_billing(tx, int(job.payload["old"]))
        return Applied(f"{len(moved)} charges moved")


@handles("subscription.transferred")
def follow_transfer(runtime: Runtime, job: Job) -> Outcome:
    """Give the new owner the open invoices that move. Payload: subscription_id, from, to, debts, invoices."""
    with runtime.database.transaction(FOLLOW_UP) as tx:
        moved = hand_invoices_on(tx, job.payload)
    if moved is None:
        return Retry(backoff(job.failures), "an earlier transfer of these invoices is still under way")
    return Applied(f"{len(moved)} invoices moved")


def move_billing(tx: Transaction, old: int) -> list[int]:
    """All that billing keys by the migrated subscription `old` and that is still to come; gives the ids of charges."""
    charge_ids = _unpaid_charges(tx, old)
    charges = lock_charges(tx, charge_ids)
    invoices = lock_invoices(tx, {charge.invoice_id for charge in charges if charge.invoice_id is not None})
    new = debtors_of(tx, [old])[old]
    lock_subscriptions(tx, [old, new])
    lock_debtors(tx, invoices)
    for charge in charges:
        charge.subscription_id = new
    account = _move_account(tx, old, new)
    _move_rows(tx, old, new)
    publish_debts(tx, invoices)
    if charges or account:
        told = {"from": old, "account": account, "charges": charge_ids, "invoices": [row.id for row in invoices]}
        narrate(tx, new, "billing.moved", details=told)
        tx.audit("move-billing", "subscription", new, {"subscription_id": old}, told)
    return charge_ids


def hand_invoices_on(tx: Transaction, payload: Mapping[str, Any]) -> list[int] | None:
    """Change the owner of the open invoices that are about this service alone; gives them, None: not yet possible."""
    subscription_id, giver, taker = (int(payload[name]) for name in ("subscription_id", "from", "to"))
    invoices = lock_invoices(tx, [int(number) for number in payload.get("invoices", ())])
    if any(invoice.subscriber_id not in (giver, taker) for invoice in invoices):
        return None
    lock_debtors(tx, invoices)
    theirs = [invoice for invoice in invoices if invoice.subscriber_id == giver and invoice.open_cents]
    left = [invoice for invoice in theirs if not _is_only_about(tx, invoice, subscription_id)]
    moved = [invoice for invoice in theirs if invoice not in left]
    for invoice in moved:
        invoice.subscriber_id = taker
        tx.audit("hand-on", "invoice", invoice.id, {"subscriber_id": giver}, {"subscriber_id": taker})
    publish_debts(tx, moved)
    _leave(tx, subscription_id, left)
    numbers = [invoice.id for invoice in moved]
    if numbers:
        narrate(tx, subscription_id, "invoices.handed-on", details={"from": giver, "to": taker, "invoices": numbers})
    return numbers


def _unpaid_charges(tx: Transaction, subscription_id: int) -> list[int]:
    """Those on no invoice yet, and those on an invoice that is still to be paid, by id."""
    to_pay = and_(Invoice.cancelled_at.is_(None), Invoice.paid_cents + Invoice.discount_cents < Invoice.amount_cents)
    query = (
        select(Charge.id)
        .outerjoin(Invoice, Invoice.id == Charge.invoice_id)
        .where(Charge.subscription_id == subscription_id, Charge.cancelled_at.is_(None))
        .where(or_(Charge.invoice_id.is_(None), to_pay))
    )
    return list(tx.session.scalars(query.order_by(Charge.id)))


def _move_account(tx: Transaction, old: int, new: int) -> bool:
    """A billing account that the new one was given while it waited stays; whether the old one's went over."""
    accounts = set(
        tx.session.scalars(select(BillingAccount.subscription_id).where(BillingAccount.subscription_id.in_([old, new])))
    )
    if accounts != {old}:
        return False
    moved = update(BillingAccount).where(BillingAccount.subscription_id == old).values(subscription_id=new)
    tx.session.execute(moved, execution_options={"synchronize_session": False})
    return True


def _move_rows(tx: Transaction, old: int, new: int) -> None:
    """Months that are billed and notices that were given hold for the new one: it is billed and told of them once.
    What other systems call the old one is the new one.
    """
    tables: Sequence[tuple[Any, Any]] = ((MonthlyBill, MonthlyBill.month), (DebtNotice, DebtNotice.invoice_id))
    known_elsewhere = update(ExternalSubscription).where(ExternalSubscription.subscription_id == old)
    tx.session.execute(known_elsewhere.values(subscription_id=new), execution_options={"synchronize_session": False})
    for table, key in tables:
        there = select(key).where(table.subscription_id == new)
        mine = update(table).where(table.subscription_id == old, key.not_in(there)).values(subscription_id=new)
        tx.session.execute(mine, execution_options={"synchronize_session": False})


def _is_only_about(tx: Transaction, invoice: Invoice, subscription_id: int) -> bool:
    debtors = debtors_of(tx, {charge.subscription_id for charge in invoice.charges})
    return set(debtors.values()) == {subscription_id}


def _leave(tx: Transaction, subscription_id: int, invoices: Collection[Invoice]) -> None:
    """They came to be shared in between: the old owner keeps them, and they restrict this service no more."""
    if invoices:
        numbers = sorted(invoice.id for invoice in invoices)
        set_aside(tx, subscription_id=subscription_id, invoice_ids=numbers)
        narrate(tx, subscription_id, "invoices.left", details={"invoices": numbers, "reason": "shared"})
        refresh(tx, [subscription_id])
