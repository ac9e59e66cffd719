"""The billing account of a subscription: by which method it is billed, and on which day."""

from __future__ import annotations

from billing_bridge.calendar.days import LAST_DAY
from billing_bridge.methods import get_billing_method
from billing_bridge.models import BillingAccount
from core.database import Transaction
from core.errors import InvalidInput
from core.rows import get_row
from provisioning.subscriptions import lock_subscription
from provisioning.timeline import narrate


def set_billing(
    tx: Transaction, *, subscription_id: int, billing_method_id: int, due_day: int, own_invoice: bool | None = None
) -> BillingAccount:
    """Bill the subscription by this method from now on; `due_day` is 1–28, or 31 for the last day of each month.

    Services of one subscriber with one method and due day share an invoice, except those that have an `own_invoice`
    (unset: as it was).

    From now on the method's suspension rules hold for what the subscription owes, old debts included.
    """
    lock_subscription(tx, subscription_id)
    method = get_billing_method(tx, billing_method_id)
    day = _due_day(due_day)
    account = tx.session.get(BillingAccount, subscription_id)
    before = _shown(account) if account else None
    if account is None:
        account = BillingAccount(subscription_id=subscription_id, own_invoice=False)
        tx.session.add(account)
    account.billing_method, account.due_day, account.since = method, day, tx.now
    account.own_invoice = account.own_invoice if own_invoice is None else own_invoice
    after = _shown(account)
    narrate(tx, subscription_id, "billing.set", details=after)
    tx.audit("set-billing", "subscription", subscription_id, before, after)
    tx.session.flush()
    return account


def get_billing(tx: Transaction, subscription_id: int) -> BillingAccount:
    """NotFound where no method was set: such a subscription is never restricted by a run."""
    return get_row(tx, BillingAccount, subscription_id, "billing account of subscription")


def _shown(account: BillingAccount) -> dict[str, object]:
    shown = {"billing_method": account.billing_method.name, "due_day": account.due_day}
    return shown | {"own_invoice": True} if account.own_invoice else shown


def _due_day(value: int) -> int:
    if isinstance(value, bool) or not (1 <= value <= 28 or value == LAST_DAY):
        raise InvalidInput("due_day", "a day from 1 to 28, or 31 for the last day of the month", 10)
    return value
