"""Changes that are to happen to a subscription at an instant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, JsonDict, UtcDateTime
from core.database import Base


class ScheduledChange(Base):
    """`status`: waiting, done, failed (`result` says why) or cancelled. `version` counts the edits.

    It happens in the name of `actor`, who scheduled or last edited it, and with the permissions that they had then
    (None: all).
    """

    __tablename__ = "scheduled_change"
    __table_args__ = (Index("ix_scheduled_change_due", "status", "due_at"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), index=True)
    action: Mapped[str] = mapped_column(String(40))
    arguments: Mapped[dict[str, Any]] = mapped_column(JsonDict, default=dict)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    note: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(String(16), default="waiting")
    result: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(120))
    actor: Mapped[str] = mapped_column(String(120))
    permissions: Mapped[list[str] | None] = mapped_column(JsonDict)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
