"""Migrating to another service: a new subscription that takes the place of the old one, at once or when it is enabled.

Not at once, the new one waits (PENDING_MIGRATION) while the old one goes on; activating it is the migration. What
goes over is in `provisioning.moves.succession`.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.database import Transaction
from core.errors import Conflict, InvalidInput, NotAllowed
from ipam.allocation import fixed_address_of, release_fixed_address
from ipam.routed import withdraw_prefixes
from provisioning import checks
from provisioning.models import Plan, Subscription
from provisioning.plan_switches import PRICE_CHANGED, PRICE_KEPT
from provisioning.plans import get_plan
from provisioning.prices import own_price_after, price_of
from provisioning.refresh import refresh
from provisioning.subscriptions import activate, lock_subscription
from provisioning.timeline import narrate


def start_migration(
    tx: Transaction,
    *,
    subscription_id: int,
    plan_id: int,
    immediate: bool = False,
    change_price: bool = True,
    note: str = "",
) -> Subscription:
    """A new subscription on `plan_id` that takes the place of this one; gives the new one.

    `immediate`: it does so now; otherwise it waits until it is activated, or the migration abandoned. `change_price`:
    it costs what its plan costs, otherwise what the old one costs now. NotAllowed for one that is not installed;
    Conflict when a migration waits already (named).
    """
    old = lock_subscription(tx, subscription_id)
    plan = get_plan(tx, plan_id)
    _refuse(tx, old, plan)
    text = checks.optional_text(note, "note", 2000, "from radio to fibre")
    new = _waiting(tx, old, plan, change_price=change_price)
    _tell_start(tx, old, new, change_price=change_price, note=text)
    refresh(tx, [new.id])
    return activate(tx, subscription_id=new.id, note=text) if immediate else new


def abandon_migration(tx: Transaction, *, subscription_id: int, note: str = "") -> Subscription:
    """Give up a migration that waits; `subscription_id` is the new one's. The old one goes on as if nothing was."""
    waiting = lock_subscription(tx, subscription_id)
    if waiting.migrates_from_id is None or waiting.installed_at is not None:
        raise NotAllowed(f"subscription {subscription_id} awaits no migration: it is {waiting.state}")
    text = checks.optional_text(note, "note", 2000, "no fibre in this street yet")
    waiting.cancelled_at = tx.now
    if fixed_address_of(tx, subscription_id) is not None:
        release_fixed_address(tx, subscription_id=subscription_id, quarantine_days=tx.settings.quarantine_days)
    withdraw_prefixes(tx, subscription_id=subscription_id)
    told = {"from": waiting.migrates_from_id, "to": subscription_id, "plan": waiting.plan.name}
    for each in (waiting.migrates_from_id, subscription_id):
        narrate(tx, each, "migration.abandoned", details=told, note=text)
    tx.audit("abandon-migration", "subscription", subscription_id, after=told, note=text)
    refresh(tx, [subscription_id])
    return waiting


def waiting_migration(tx: Transaction, subscription_id: int) -> Subscription | None:
    """The new subscription that waits to take this one's place, if there is one."""
    query = select(Subscription).where(
        Subscription.migrates_from_id == subscription_id,
        Subscription.installed_at.is_(None),
        Subscription.cancelled_at.is_(None),
    )
    return tx.session.scalar(query)


def _refuse(tx: Transaction, old: Subscription, plan: Plan) -> None:
    if old.installed_at is None:
        raise NotAllowed(
            f"subscription {old.id} is {old.state}: before it is installed, switch its plan instead", state=old.state
        )
    if plan.id == old.plan_id:
        raise InvalidInput("plan_id", f"another plan than the present one, {old.plan.name}", plan.id + 1)
    if (other := waiting_migration(tx, old.id)) is not None:
        detail = (
            f"subscription {other.id} ({other.plan.name}) waits to take the place of {old.id}: activate or abandon it"
        )
        raise Conflict(detail, subscription_id=other.id)


def _waiting(tx: Transaction, old: Subscription, plan: Plan, *, change_price: bool) -> Subscription:
    new = Subscription(
        subscriber_id=old.subscriber_id,
        plan_id=plan.id,
        price_cents=own_price_after(old, change_price=change_price),
        migrates_from_id=old.id,
        opened_at=tx.now,
        state="PENDING_MIGRATION",
        state_since=tx.now,
        desired_since=tx.now,
    )
    try:
        with tx.session.begin_nested():
            tx.session.add(new)
    except IntegrityError as error:
        raise Conflict(f"another migration of subscription {old.id} began at this moment", field="plan_id") from error
    return new


def _tell_start(tx: Transaction, old: Subscription, new: Subscription, *, change_price: bool, note: str) -> None:
    told = {
        "from": old.id,
        "to": new.id,
        "plan": old.plan.name,
        "new_plan": new.plan.name,
        "change_price": change_price,
        "price": PRICE_CHANGED if change_price else PRICE_KEPT,
        "from_cents": price_of(old),
        "to_cents": price_of(new),
    }
    for each in (old, new):
        narrate(tx, each.id, "migration.started", details=told, note=note)
    tx.audit("start-migration", "subscription", old.id, after=told, note=note)
