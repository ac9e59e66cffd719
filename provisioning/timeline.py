"""The timeline of a subscription: who, when, from, to, why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import insert, select

from core.audit import presentable
from core.database import Transaction
from provisioning.models import TimelineEntry

_NOTHING: dict[str, object] = {"state_before": "", "state_after": "", "details": {}, "note": ""}


def narrate(
    tx: Transaction,
    subscription_id: int,
    event: str,
    *,
    details: Mapping[str, object] | None = None,
    note: str = "",
    states: tuple[str, str] = ("", ""),
) -> None:
    """Add an entry; `states` are the state before and after where it changed."""
    tx.session.add(
        TimelineEntry(
            subscription_id=subscription_id,
            at=tx.now,
            event=event,
            actor=tx.actor.name,
            source=tx.actor.source,
            state_before=states[0],
            state_after=states[1],
            details=presentable(details) or {},
            note=note,
        )
    )


def narrate_each(tx: Transaction, event: str, told: Mapping[int, Mapping[str, object]]) -> None:
    """One entry of the same event for each subscription, with its own details; in one statement."""
    rows: list[dict[str, object]] = [
        {"subscription_id": key, "event": event, "details": presentable(details)} for key, details in told.items()
    ]
    _insert(tx, rows)


def narrate_states(tx: Transaction, changes: Sequence[tuple[int, tuple[str, str]]]) -> None:
    """The changes of state (subscription, before and after), in their order; in one statement."""
    rows: list[dict[str, object]] = [
        {"subscription_id": key, "event": "state.changed", "state_before": states[0], "state_after": states[1]}
        for key, states in changes
    ]
    _insert(tx, rows)


def _insert(tx: Transaction, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        tx.session.flush()  # what was told before stands before it
        same = {"at": tx.now, "actor": tx.actor.name, "source": tx.actor.source}
        tx.session.execute(insert(TimelineEntry), [_NOTHING | same | row for row in rows])


def entries(tx: Transaction, subscription_id: int, *, after: int = 0, limit: int = 100) -> Sequence[TimelineEntry]:
    """Oldest first, from behind entry `after`."""
    query = (
        select(TimelineEntry)
        .where(TimelineEntry.subscription_id == subscription_id, TimelineEntry.id > after)
        .order_by(TimelineEntry.id)
        .limit(limit)
    )
    return tx.session.scalars(query).all()
