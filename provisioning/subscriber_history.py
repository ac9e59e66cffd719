"""The history of a subscriber: what happened to the person or company, not to one of the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from core.audit import presentable
from core.columns import Id, JsonDict, UtcDateTime
from core.database import Base, Transaction


class SubscriberEntry(Base):
    """One thing that happened to a subscriber: who did it, when, with which values, why."""

    __tablename__ = "subscriber_entry"
    __table_args__ = (Index("ix_subscriber_entry_subscriber", "subscriber_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    event: Mapped[str] = mapped_column(String(48))
    actor: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(16))
    details: Mapped[dict[str, Any]] = mapped_column(JsonDict, default=dict)
    note: Mapped[str] = mapped_column(Text, default="")


def narrate_subscriber(
    tx: Transaction,
    subscriber_id: int,
    event: str,
    *,
    details: Mapping[str, object] | None = None,
    note: str = "",
) -> None:
    """Add an entry to the subscriber's history."""
    tx.session.add(
        SubscriberEntry(
            subscriber_id=subscriber_id,
            at=tx.now,
            event=event,
            actor=tx.actor.name,
            source=tx.actor.source,
            details=presentable(details) or {},
            note=note,
        )
    )


def subscriber_entries(
    tx: Transaction, subscriber_id: int, *, after: int = 0, limit: int = 100
) -> Sequence[SubscriberEntry]:
    """Oldest first, from behind entry `after`."""
    query = select(SubscriberEntry).where(SubscriberEntry.subscriber_id == subscriber_id, SubscriberEntry.id > after)
    return tx.session.scalars(query.order_by(SubscriberEntry.id).limit(limit)).all()
