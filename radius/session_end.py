"""Ending sessions by inference, many at a time: silent ones, those of a NAS that is removed, one that a NAS disowns.

Whatever an end means besides happens here too, in the same transaction: what the session has moved since its day began
is counted for its subscription, and the RADIUS hosts hear that the line is free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, select, update

from core.among import among
from core.database import Transaction
from radius.company_days import CompanyDays
from radius.models import Session
from radius.presence_feed import publish_presence
from radius.session_lock import lock_sessions_of
from radius.usage import add_usage
from radius.usage_meter import Counted

_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Ended:
    """How many sessions were ended, and on which NAS, in order of number."""

    sessions: int
    nas_ids: tuple[int, ...]


def end_sessions(
    tx: Transaction, *conditions: ColumnElement[bool], by: str, cause: str, at: datetime | None = None
) -> Ended:
    """End the open sessions for which all `conditions` hold, `at` an instant; None: each when it was last heard of.

    `by` is one of the authors of `radius.fold`, `cause` an Acct-Terminate-Cause. Session objects that `tx` has loaded
    already are not refreshed.
    """
    is_open = and_(Session.stopped_at.is_(None), *conditions)
    lock_sessions_of(tx, tx.session.scalars(select(Session.nas_id).where(is_open).distinct()))
    rest = Session.input_octets - Session.usage_input_octets, Session.output_octets - Session.usage_output_octets
    statement = select(
        Session.id, Session.nas_id, Session.subscription_id, Session.usage_day, Session.updated_at, *rest
    )
    found = tx.session.execute(statement.where(is_open).order_by(Session.id).with_for_update()).all()
    days = CompanyDays(tx.settings.timezone)
    owned = {row.subscription_id for row in found if row.subscription_id is not None}
    add_usage(
        tx,
        [
            Counted(subscription_id, day or days.of(updated_at), given, taken)
            for _, _, subscription_id, day, updated_at, given, taken in found
            if subscription_id is not None and (given or taken)
        ],
    )
    _end(tx, [row.id for row in found], by, cause, at)
    publish_presence(tx, owned)
    return Ended(len(found), tuple(sorted({row.nas_id for row in found})))


def end_session(tx: Transaction, session: Session, at: datetime, by: str, cause: str) -> None:
    """End one session, which is open and whose row this transaction has locked."""
    session.stopped_at, session.closed_by, session.terminate_cause = at, by, cause
    if session.subscription_id is None:
        return
    rest = session.input_octets - session.usage_input_octets, session.output_octets - session.usage_output_octets
    day = session.usage_day or CompanyDays(tx.settings.timezone).of(session.updated_at)
    add_usage(tx, [Counted(session.subscription_id, day, *rest)] if any(rest) else [])
    session.usage_input_octets, session.usage_output_octets = session.input_octets, session.output_octets
    publish_presence(tx, [session.subscription_id])


def _end(tx: Transaction, ids: Sequence[int], by: str, cause: str, at: datetime | None) -> None:
    owned = Session.subscription_id.is_not(None)
    values = {
        "stopped_at": at or Session.updated_at,
        "closed_by": by,
        "terminate_cause": cause,
        "usage_input_octets": case((owned, Session.input_octets), else_=Session.usage_input_octets),
        "usage_output_octets": case((owned, Session.output_octets), else_=Session.usage_output_octets),
    }
    for start in range(0, len(ids), _CHUNK):
        chunk = among(tx.session, Session.id, ids[start : start + _CHUNK])
        statement = update(Session).where(chunk).values(values)
        tx.session.execute(statement, execution_options={"synchronize_session": False})
