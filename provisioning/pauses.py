"""Pause at the subscriber's request, with the day of its return."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, or_, select

from core.database import Transaction
from core.errors import NotAllowed
from provisioning import checks
from provisioning.facts import ServiceState
from provisioning.intervals import begin, end_live, live_rows, present
from provisioning.models import PauseRow, Subscription
from provisioning.refresh import refresh
from provisioning.subscriptions import lock_subscription
from provisioning.timeline import narrate

_NOT_TO_PAUSE = (ServiceState.PAUSED, ServiceState.PENDING_INSTALL, ServiceState.PENDING_MIGRATION)


def pause(
    tx: Transaction,
    *,
    subscription_id: int,
    until: datetime | None = None,
    note: str = "",
    return_note: str = "",
) -> PauseRow:
    """Stop the service at the subscriber's request; with `until` it comes back by itself.

    Who owes may pause too: what the bills demand holds again at the return. `return_note` stands in the timeline then.
    """
    lock_subscription(tx, subscription_id)
    state = present(tx, subscription_id).state
    if state in _NOT_TO_PAUSE:
        raise NotAllowed(f"subscription {subscription_id} is {state.value} and cannot be paused", state=state.value)
    row = PauseRow(
        subscription_id=subscription_id,
        since=tx.now,
        until=_return_at(tx, until),
        note=checks.optional_text(note, "note", 2000, "travelling until July"),
        return_note=checks.optional_text(return_note, "return_note", 2000, "back from the trip"),
    )
    return begin(tx, row, "paused", {"until": until, "return_note": row.return_note})


def move_return(
    tx: Transaction, *, subscription_id: int, until: datetime | None, note: str = "", return_note: str | None = None
) -> PauseRow:
    """Let the pause end at another instant; `until` None: when it is resumed. `return_note` None: as it was."""
    lock_subscription(tx, subscription_id)
    live = live_rows(tx, PauseRow, subscription_id)
    if not live:
        raise NotAllowed(f"subscription {subscription_id} has no pause at present")
    row = max(live, key=lambda item: (item.since, item.id))
    before = {"until": row.until, "return_note": row.return_note}
    row.until = _return_at(tx, until)
    if return_note is not None:
        row.return_note = checks.optional_text(return_note, "return_note", 2000, "back from the trip")
    after = {"until": row.until, "return_note": row.return_note}
    text = checks.optional_text(note, "note", 2000, "stays away longer")
    narrate(tx, subscription_id, "pause.moved", details={"from": before["until"], "to": row.until}, note=text)
    tx.audit("move-return", "subscription", subscription_id, before, after, note=text)
    refresh(tx, [subscription_id])
    return row


def resume(tx: Transaction, *, subscription_id: int, note: str = "") -> Subscription:
    """End the pause now; what the bills demand holds again."""
    return end_live(tx, PauseRow, subscription_id, "resumed", "pause", note)


def live_pauses(now: datetime, *, returning_by: datetime | None = None) -> Select[PauseRow]:
    """The pauses that hold at `now`; `returning_by`: those that end by themselves until then."""
    query = (
        select(PauseRow)
        .join(Subscription, Subscription.id == PauseRow.subscription_id)
        .where(Subscription.cancelled_at.is_(None), PauseRow.since <= now)
        .where(or_(PauseRow.until.is_(None), PauseRow.until > now))
    )
    return query if returning_by is None else query.where(PauseRow.until <= returning_by)


def _return_at(tx: Transaction, until: datetime | None) -> datetime | None:
    return None if until is None else checks.later_than(until, tx.now, "until", tx.now + timedelta(days=30))
