"""Handing a service on to another subscriber: everything that hangs on it goes with it, under the same id.

What is owed goes along ("move"): billing changes the owner of the open invoices that are about this service alone, by
the event `subscription.transferred`. Or it stays ("stay"): the old owner goes on owing, and no debt of theirs can
restrict the new one. Invoices shared with other services always stay, and are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from core.database import Transaction
from core.errors import InvalidInput
from provisioning import checks
from provisioning.debts import open_debts, set_aside
from provisioning.models import Debt, Subscriber, Subscription
from provisioning.moves.migration import waiting_migration
from provisioning.protocols import issue_protocol
from provisioning.refresh import refresh
from provisioning.subscriber_history import narrate_subscriber
from provisioning.subscribers import get_subscriber, register_subscriber
from provisioning.subscriptions import lock_subscription
from provisioning.timeline import narrate

MOVE, STAY = "move", "stay"


@dataclass(frozen=True, slots=True)
class Transferred:
    """What came of it: the subscription, its protocol number, and invoices by what became of them."""

    subscription: Subscription
    protocol: str
    moving: Sequence[int]
    staying: Sequence[int]


def transfer(
    tx: Transaction,
    *,
    subscription_id: int,
    subscriber_id: int | None = None,
    new_subscriber: Mapping[str, object] | None = None,
    debts: str = MOVE,
    note: str = "",
) -> Transferred:
    """Give the service to another subscriber, who is there already or is registered by it (fields as for that).

    `debts`: "move" or "stay". A migration that waits goes along. InvalidInput for the present owner; NotAllowed when
    it is cancelled.
    """
    if debts not in (MOVE, STAY):
        raise InvalidInput("debts", f"one of {MOVE}, {STAY}", MOVE)
    subscription = lock_subscription(tx, subscription_id)
    old = subscription.subscriber
    new = _receiver(tx, old, subscriber_id, new_subscriber)
    moving, staying = _sorted_debts(tx, subscription_id, debts)
    _hand_over(tx, subscription, new)
    set_aside(tx, subscription_id=subscription_id, invoice_ids=staying)
    text = checks.optional_text(note, "note", 2000, "the house was sold")
    protocol = _tell(tx, subscription_id, (old, new), {"debts": debts, "moving": moving, "staying": staying}, text)
    refresh(tx, [subscription_id])
    payload = {"subscription_id": subscription_id, "from": old.id, "to": new.id, "debts": debts, "invoices": moving}
    tx.enqueue("subscription.transferred", f"{subscription_id}:{protocol}", payload=payload)
    return Transferred(subscription, protocol, moving, staying)


def _receiver(
    tx: Transaction, old: Subscriber, subscriber_id: int | None, new_subscriber: Mapping[str, object] | None
) -> Subscriber:
    if (subscriber_id is None) == (new_subscriber is None):
        raise InvalidInput("subscriber_id", "the subscriber who gets it, or new_subscriber, not both", old.id + 1)
    if new_subscriber is not None:
        return register_subscriber(tx, **new_subscriber)  # type: ignore[arg-type]
    assert subscriber_id is not None  # noqa: S101
    if subscriber_id == old.id:
        raise InvalidInput("subscriber_id", f"another subscriber than the present one, {old.name}", old.id + 1)
    return get_subscriber(tx, subscriber_id)


def _sorted_debts(tx: Transaction, subscription_id: int, debts: str) -> tuple[list[int], list[int]]:
    """Invoices with something open: those that move with the service, those that stay with the old owner."""
    invoices = [debt.invoice_id for debt in open_debts(tx, subscription_id)]
    if debts == STAY:
        return [], invoices
    others = select(Debt.invoice_id).where(Debt.invoice_id.in_(invoices), Debt.subscription_id != subscription_id)
    shared = set(tx.session.scalars(others))
    return [number for number in invoices if number not in shared], [number for number in invoices if number in shared]


def _hand_over(tx: Transaction, subscription: Subscription, new: Subscriber) -> None:
    for service in (subscription, waiting_migration(tx, subscription.id)):
        if service is not None:
            service.subscriber_id, service.subscriber = new.id, new
    tx.session.flush()


def _tell(
    tx: Transaction, subscription_id: int, owners: tuple[Subscriber, Subscriber], what: Mapping[str, object], note: str
) -> str:
    """In the timeline and in the history of both owners; gives the protocol number."""
    old, new = owners
    who: dict[str, object] = {"from": old.id, "from_name": old.name, "to": new.id, "to_name": new.name}
    told: dict[str, object] = {"subscription": subscription_id, **who, **what}
    told["protocol"] = protocol = issue_protocol(
        tx, "transfer", subscriber_id=new.id, subscription_id=subscription_id, details=told
    )
    narrate(tx, subscription_id, "transferred", details=told, note=note)
    narrate_subscriber(tx, old.id, "subscription.handed-on", details=told, note=note)
    narrate_subscriber(tx, new.id, "subscription.received", details=told, note=note)
    tx.audit("transfer", "subscription", subscription_id, {"subscriber_id": old.id}, told, note)
    return protocol
