"""Whether the billing sources still tell us the truth: the alarms of a source that fails, is silent or lists nothing.

While such an alarm is open no new restriction starts by a run; restoring goes on.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from billing_bridge.intake.models import BillingSource
from billing_bridge.intake.sources import FEED_EMPTY, FEED_FAILING, list_sources, lock_source
from core.alarms import end_alarm, raise_alarm
from core.database import Transaction
from core.settings import Settings

FAILURES_TO_ALARM = 2


def note_success(tx: Transaction, source: BillingSource, count: int) -> None:
    """A full comparison went well: both alarms are over."""
    source.last_full_at, source.last_full_count = tx.now, count
    source.failing_since, source.failures, source.failure = None, 0, ""
    for kind in (FEED_EMPTY, FEED_FAILING):
        end_alarm(tx, kind, source.name, note="a full comparison went well")


def note_failure(tx: Transaction, source: BillingSource, why: str) -> None:
    """A full comparison failed: the second in a row is an alarm, and the first where the last good one is old."""
    source.failing_since = source.failing_since or tx.now
    source.failures, source.failure = source.failures + 1, why
    if source.failures >= FAILURES_TO_ALARM or silent_since(source, tx.settings, tx.now):
        raise_alarm(tx, FEED_FAILING, source.name, detail=f"{source.name} failed {source.failures} times: {why}")


def raise_unbelievable(tx: Transaction, source: BillingSource, words: str) -> None:
    """The source answered, but with too little to be believed."""
    raise_alarm(tx, FEED_EMPTY, source.name, detail=f"{words}; nothing was changed. Compare again when it is mended")


def watch_sources(tx: Transaction) -> None:
    """Raise the alarm of every source that was not heard of for too long."""
    for source in list_sources(tx, enabled=True):
        since = silent_since(source, tx.settings, tx.now)
        if since is not None:
            locked = lock_source(tx, source.id)
            detail = f"{locked.name} has told us nothing since {since:%Y-%m-%d %H:%M} UTC"
            raise_alarm(tx, FEED_FAILING, locked.name, detail=detail)


def silent_since(source: BillingSource, settings: Settings, now: datetime) -> datetime | None:
    """Since when a source is silent, where that is too long; None: it is not."""
    if source.pulled:
        last, most = source.last_full_at, settings.feed_stale_hours
    elif source.expect_every_hours is not None:
        last, most = source.last_event_at, source.expect_every_hours
    else:
        return None
    heard = last or source.created_at
    return heard if now - heard > timedelta(hours=most) else None
