"""Notices: that a subscriber was told, before a restriction, what is owed and from when it restricts."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, UtcDateTime
from core.database import Base


class DebtNotice(Base):
    """The one notice of a debt. `level` is the first that the rules then threatened, possible from `restriction_from`.

    `open_cents` is what was open on the invoice when it was given; days are the company's.
    """

    __tablename__ = "debt_notice"
    __table_args__ = (UniqueConstraint("subscription_id", "invoice_id", name="uq_debt_notice_debt"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"))
    invoice_id: Mapped[int] = mapped_column(BigInteger)
    level: Mapped[str] = mapped_column(String(8))
    given_on: Mapped[date] = mapped_column(Date)
    restriction_from: Mapped[date] = mapped_column(Date)
    open_cents: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
