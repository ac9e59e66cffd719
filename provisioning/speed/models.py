"""The table of custom speeds that were proposed and wait for somebody's word."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, JsonDict, UtcDateTime
from core.database import Base

_WAITING = text("outcome = ''")


class PendingSpeed(Base):
    """A change of speed as it was shown. `kind`: override (with both speeds) or end (back to the plan).

    `before` and `after` are {state, download_bps, upload_bps, custom, until}; `sends` is one entry a live session:
    {session_id, nas, user_name, action, attributes, reason}. `outcome`: "" while it waits, then confirmed, discarded,
    replaced or expired.
    """

    __tablename__ = "pending_speed"
    __table_args__ = (
        Index(
            "uq_pending_speed_waiting", "subscription_id", unique=True, sqlite_where=_WAITING, postgresql_where=_WAITING
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    download_bps: Mapped[int | None] = mapped_column(BigInteger)
    upload_bps: Mapped[int | None] = mapped_column(BigInteger)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str] = mapped_column(Text, default="")
    before: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    after: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    sends: Mapped[list[dict[str, Any]]] = mapped_column(JsonDict)
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    proposed_by: Mapped[str] = mapped_column(String(120))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(16), default="")
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_by: Mapped[str] = mapped_column(String(120), default="")
