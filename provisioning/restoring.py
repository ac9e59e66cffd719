"""Looking at everybody who is restricted again: orders whose debts are gone lapse, states follow.

A payment restores in its own transaction; this is the second pair of eyes, for debts that went away in another way.
Nothing here is ever held back by a guard, and it restricts nobody: it only ends orders.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select

from core.actor import Actor
from core.among import among
from core.database import Transaction
from core.errors import Unavailable
from core.logs import get_logger
from core.runtime import Runtime
from provisioning.debts import still_justified
from provisioning.facts import ServiceState
from provisioning.models import Debt, RestrictionOrderRow, Subscription
from provisioning.refresh import refresh
from provisioning.timeline import narrate

CHUNK = 200
_RESTRICTED = (ServiceState.SUSPENDED.value, ServiceState.REDUCED.value)
log = get_logger("provisioning.restoring")


@dataclass(frozen=True, slots=True)
class Restored:
    """Subscriptions looked at, orders that lapsed, subscriptions that are not restricted any more, and those that
    could not be looked at.
    """

    looked_at: int = 0
    lapsed: int = 0
    restored: int = 0
    failed: int = 0

    def __add__(self, other: Restored) -> Restored:
        return Restored(
            self.looked_at + other.looked_at, self.lapsed + other.lapsed, self.restored + other.restored,
            self.failed + other.failed,
        )  # fmt: skip


def restore_all(runtime: Runtime, actor: Actor) -> Restored:
    """Look at everybody, a chunk a transaction; again it finds nothing to do. One that fails keeps nobody back."""
    total, after = Restored(), 0
    while True:
        with runtime.database.reading() as tx:
            ids = restricted_ids(tx, after=after)
        if not ids:
            return total
        total += _restore_apart(runtime, actor, ids)
        after = ids[-1]


def restore(tx: Transaction, subscription_ids: Sequence[int]) -> Restored:
    """Lapse what is not justified any more and re-evaluate, in one transaction."""
    before = _locked_states(tx, subscription_ids)
    unjustified = unjustified_orders(tx, list(before))
    for order in unjustified:
        order.lapsed_at = tx.now
        details = {"order": order.id, "level": order.level, "by": "enable"}
        narrate(tx, order.subscription_id, "order.lapsed", details=details)
    refresh(tx, list(before))
    query = select(Subscription.id).where(among(tx.session, Subscription.id, before), _is_restricted())
    left = set(tx.session.scalars(query))
    restored = [key for key, state in before.items() if state in _RESTRICTED and key not in left]
    return Restored(len(before), len(unjustified), len(restored))


def restricted_ids(tx: Transaction, *, after: int = 0, limit: int = CHUNK) -> Sequence[int]:
    """Whoever is shown as restricted or has a live order, and is not cancelled, in order of id from behind `after`."""
    ordered = select(RestrictionOrderRow.subscription_id).where(RestrictionOrderRow.lapsed_at.is_(None))
    query = select(Subscription.id).where(
        Subscription.id > after,
        Subscription.cancelled_at.is_(None),
        or_(_is_restricted(), Subscription.id.in_(ordered)),
    )
    return tx.session.scalars(query.order_by(Subscription.id).limit(limit)).all()


def unjustified_orders(tx: Transaction, subscription_ids: Sequence[int]) -> list[RestrictionOrderRow]:
    """Live orders whose invoices owe too little by now."""
    owed = _owed(tx, subscription_ids)
    query = select(RestrictionOrderRow).where(
        among(tx.session, RestrictionOrderRow.subscription_id, subscription_ids),
        RestrictionOrderRow.lapsed_at.is_(None),
    )
    return [
        order
        for order in tx.session.scalars(query.order_by(RestrictionOrderRow.id))
        if not still_justified(order.invoice_ids, order.minimum_open_cents, owed[order.subscription_id])
    ]


def _restore_apart(runtime: Runtime, actor: Actor, ids: Sequence[int]) -> Restored:
    """In one transaction, or else each in one of its own."""
    try:
        with runtime.database.transaction(actor) as tx:
            return restore(tx, ids)
    except Unavailable:
        raise
    except Exception:
        if len(ids) == 1:
            log.exception("a subscription could not be looked at", subscription=ids[0])
            return Restored(failed=1)
    total = Restored()
    for subscription_id in ids:
        total += _restore_apart(runtime, actor, [subscription_id])
    return total


def _is_restricted() -> ColumnElement[bool]:
    return Subscription.state.in_(_RESTRICTED)


def _locked_states(tx: Transaction, subscription_ids: Sequence[int]) -> dict[int, str]:
    query = select(Subscription.id, Subscription.state).where(
        among(tx.session, Subscription.id, subscription_ids), Subscription.cancelled_at.is_(None)
    )
    locked = query.order_by(Subscription.id).with_for_update(of=Subscription, key_share=True)
    return {row.id: row.state for row in tx.session.execute(locked)}


def _owed(tx: Transaction, subscription_ids: Sequence[int]) -> Mapping[int, dict[int, int]]:
    """Open cents by invoice, of each subscription."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    query = select(Debt).where(among(tx.session, Debt.subscription_id, subscription_ids), Debt.open_cents > 0)
    for debt in tx.session.scalars(query):
        found[debt.subscription_id][debt.invoice_id] = debt.open_cents
    return found
