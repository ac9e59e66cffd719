"""Telling provisioning what is owed: the one way from billing facts to service, in the transaction of the change.

Restoring after a payment is no step of its own: provisioning writes the debt, and an order that nothing justifies any
more lapses there and then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from billing_bridge.locks import lock_subscriptions
from billing_bridge.models import Invoice
from core.database import Transaction
from provisioning.debts import record_debt
from provisioning.timeline import narrate


def lock_debtors(tx: Transaction, invoices: Iterable[Invoice]) -> None:
    """Lock every subscription with a charge on the invoices, before anything is written about them."""
    ids = {charge.subscription_id for invoice in invoices for charge in invoice.charges}
    lock_subscriptions(tx, ids)


def publish_debts(tx: Transaction, invoices: Sequence[Invoice]) -> None:
    """Record the open share of each subscription on each of the invoices, settled ones with 0."""
    tx.session.flush()
    owed = [
        (subscription_id, invoice.id, invoice.due_on, cents)
        for invoice in invoices
        for subscription_id, cents in invoice.owed_by_subscription.items()
    ]
    for subscription_id, invoice_id, due_on, cents in sorted(owed):
        record_debt(tx, subscription_id=subscription_id, invoice_id=invoice_id, due_on=due_on, open_cents=cents)


def narrate_debtors(
    tx: Transaction, invoice: Invoice, event: str, details: Mapping[str, object], note: str = ""
) -> None:
    """One timeline entry for each subscription with a charge on the invoice."""
    for subscription_id in sorted(invoice.owed_by_subscription):
        narrate(tx, subscription_id, event, details={"invoice": invoice.id, **details}, note=note)
