"""One subscription taking the place of another: what goes over to it, all in one transaction.

Over go: login, password and MAC address, where it may be used, the fixed address, routed prefixes, which routers serve
it, pauses, trust unblocks, live restriction orders and what is owed, so that nobody gets rid of a suspension by
migrating, and nobody loses service who had it; and what is scheduled to happen. A custom speed stays behind, present or
scheduled: it was agreed upon the old plan. What the waiting subscription was given of its own meanwhile (credentials,
an address, prefixes, routers) it keeps, and the old one's is given back.

Facts with an interval are copied and end at the old one, so that both explain what held for them at any instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import inspect, or_, select

from core.database import Transaction
from ipam.allocation import fixed_address_of, move_fixed_address, release_fixed_address
from ipam.routed import move_prefixes, prefixes_of, withdraw_prefixes
from provisioning.models import Debt, PauseRow, RestrictionOrderRow, SpeedOverrideRow, Subscription, TrustUnblockRow
from provisioning.protocols import issue_protocol
from provisioning.refresh import refresh
from provisioning.routeros.services.handing_on import hand_on_services
from provisioning.scheduled.models import ScheduledChange
from provisioning.subscriber_history import narrate_subscriber
from provisioning.timeline import narrate

_ADMISSION = (
    "session_limit", "mac_binding", "bound_mac", "mac_learns_after", "allowed_nas_id", "allowed_nas_port",
)  # fmt: skip
_LEFT_BEHIND = ("override-speed", "end-speed-override", "activate", "migrate")
"""Scheduled actions that are about the old subscription only."""


def take_over(tx: Transaction, old: Subscription, new: Subscription, note: str = "") -> str:
    """Install `new` in the place of `old`, which is cancelled by it; both are locked. Gives the protocol number.

    Billing follows by the event `subscription.migrated` {old, new}: account and charges.
    """
    login, state = old.login, old.state
    routers = hand_on_services(tx, from_subscription=old.id, to_subscription=new.id)
    old.cancelled_at = new.installed_at = tx.now
    refresh(tx, [old.id])  # withdraws the records of its login and MAC address, before another's are published
    moved: dict[str, object] = {
        "credentials": _move_credentials(tx, old, new),
        "fixed_address": _move_address(tx, old, new),
        "prefixes": _move_prefixes(tx, old, new),
        "routers": routers,
        "custom_speed": "stays behind" if _has_override(tx, old.id) else "none",
    }
    _move_intervals(tx, old.id, new.id)
    moved["scheduled"] = _move_scheduled(tx, old.id, new.id)
    owed = _move_debts(tx, old.id, new.id)
    details: dict[str, object] = {
        "login": login,
        "plan": old.plan.name,
        "new_plan": new.plan.name,
        **moved,
        "owed_cents": owed,
    }
    old.protocol = _protocol(tx, old, new, details)
    _tell(tx, old, new, {**details, "protocol": old.protocol}, note)
    refresh(tx, [old.id, new.id])
    tx.audit("migrate", "subscription", new.id, {"id": old.id, "state": state}, {"from": old.id, **details}, note)
    tx.enqueue("subscription.migrated", str(new.id), payload={"old": old.id, "new": new.id})
    return old.protocol


def _protocol(tx: Transaction, old: Subscription, new: Subscription, details: dict[str, object]) -> str:
    told = {"old": old.id, "new": new.id, **details}
    return issue_protocol(tx, "migration", subscriber_id=old.subscriber_id, subscription_id=old.id, details=told)


def _tell(tx: Transaction, old: Subscription, new: Subscription, details: dict[str, object], note: str) -> None:
    """In both timelines, each with a link to the other, and in the subscriber's history."""
    narrate(tx, old.id, "migrated.away", details={"to": new.id, **details}, note=note)
    narrate(tx, new.id, "migrated.here", details={"from": old.id, **details}, note=note)
    told = {"from": old.id, "to": new.id, **details}
    narrate_subscriber(tx, new.subscriber_id, "subscription.migrated", details=told, note=note)


def _move_credentials(tx: Transaction, old: Subscription, new: Subscription) -> str:
    """The old one's login may be another's only once its own row has let go of it."""
    login, password, mac = old.login, old.password, old.mac
    old.login = old.password = old.mac = None
    tx.session.flush()
    if new.login is not None or new.mac is not None:
        return "its own"
    new.login, new.password, new.mac = login, password, mac
    for name in _ADMISSION:
        setattr(new, name, getattr(old, name))
    tx.session.flush()
    return "moved"


def _move_address(tx: Transaction, old: Subscription, new: Subscription) -> str:
    address = fixed_address_of(tx, old.id)
    if address is None:
        return "none" if fixed_address_of(tx, new.id) is None else "its own"
    if fixed_address_of(tx, new.id) is None:
        return str(move_fixed_address(tx, from_subscription=old.id, to_subscription=new.id).address)
    release_fixed_address(tx, subscription_id=old.id, quarantine_days=tx.settings.quarantine_days)
    return "its own"


def _move_prefixes(tx: Transaction, old: Subscription, new: Subscription) -> list[str]:
    if prefixes_of(tx, [new.id]):
        withdraw_prefixes(tx, subscription_id=old.id)
        return []
    moved = move_prefixes(tx, from_subscription=old.id, to_subscription=new.id)
    return [str(prefix.network) for prefix in moved]


def _move_intervals(tx: Transaction, old_id: int, new_id: int) -> None:
    """Pauses, trust unblocks and orders, live and to come; past trust too, because its uses are counted."""
    going_on = [or_(table.until.is_(None), table.until > tx.now) for table in (PauseRow, TrustUnblockRow)]
    for pause in _copy(tx, PauseRow, old_id, new_id, "until", going_on[0]):
        pause.ended_by = tx.actor.name
    _copy(tx, TrustUnblockRow, old_id, new_id, "until")
    _copy(tx, RestrictionOrderRow, old_id, new_id, "lapsed_at", RestrictionOrderRow.lapsed_at.is_(None))


def _copy(tx: Transaction, table: Any, old_id: int, new_id: int, end: str, *which: Any) -> Sequence[Any]:
    rows = tx.session.scalars(select(table).where(table.subscription_id == old_id, *which).order_by(table.id)).all()
    names = [column.key for column in inspect(table).column_attrs if column.key not in ("id", "subscription_id")]
    for row in rows:
        tx.session.add(table(subscription_id=new_id, **{name: getattr(row, name) for name in names}))
        until = getattr(row, end)
        if until is None or until > tx.now:
            setattr(row, end, tx.now)
    tx.session.flush()
    return rows


def _move_scheduled(tx: Transaction, old_id: int, new_id: int) -> list[int]:
    """What is still to come happens to the new one; gives the numbers. Those due already are being carried out."""
    waiting = select(ScheduledChange).where(
        ScheduledChange.subscription_id == old_id, ScheduledChange.status == "waiting", ScheduledChange.due_at > tx.now
    )
    moved = []
    for change in tx.session.scalars(waiting.order_by(ScheduledChange.id).with_for_update()).all():
        if change.action in _LEFT_BEHIND:
            result = f"subscription {old_id} has migrated to {new_id}"
            change.status, change.result, change.done_at = "cancelled", result, tx.now
        else:
            change.subscription_id = new_id
            moved.append(change.id)
    return moved


def _move_debts(tx: Transaction, old_id: int, new_id: int) -> int:
    """Key what is owed by the new subscription; gives the open cents that went over."""
    moved = 0
    for debt in tx.session.scalars(select(Debt).where(Debt.subscription_id == old_id).order_by(Debt.invoice_id)).all():
        there = tx.session.get(Debt, (new_id, debt.invoice_id))
        if there is None:
            tx.session.add(
                Debt(
                    subscription_id=new_id, invoice_id=debt.invoice_id, due_on=debt.due_on,
                    open_cents=debt.open_cents, updated_at=tx.now,
                )
            )  # fmt: skip
        else:
            there.open_cents, there.updated_at = there.open_cents + debt.open_cents, tx.now
        moved += debt.open_cents
        tx.session.delete(debt)
    tx.session.flush()
    return moved


def _has_override(tx: Transaction, subscription_id: int) -> bool:
    live = or_(SpeedOverrideRow.until.is_(None), SpeedOverrideRow.until > tx.now)
    query = select(SpeedOverrideRow.id).where(SpeedOverrideRow.subscription_id == subscription_id, live)
    return tx.session.scalar(query.limit(1)) is not None
