"""Mass plan changes, and each subscription that one of them is about."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.columns import Id, JsonDict, UtcDateTime
from core.database import Base
from provisioning.models import Plan, Subscription

RUNNING, DONE, CANCELLED = "running", "done", "cancelled"
"""`MassChange.status`."""
WAITING, CHANGED, SKIPPED, FAILED = "waiting", "done", "skipped", "failed"
"""`MassChangeRow.status`."""


class MassChange(Base):
    """Many subscriptions on their way to one plan. `status`: running, done, cancelled.

    `total` counts its rows; those before `cursor` (an id of a row) are seen to. `digest` is that of the preview which
    whoever started it had seen.
    """

    __tablename__ = "mass_change"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"))
    change_price: Mapped[bool] = mapped_column(Boolean)
    selection: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    digest: Mapped[str] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    total: Mapped[int] = mapped_column(Integer)
    done: Mapped[int] = mapped_column(Integer, default=0)
    skipped: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    cursor: Mapped[int] = mapped_column(Id, default=0)

    plan: Mapped[Plan] = relationship(lazy="joined", innerjoin=True)

    @property
    def left(self) -> int:
        """Rows that nobody has looked at."""
        return self.total - self.done - self.skipped - self.failed


class MassChangeRow(Base):
    """One subscription of a mass change: waiting, done, skipped or failed; `detail` says what became of it, or why."""

    __tablename__ = "mass_change_row"
    __table_args__ = (UniqueConstraint("mass_change_id", "subscription_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    mass_change_id: Mapped[int] = mapped_column(ForeignKey("mass_change.id"))
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"))
    status: Mapped[str] = mapped_column(String(8), default=WAITING)
    detail: Mapped[str] = mapped_column(Text, default="")
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    subscription: Mapped[Subscription] = relationship(lazy="raise")
