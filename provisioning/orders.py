"""Orders to restrict: the only way into REDUCED and SUSPENDED, written by a guarded run or by a person."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from core.database import Transaction
from core.errors import InvalidInput, NotAllowed
from provisioning.debts import open_debts, still_justified
from provisioning.facts import Level
from provisioning.models import RestrictionOrderRow
from provisioning.refresh import refresh
from provisioning.subscriptions import lock_subscription
from provisioning.timeline import narrate


def order_restriction(
    tx: Transaction,
    *,
    subscription_id: int,
    level: str,
    invoice_ids: Sequence[int],
    minimum_open_cents: int = 0,
    rule: str = "",
    run: str = "",
) -> RestrictionOrderRow:
    """Order a restriction for open invoices. NotAllowed when the debt does not justify it.

    A live order of the same level for the same invoices is returned as it is: ordering twice restricts once.
    """
    lock_subscription(tx, subscription_id)
    if level not in set(Level):
        raise InvalidInput("level", "one of total, partial", "total")
    invoices = sorted(set(invoice_ids))
    owed = {debt.invoice_id: debt.open_cents for debt in open_debts(tx, subscription_id)}
    if not still_justified(invoices, minimum_open_cents, owed):
        raise NotAllowed(f"subscription {subscription_id} owes nothing on invoices {invoices}: no order without a debt")
    if twin := _live_twin(tx, subscription_id, level, invoices):
        return twin
    row = RestrictionOrderRow(
        subscription_id=subscription_id,
        level=level,
        since=tx.now,
        invoice_ids=invoices,
        minimum_open_cents=minimum_open_cents,
        rule=rule,
        run=run,
        ordered_by=tx.actor.name,
    )
    tx.session.add(row)
    tx.session.flush()
    details = {"level": level, "invoices": invoices, "rule": rule, "run": run}
    narrate(tx, subscription_id, "order.given", details=details)
    tx.audit("order-restriction", "subscription", subscription_id, after=details)
    refresh(tx, [subscription_id])
    return row


def live_orders(tx: Transaction, subscription_id: int) -> Sequence[RestrictionOrderRow]:
    query = select(RestrictionOrderRow).where(
        RestrictionOrderRow.subscription_id == subscription_id, RestrictionOrderRow.lapsed_at.is_(None)
    )
    return tx.session.scalars(query.order_by(RestrictionOrderRow.id)).all()


def _live_twin(tx: Transaction, subscription_id: int, level: str, invoices: list[int]) -> RestrictionOrderRow | None:
    rows = live_orders(tx, subscription_id)
    return next((row for row in rows if row.level == level and set(invoices) <= set(row.invoice_ids)), None)
