"""What operators do to a subscription's service: trust unblock, custom speed, pause, cancellation.

Each writes one fact and lets the state follow. Ending something early moves its `until`: the fact that it was
granted stays in the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import select

from core.database import Transaction
from core.errors import InvalidInput, NotAllowed
from ipam.allocation import fixed_address_of, release_fixed_address
from ipam.routed import withdraw_prefixes
from provisioning import checks
from provisioning.fact_store import load_known, rules_from
from provisioning.facts import ServiceState
from provisioning.models import PauseRow, SpeedOverrideRow, Subscription, TrustUnblockRow
from provisioning.refresh import refresh
from provisioning.service_state import Evaluation, service_state
from provisioning.subscriptions import lock_subscription
from provisioning.timeline import narrate

_Row = TypeVar("_Row", TrustUnblockRow, SpeedOverrideRow, PauseRow)
_RESTRICTED = (ServiceState.SUSPENDED, ServiceState.REDUCED)


def grant_trust_unblock(tx: Transaction, *, subscription_id: int, until: datetime, note: str) -> TrustUnblockRow:
    """Service on a promise to pay, until an instant; only for a SUSPENDED or REDUCED subscription.

    At `until` the state that the bills then demand holds by itself.
    """
    lock_subscription(tx, subscription_id)
    state = _present(tx, subscription_id).state
    if state not in _RESTRICTED:
        raise NotAllowed(
            f"subscription {subscription_id} is {state.value}: trust unblock is for SUSPENDED or REDUCED",
            state=state.value,
        )
    example = tx.now + timedelta(days=1)
    checks.later_than(until, tx.now, "until", example)
    if until > tx.now + timedelta(days=tx.settings.trust_max_days):
        raise InvalidInput("until", f"at most {tx.settings.trust_max_days} days ahead", example.isoformat())
    row = TrustUnblockRow(
        subscription_id=subscription_id,
        since=tx.now,
        until=until,
        note=checks.required_text(note, "note", 2000, "will pay on Friday, talked to Maria"),
        granted_by=tx.actor.name,
    )
    return _write(tx, row, "trust.granted", {"until": until}, row.note)


def end_trust_unblock(tx: Transaction, *, subscription_id: int, note: str = "") -> Subscription:
    """End a live trust unblock now."""
    return _end(tx, subscription_id, TrustUnblockRow, "trust.ended", "trust unblock", note)


def override_speed(
    tx: Transaction,
    *,
    subscription_id: int,
    download_bps: int,
    upload_bps: int,
    until: datetime | None = None,
    note: str = "",
) -> SpeedOverrideRow:
    """A custom speed, plan untouched; without `until` it holds until it is changed or ended."""
    lock_subscription(tx, subscription_id)
    if until is not None:
        checks.later_than(until, tx.now, "until", tx.now + timedelta(days=7))
    for earlier in _live_rows(tx, SpeedOverrideRow, subscription_id):
        earlier.until = tx.now
    row = SpeedOverrideRow(
        subscription_id=subscription_id,
        since=tx.now,
        until=until,
        download_bps=checks.rate(download_bps, "download_bps"),
        upload_bps=checks.rate(upload_bps, "upload_bps"),
        note=checks.optional_text(note, "note", 2000, "festival week"),
    )
    details = {"download_bps": row.download_bps, "upload_bps": row.upload_bps, "until": until}
    return _write(tx, row, "speed.overridden", details, row.note)


def end_speed_override(tx: Transaction, *, subscription_id: int, note: str = "") -> Subscription:
    """Back to the plan's speed now."""
    return _end(tx, subscription_id, SpeedOverrideRow, "speed.restored", "custom speed", note)


def pause(tx: Transaction, *, subscription_id: int, until: datetime | None = None, note: str = "") -> PauseRow:
    """Stop the service at the subscriber's request; with `until` it comes back by itself."""
    lock_subscription(tx, subscription_id)
    state = _present(tx, subscription_id).state
    if state in (ServiceState.PAUSED, ServiceState.PENDING_INSTALL, ServiceState.PENDING_MIGRATION):
        raise NotAllowed(f"subscription {subscription_id} is {state.value} and cannot be paused", state=state.value)
    if until is not None:
        checks.later_than(until, tx.now, "until", tx.now + timedelta(days=30))
    row = PauseRow(
        subscription_id=subscription_id,
        since=tx.now,
        until=until,
        note=checks.optional_text(note, "note", 2000, "travelling until July"),
    )
    return _write(tx, row, "paused", {"until": until}, row.note)


def resume(tx: Transaction, *, subscription_id: int, note: str = "") -> Subscription:
    """End the pause now; what the bills demand holds again."""
    return _end(tx, subscription_id, PauseRow, "resumed", "pause", note)


def cancel(tx: Transaction, *, subscription_id: int, note: str = "", cancel_open_invoices: bool = True) -> Subscription:
    """Cancel for good. The protocol number records it; open invoices follow through an event."""
    subscription = lock_subscription(tx, subscription_id)
    subscription.cancelled_at = tx.now
    subscription.protocol = f"{tx.now:%Y%m%d}{subscription_id:08d}"
    details = {"protocol": subscription.protocol, "cancel_open_invoices": cancel_open_invoices}
    text = checks.optional_text(note, "note", 2000, "moved to another city")
    narrate(tx, subscription_id, "cancelled", details=details, note=text)
    tx.audit("cancel", "subscription", subscription_id, after=details, note=text)
    if fixed_address_of(tx, subscription_id) is not None:
        release_fixed_address(tx, subscription_id=subscription_id, quarantine_days=tx.settings.quarantine_days)
    withdraw_prefixes(tx, subscription_id=subscription_id)
    refresh(tx, [subscription_id])
    tx.enqueue(
        "subscription.cancelled",
        str(subscription_id),
        payload={"subscription_id": subscription_id, "cancel_open_invoices": cancel_open_invoices, "note": text},
    )
    return subscription


def _present(tx: Transaction, subscription_id: int) -> Evaluation:
    [known] = load_known(tx, [subscription_id])
    return service_state(known.facts, rules_from(tx.settings), tx.now)


def _write(tx: Transaction, row: _Row, event: str, details: Mapping[str, object], note: str) -> _Row:
    tx.session.add(row)
    tx.session.flush()
    narrate(tx, row.subscription_id, event, details=details, note=note)
    tx.audit(event, "subscription", row.subscription_id, after=details, note=note)
    refresh(tx, [row.subscription_id])
    return row


def _live_rows(tx: Transaction, table: Any, subscription_id: int) -> list[Any]:
    rows = tx.session.scalars(select(table).where(table.subscription_id == subscription_id)).all()
    return [row for row in rows if row.since <= tx.now and (row.until is None or tx.now < row.until)]


def _end(tx: Transaction, subscription_id: int, table: Any, event: str, name: str, note: str) -> Subscription:
    subscription = lock_subscription(tx, subscription_id)
    live = _live_rows(tx, table, subscription_id)
    if not live:
        raise NotAllowed(f"subscription {subscription_id} has no {name} at present")
    for row in live:
        row.until = tx.now
    text = checks.optional_text(note, "note", 2000, "asked by telephone")
    narrate(tx, subscription_id, event, note=text)
    tx.audit(event, "subscription", subscription_id, note=text)
    refresh(tx, [subscription_id])
    return subscription
