"""The timeline of a subscription: who, when, from, to, why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from core.audit import presentable
from core.database import Transaction
from provisioning.models import TimelineEntry


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


def entries(tx: Transaction, subscription_id: int, *, after: int = 0, limit: int = 100) -> Sequence[TimelineEntry]:
    """Oldest first, from behind entry `after`."""
    query = (
        select(TimelineEntry)
        .where(TimelineEntry.subscription_id == subscription_id, TimelineEntry.id > after)
        .order_by(TimelineEntry.id)
        .limit(limit)
    )
    return tx.session.scalars(query).all()
