"""Holidays that the company adds to the law's, and days that it works although the law names them."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Boolean, Date, String
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, UtcDateTime
from core.database import Base


class CompanyHoliday(Base):
    """A day that counts otherwise than the law says, in a place: `region` "" is everywhere, `city` "" all of it.

    `yearly`: on this day of every year. `working`: no holiday here, whatever the law says. Removed ones are kept.
    """

    __tablename__ = "company_holiday"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    day: Mapped[date] = mapped_column(Date)
    yearly: Mapped[bool] = mapped_column(Boolean)
    name: Mapped[str] = mapped_column(String(120))
    region: Mapped[str] = mapped_column(String(2))
    city: Mapped[str] = mapped_column(String(120))
    working: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
