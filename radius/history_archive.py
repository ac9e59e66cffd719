"""From `session` into the address history: sessions that ended long enough ago leave one row an address and go.

In batches of one transaction each, oldest end first, so it may stop anywhere and goes on where it was. Rows that
somebody else has locked are left for the next time; the drainer never waits. What a session moved was counted for its
subscription when it ended (`radius.usage_meter`), so nothing of it is lost.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select

from core.database import Transaction
from radius.history import remember_use, uses_of
from radius.history_months import Month, months_wanted
from radius.history_partitions import make_partitions
from radius.models import Session

BATCH = 1_000
MONTHS_AHEAD = 2


def prepare(tx: Transaction, kept_from: datetime) -> list[Month]:
    """Make the partitions of the present, of the months to come and of the sessions that wait; tells which it made."""
    oldest_end = tx.session.scalar(select(func.min(Session.stopped_at)))
    return make_partitions(tx, months_wanted(tx.now, MONTHS_AHEAD, oldest_end, kept_from))


def archive_batch(tx: Transaction, ended_before: datetime, limit: int = BATCH) -> int:
    """Move the sessions that ended before that instant, `limit` at most; gives how many it moved.

    The session with the highest number stays: SQLite would give that number out again.
    """
    highest = select(func.max(Session.id)).scalar_subquery()
    ended = select(Session).where(Session.stopped_at < ended_before, Session.id != highest)
    oldest = ended.order_by(Session.stopped_at, Session.id).limit(limit).with_for_update(skip_locked=True)
    sessions = tx.session.scalars(oldest).all()
    remember_use(tx, [use for session in sessions for use in uses_of(session)])
    gone = delete(Session).where(Session.id.in_([session.id for session in sessions]))
    tx.session.execute(gone, execution_options={"synchronize_session": False})
    return len(sessions)
