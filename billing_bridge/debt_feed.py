"""Telling provisioning what is owed: the one way from billing facts to service, in the transaction of the change.

Restoring after a payment is no step of its own: provisioning writes the debt, and an order that nothing justifies any
more lapses there and then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

from sqlalchemy import select

from billing_bridge.locks import lock_subscriptions
from billing_bridge.models import Invoice
from core.database import Transaction
from provisioning.debts import add_debts, debtors_of, record_debt
from provisioning.models import Debt, Subscription
from provisioning.timeline import narrate


def lock_debtors(tx: Transaction, invoices: Iterable[Invoice]) -> None:
    """Lock every subscription with a charge on the invoices, before anything is written about them."""
    ids = {charge.subscription_id for invoice in invoices for charge in invoice.charges}
    lock_subscriptions(tx, ids)
    if followers := set(debtors_of(tx, ids).values()) - ids:
        lock_subscriptions(tx, followers)


def publish_debts(tx: Transaction, invoices: Sequence[Invoice]) -> None:
    """Record the open share of each subscription on each of the invoices, settled ones with 0.

    The share of one that has migrated is owed by the one that took its place.
    """
    tx.session.flush()
    owed = _owed(tx, invoices)
    foreign = _foreign(tx, owed)
    for subscription_id, invoice_id, due_on in sorted(owed):
        cents = 0 if (subscription_id, invoice_id) in foreign else owed[subscription_id, invoice_id, due_on]
        record_debt(tx, subscription_id=subscription_id, invoice_id=invoice_id, due_on=due_on, open_cents=cents)


def publish_new(tx: Transaction, invoices: Sequence[Invoice]) -> None:
    """As `publish_debts`, for many invoices that were issued just now, to whoever has the subscriptions, in few
    statements. The caller holds the locks of `lock_debtors`: a debt more can end no order.
    """
    tx.session.flush()
    owed = [(key, invoice_id, due_on, cents) for (key, invoice_id, due_on), cents in _owed(tx, invoices).items()]
    add_debts(tx, sorted(owed))


def narrate_debtors(
    tx: Transaction, invoice: Invoice, event: str, details: Mapping[str, object], note: str = ""
) -> None:
    """One timeline entry for each subscription with a charge on the invoice."""
    for subscription_id in sorted(invoice.owed_by_subscription):
        narrate(tx, subscription_id, event, details={"invoice": invoice.id, **details}, note=note)


def _owed(tx: Transaction, invoices: Sequence[Invoice]) -> dict[tuple[int, int, date], int]:
    """(subscription that owes, invoice, due date) → open cents."""
    debtors = debtors_of(tx, {charge.subscription_id for invoice in invoices for charge in invoice.charges})
    owed: dict[tuple[int, int, date], int] = defaultdict(int)
    for invoice in invoices:
        for subscription_id, cents in invoice.owed_by_subscription.items():
            owed[debtors[subscription_id], invoice.id, invoice.due_on] += cents
    return owed


def _foreign(tx: Transaction, owed: Collection[tuple[int, int, date]]) -> set[tuple[int, int]]:
    """(subscription, invoice) where the invoice is an earlier owner's, who goes on owing it.

    A debt that is open in spite of that is about to follow its subscription to the new owner.
    """
    subscriptions, invoices = {key[0] for key in owed}, {key[1] for key in owed}
    pairs = (
        select(Subscription.id, Invoice.id)
        .join(Invoice, Invoice.subscriber_id != Subscription.subscriber_id)
        .where(Subscription.id.in_(subscriptions), Invoice.id.in_(invoices))
    )
    others = {(subscription, invoice) for subscription, invoice in tx.session.execute(pairs)}
    if not others:
        return others
    open_ones = select(Debt.subscription_id, Debt.invoice_id).where(
        Debt.subscription_id.in_(subscriptions), Debt.invoice_id.in_(invoices), Debt.open_cents > 0
    )
    return others - {(subscription, invoice) for subscription, invoice in tx.session.execute(open_ones)}
