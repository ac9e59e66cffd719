"""The lines of dunning runs: whom a run decided to restrict, and what became of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, JsonDict
from core.database import Base


class DunningRunLine(Base):
    """What a run decided for one subscription, before it ordered anything.

    `status`: planned, ordered, skipped (the debt or the state was another one when its turn came; `detail` says which)
    or dismissed (a person left it out). No foreign key to the subscription: on PostgreSQL it would lock that row, and a
    run that only plans keeps no payment waiting.
    """

    __tablename__ = "dunning_run_line"

    run_id: Mapped[int] = mapped_column(ForeignKey("dunning_run.id"), primary_key=True)
    subscription_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    level: Mapped[str] = mapped_column(String(8))
    invoice_ids: Mapped[list[int]] = mapped_column(JsonDict)
    open_cents: Mapped[int] = mapped_column(BigInteger)
    days_late: Mapped[int] = mapped_column(Integer)
    rule_version: Mapped[int | None] = mapped_column(Integer)
    why: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10))
    detail: Mapped[str] = mapped_column(Text, default="")
