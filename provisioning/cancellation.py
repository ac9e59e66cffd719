"""Cancelling a subscription for good, with the choices that its protocol number records."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from sqlalchemy import select

from core.database import Transaction
from core.errors import InvalidInput, NotAllowed
from core.job_queue import Job
from core.jobs import handles
from core.outcomes import Applied, Outcome
from core.runtime import Runtime
from ipam.allocation import release_fixed_address
from ipam.lookup import fixed_address_of
from ipam.routed import prefixes_of, withdraw_prefixes
from provisioning import checks
from provisioning.models import Subscription
from provisioning.protocols import issue_protocol
from provisioning.refresh import refresh
from provisioning.subscriptions import get_subscription, lock_subscription
from provisioning.timeline import narrate
from radius.models import Nas, Session

MOST_FINE_CENTS = 100_000_000


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that a cancellation would end."""

    id: int
    nas: str
    user_name: str


@dataclass(frozen=True, slots=True)
class CancelPreview:
    """What cancelling would take away; invoices are billing's."""

    subscription_id: int
    state: str
    login: str | None
    sessions: tuple[LiveSession, ...]
    fixed_address: IPv4Address | None
    prefixes: tuple[str, ...]


def preview_cancel(tx: Transaction, subscription_id: int) -> CancelPreview:
    """What `cancel` would end. NotAllowed for one that is cancelled already."""
    subscription = get_subscription(tx, subscription_id)
    if subscription.cancelled_at is not None:
        raise NotAllowed(
            f"subscription {subscription_id} was cancelled on {subscription.cancelled_at:%Y-%m-%d}", state="CANCELLED"
        )
    address = fixed_address_of(tx, subscription_id)
    prefixes = prefixes_of(tx, [subscription_id]).get(subscription_id, ())
    return CancelPreview(
        subscription_id,
        subscription.state,
        subscription.login,
        _live_sessions(tx, subscription_id),
        address,
        tuple(str(prefix.network) for prefix in prefixes),
    )


def cancel(
    tx: Transaction,
    *,
    subscription_id: int,
    note: str = "",
    cancel_open_invoices: bool = True,
    fine_cents: int = 0,
    withdrawal_order: bool = False,
    withdrawal_note: str = "",
) -> Subscription:
    """Cancel for good. The protocol number records the choices.

    Open invoices and the fine (0: none) follow through `subscription.cancelled`; `withdrawal_order` asks other software
    through `withdrawal.requested` to fetch the equipment.
    """
    subscription = lock_subscription(tx, subscription_id)
    text = checks.optional_text(note, "note", 2000, "moved to another city")
    choices: dict[str, object] = {
        "cancel_open_invoices": cancel_open_invoices,
        "fine_cents": _fine(fine_cents),
        "withdrawal_order": withdrawal_order,
        "withdrawal_note": _withdrawal_note(withdrawal_order, withdrawal_note),
    }
    subscription.cancelled_at = tx.now
    subscription.protocol = issue_protocol(
        tx,
        "cancellation",
        subscriber_id=subscription.subscriber_id,
        subscription_id=subscription_id,
        details={**choices, "note": text},
    )
    told = {"protocol": subscription.protocol, **choices}
    narrate(tx, subscription_id, "cancelled", details=told, note=text)
    tx.audit("cancel", "subscription", subscription_id, after=told, note=text)
    _take_back(tx, subscription_id)
    refresh(tx, [subscription_id])
    _hand_on(tx, subscription, choices, text)
    return subscription


@handles("withdrawal.requested")
def request_withdrawal(_runtime: Runtime, job: Job) -> Outcome:
    """Nobody here fetches equipment: the job itself, which other software can read, is the order."""
    return Applied(f"withdrawal ordered for subscription {job.payload['subscription_id']}")


def _fine(cents: int) -> int:
    if isinstance(cents, bool) or not 0 <= cents <= MOST_FINE_CENTS:
        raise InvalidInput("fine_cents", f"cents from 0 (no fine) to {MOST_FINE_CENTS}", 15000)
    return cents


def _withdrawal_note(ordered: bool, note: str) -> str:
    text = checks.optional_text(note, "withdrawal_note", 2000, "router and power supply, mornings")
    if text and not ordered:
        raise InvalidInput("withdrawal_note", "only beside withdrawal_order", "")
    return text


def _take_back(tx: Transaction, subscription_id: int) -> None:
    if fixed_address_of(tx, subscription_id) is not None:
        release_fixed_address(tx, subscription_id=subscription_id, quarantine_days=tx.settings.quarantine_days)
    withdraw_prefixes(tx, subscription_id=subscription_id)


def _hand_on(tx: Transaction, subscription: Subscription, choices: dict[str, object], note: str) -> None:
    key, known = str(subscription.id), {"subscription_id": subscription.id, "protocol": subscription.protocol}
    tx.enqueue("subscription.cancelled", key, payload={**known, **choices, "note": note})
    if choices["withdrawal_order"]:
        wanted = {"subscriber_id": subscription.subscriber_id, "note": choices["withdrawal_note"]}
        tx.enqueue("withdrawal.requested", key, payload={**known, **wanted})


def _live_sessions(tx: Transaction, subscription_id: int) -> tuple[LiveSession, ...]:
    query = (
        select(Session.id, Nas.name, Session.nas_address, Session.user_name)
        .outerjoin(Nas, Nas.id == Session.nas_id)
        .where(Session.subscription_id == subscription_id, Session.stopped_at.is_(None))
        .order_by(Session.id)
    )
    rows = tx.session.execute(query)
    return tuple(LiveSession(row.id, row.name or str(row.nas_address), row.user_name) for row in rows)
