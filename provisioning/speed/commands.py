"""A custom speed: the plan stays what it is."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.database import Transaction
from provisioning import checks
from provisioning.intervals import begin, end_live, live_rows
from provisioning.models import SpeedOverrideRow, Subscription
from provisioning.subscriptions import lock_subscription


def override_speed(
    tx: Transaction,
    *,
    subscription_id: int,
    download_bps: int,
    upload_bps: int,
    until: datetime | None = None,
    note: str = "",
) -> SpeedOverrideRow:
    """A custom speed; without `until` it holds until it is changed or ended."""
    lock_subscription(tx, subscription_id)
    row = speed_fact(tx, subscription_id, download_bps, upload_bps, until, note)
    for earlier in live_rows(tx, SpeedOverrideRow, subscription_id):
        earlier.until = tx.now
    details = {"download_bps": row.download_bps, "upload_bps": row.upload_bps, "until": until}
    return begin(tx, row, "speed.overridden", details)


def end_speed_override(tx: Transaction, *, subscription_id: int, note: str = "") -> Subscription:
    """Back to the plan's speed now."""
    return end_live(tx, SpeedOverrideRow, subscription_id, "speed.restored", "custom speed", note)


def speed_fact(
    tx: Transaction, subscription_id: int, download_bps: int, upload_bps: int, until: datetime | None, note: str
) -> SpeedOverrideRow:
    """The fact as it would be written now, its fields checked."""
    if until is not None:
        checks.later_than(until, tx.now, "until", tx.now + timedelta(days=7))
    return SpeedOverrideRow(
        subscription_id=subscription_id,
        since=tx.now,
        until=until,
        download_bps=checks.rate(download_bps, "download_bps"),
        upload_bps=checks.rate(upload_bps, "upload_bps"),
        note=checks.optional_text(note, "note", 2000, "festival week"),
    )
