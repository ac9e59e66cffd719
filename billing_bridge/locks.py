"""Rows locked before they are changed, always in this order: receipt, charges, invoices, subscriptions; each by id.

Subscriptions are locked before anything is written that points at one: on PostgreSQL a foreign key takes a weak lock
of its own, and two payments that both hold that and then both want the strong one would wait for each other. The same
lock makes an order and the payment that would end it happen one after the other, never past each other.

Rows are read again under the lock: what the session knew from before may be history.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from sqlalchemy import select

from billing_bridge.models import Charge, Invoice, Receipt
from core.database import Base, Transaction
from core.errors import NotFound
from provisioning.models import Subscription

Row = TypeVar("Row", bound=Base)


def lock_invoices(tx: Transaction, ids: Collection[int]) -> list[Invoice]:
    """The invoices in order of id; NotFound for the first that does not exist."""
    return _lock(tx, Invoice, "invoice", ids)


def lock_charges(tx: Transaction, ids: Collection[int]) -> list[Charge]:
    """The charges in order of id; NotFound for the first that does not exist."""
    return _lock(tx, Charge, "charge", ids)


def lock_receipt(tx: Transaction, receipt_id: int) -> Receipt:
    [receipt] = _lock(tx, Receipt, "receipt", [receipt_id])
    return receipt


def lock_subscriptions(tx: Transaction, ids: Collection[int]) -> None:
    """Also cancelled ones: their debts are still paid. NotFound for the first that does not exist."""
    query = select(Subscription.id).where(Subscription.id.in_(ids)).order_by(Subscription.id)
    _refuse_missing("subscription", ids, tx.session.scalars(query.with_for_update()).all())


def _lock(tx: Transaction, table: type[Row], kind: str, ids: Collection[int]) -> list[Row]:
    key = table.__table__.c.id
    query = select(table).where(key.in_(ids)).order_by(key).with_for_update(of=table)
    rows = list(tx.session.scalars(query, execution_options={"populate_existing": True}))
    _refuse_missing(kind, ids, [row.id for row in rows])  # type: ignore[attr-defined]
    return rows


def _refuse_missing(kind: str, wanted: Collection[int], found: Collection[int]) -> None:
    if missing := sorted(set(wanted) - set(found)):
        raise NotFound(kind, missing[0])
