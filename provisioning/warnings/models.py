"""Warnings: that a subscriber is told, on the network too, of a restriction that comes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, JsonDict, UtcDateTime
from core.database import Base

_LIVE = text("ended_at IS NULL")


class WarningRow(Base):
    """A warning; a subscription has at most one that is live.

    It holds from `since` on and no longer at `until`, or until `ended_at`; `end_reason` says why it ended then.
    `invoice_ids` are the debts that it is about; [] for one that is not about a debt.
    """

    __tablename__ = "warning"
    __table_args__ = (
        Index("uq_warning_live", "subscription_id", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
        Index("ix_warning_until", "until", sqlite_where=_LIVE, postgresql_where=_LIVE),
        Index("ix_warning_subscription", "subscription_id", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    cause: Mapped[str] = mapped_column(Text, default="")
    invoice_ids: Mapped[list[int]] = mapped_column(JsonDict)
    given_by: Mapped[str] = mapped_column(String(120))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str] = mapped_column(String(24), default="")
