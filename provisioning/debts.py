"""What billing says is owed, and how a restriction ends when it no longer is.

Billing records each change of an invoice's open amount here, in the transaction of the payment. An order whose
invoices no longer justify it lapses in that same transaction: restoring is held back by nothing. An order that has
lapsed stays so: when a payment is reversed, restricting again needs a new order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from sqlalchemy import insert, select

from core.database import Transaction
from core.errors import InvalidInput
from provisioning.models import Debt, RestrictionOrderRow, Subscription
from provisioning.refresh import refresh
from provisioning.timeline import narrate
from provisioning.warnings.commands import end_of_paid


def record_debt(
    tx: Transaction, *, subscription_id: int, invoice_id: int, due_on: date, open_cents: int
) -> list[RestrictionOrderRow]:
    """Write down what is open on one invoice (0: settled); gives the orders that lapsed by it.

    What is owed for a subscription that has migrated is owed by the one that took its place.
    """
    if open_cents < 0:
        raise InvalidInput("open_cents", "zero or more cents", 9990)
    subscription_id = _lock_debtor(tx, subscription_id)
    debt = tx.session.get(Debt, (subscription_id, invoice_id))
    if debt is None:
        debt = Debt(subscription_id=subscription_id, invoice_id=invoice_id)
        tx.session.add(debt)
    debt.due_on, debt.open_cents, debt.updated_at = due_on, open_cents, tx.now
    tx.session.flush()
    if not open_cents:
        end_of_paid(tx, subscription_id)
    lapsed = _lapse(tx, subscription_id)
    if lapsed:
        refresh(tx, [subscription_id])
    return lapsed


def add_debts(tx: Transaction, debts: Sequence[tuple[int, int, date, int]]) -> None:
    """Write down (subscription, invoice, due date, open cents) of invoices that are new, in one statement.

    The caller has locked the subscriptions. A debt more can end no order, so none is looked at.
    """
    if debts:
        names = ("subscription_id", "invoice_id", "due_on", "open_cents")
        rows = [dict(zip(names, debt, strict=True)) | {"updated_at": tx.now} for debt in debts]
        tx.session.execute(insert(Debt), rows)


def debtors_of(tx: Transaction, subscription_ids: Collection[int]) -> dict[int, int]:
    """Who owes for each of the subscriptions: itself, or where it has migrated, the last one of those that followed."""
    debtors = {subscription_id: subscription_id for subscription_id in subscription_ids}
    while True:
        following = _successors(tx, set(debtors.values()))
        if not following:
            return debtors
        debtors = {origin: following.get(holder, holder) for origin, holder in debtors.items()}


def set_aside(tx: Transaction, *, subscription_id: int, invoice_ids: Collection[int]) -> list[RestrictionOrderRow]:
    """What is open on these invoices is no debt of the subscription any more, as somebody else owes it; the caller
    refreshes. Gives the orders that lapsed by it.
    """
    for debt in open_debts(tx, subscription_id):
        if debt.invoice_id in invoice_ids:
            debt.open_cents, debt.updated_at = 0, tx.now
    tx.session.flush()
    end_of_paid(tx, subscription_id)
    return _lapse(tx, subscription_id)


def open_debts(tx: Transaction, subscription_id: int) -> Sequence[Debt]:
    """What is owed, oldest due date first."""
    query = select(Debt).where(Debt.subscription_id == subscription_id, Debt.open_cents > 0)
    return tx.session.scalars(query.order_by(Debt.due_on, Debt.invoice_id)).all()


def still_justified(invoice_ids: Sequence[int], minimum_open_cents: int, open_cents: Mapping[int, int]) -> bool:
    """Whether the invoices of an order still owe something, and at least the minimum of the rule. Pure."""
    owed = sum(open_cents.get(invoice_id, 0) for invoice_id in invoice_ids)
    return owed >= max(1, minimum_open_cents)


def _lock_debtor(tx: Transaction, subscription_id: int) -> int:
    """An order that is being given at this moment must either see this debt or be seen by it."""
    subscription = select(Subscription.cancelled_at).where(Subscription.id == subscription_id)
    if tx.session.scalar(subscription.with_for_update(key_share=True)) is None:
        return subscription_id
    debtor = debtors_of(tx, [subscription_id])[subscription_id]
    return subscription_id if debtor == subscription_id else _lock_debtor(tx, debtor)


def _successors(tx: Transaction, subscription_ids: Collection[int]) -> dict[int, int]:
    migrated = select(Subscription.migrates_from_id, Subscription.id).where(
        Subscription.migrates_from_id.in_(subscription_ids), Subscription.installed_at.is_not(None)
    )
    return {old: new for old, new in tx.session.execute(migrated) if old is not None}


def _lapse(tx: Transaction, subscription_id: int) -> list[RestrictionOrderRow]:
    owed = {debt.invoice_id: debt.open_cents for debt in open_debts(tx, subscription_id)}
    live = tx.session.scalars(
        select(RestrictionOrderRow)
        .where(RestrictionOrderRow.subscription_id == subscription_id, RestrictionOrderRow.lapsed_at.is_(None))
        .with_for_update()
    ).all()
    lapsed = [row for row in live if not still_justified(row.invoice_ids, row.minimum_open_cents, owed)]
    for row in lapsed:
        row.lapsed_at = tx.now
        narrate(tx, subscription_id, "order.lapsed", details={"order": row.id, "level": row.level})
    return lapsed
