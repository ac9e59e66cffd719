"""Protocol numbers: what a subscriber is told when something was agreed, and under which it is found again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, String, select
from sqlalchemy.orm import Mapped, mapped_column

from core.audit import presentable
from core.columns import Id, JsonDict, UtcDateTime
from core.database import Base, Transaction
from core.errors import NotFound


class Protocol(Base):
    """What was agreed: `kind` (cancellation, trust-unblock, migration, transfer, …) and the choices in `details`."""

    __tablename__ = "protocol"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    subscriber_id: Mapped[int] = mapped_column(BigInteger, index=True)
    subscription_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_by: Mapped[str] = mapped_column(String(120))
    details: Mapped[dict[str, Any]] = mapped_column(JsonDict, default=dict)


def issue_protocol(
    tx: Transaction,
    kind: str,
    *,
    subscriber_id: int,
    subscription_id: int | None = None,
    details: Mapping[str, object] | None = None,
) -> str:
    """Record the agreement and give its number: the company's date, then eight digits that no other has."""
    row = Protocol(
        number=uuid.uuid4().hex,  # until its id is known
        kind=kind,
        subscriber_id=subscriber_id,
        subscription_id=subscription_id,
        issued_at=tx.now,
        issued_by=tx.actor.name,
        details=presentable(details) or {},
    )
    tx.session.add(row)
    tx.session.flush()
    row.number = f"{tx.now.astimezone(ZoneInfo(tx.settings.timezone)):%Y%m%d}{row.id:08d}"
    tx.session.flush()
    return row.number


def get_protocol(tx: Transaction, number: str) -> Protocol:
    row = tx.session.scalar(select(Protocol).where(Protocol.number == number))
    if row is None:
        raise NotFound("protocol", number)
    return row
