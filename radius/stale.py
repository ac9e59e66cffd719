"""Sessions that nobody speaks of any more.

A lost Stop must not keep a subscriber connected for ever, so an open session whose interim updates have stopped counts
as gone. But silence has two ends. It only speaks against the NAS while we are listening and what we heard is in the
database: after an outage of ours, with a backlog in some spool, or across a jump of the clock, nothing is closed
until a whole window of listening has gone by. And since this is an inference, an Interim that comes after all opens the
session again (`radius.fold`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from core.database import Transaction
from core.jobs import every
from core.logs import get_logger
from core.runtime import Runtime
from radius.fold import STALE
from radius.models import Session, SpoolPosition
from radius.session_end import end_sessions

SPOOL_FORGOTTEN = timedelta(days=1)
"""A spool that has said nothing for this long is of a host that was taken away, or counts as such."""
log = get_logger("radius.stale")


def close_stale(tx: Transaction, interim: timedelta, missed: int) -> int:
    """Close open sessions that have missed this many interim updates, at their last sign; gives how many."""
    window = interim * missed
    horizon = heard_until(tx, window)
    if horizon is None:
        return 0
    ended = end_sessions(tx, Session.updated_at < horizon - window, by=STALE, cause="Lost-Carrier")
    for nas_id in ended.nas_ids:
        tx.enqueue("session.changed", str(nas_id))
    return ended.sessions


def heard_until(tx: Transaction, window: timedelta) -> datetime | None:
    """Until when all accounting is known, if it was listened to for a whole `window`; None: no judgement now."""
    recent = select(SpoolPosition).where(SpoolPosition.seen_at > tx.now - SPOOL_FORGOTTEN)
    spools = tx.session.scalars(recent).all()
    if any(spool.listening_since > tx.now - window for spool in spools):
        return None
    return min((spool.caught_up_at for spool in spools), default=tx.now)


@every(60, "close-stale-sessions")
def close_stale_sessions(runtime: Runtime) -> None:
    settings = runtime.settings
    with runtime.database.transaction() as tx:
        closed = close_stale(tx, timedelta(seconds=settings.interim_seconds), settings.stale_after_interims)
    if closed:
        log.info("closed sessions that went silent", sessions=closed)
