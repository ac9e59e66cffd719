"""Routines and their runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.columns import Id, JsonDict, UtcDateTime
from core.database import Base


class Routine(Base):
    """A task with the hours at which it runs; the lists are those of `routine_schedule.Schedule`, empty for "every".

    `next_at` is the next slot (None while it is off), `last_slot_at` the newest slot that was claimed; `seed` names
    the default that it came from. A removed one stays for its runs.
    """

    __tablename__ = "routine"
    __table_args__ = (UniqueConstraint("seed", name="uq_routine_seed"), Index("ix_routine_next_at", "next_at"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    description: Mapped[str] = mapped_column(String(120))
    task: Mapped[str] = mapped_column(String(40))
    parameters: Mapped[dict[str, Any]] = mapped_column(JsonDict, default=dict)
    months: Mapped[list[int]] = mapped_column(JsonDict, default=list)
    days: Mapped[list[int]] = mapped_column(JsonDict, default=list)
    weekdays: Mapped[list[int]] = mapped_column(JsonDict, default=list)
    hours: Mapped[list[int]] = mapped_column(JsonDict, default=list)
    minutes: Mapped[list[int]] = mapped_column(JsonDict, default=list)
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_slot_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seed: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(120))
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RoutineRun(Base):
    """One run: of a slot, or by hand (`slot_at` None).

    `trigger`: schedule or hand. `status`: running, done, waiting (for a person), held (by a guard), failed, skipped.
    `missed`: how many older slots were left out for this one, because nobody was there to run them.
    """

    __tablename__ = "routine_run"
    __table_args__ = (
        UniqueConstraint("routine_id", "slot_at", name="uq_routine_run_slot"),
        Index("ix_routine_run_status", "routine_id", "status", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    routine_id: Mapped[int] = mapped_column(ForeignKey("routine.id"))
    slot_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    trigger: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    counts: Mapped[dict[str, int]] = mapped_column(JsonDict, default=dict)
    detail: Mapped[str] = mapped_column(Text, default="")
    missed: Mapped[int] = mapped_column(Integer, default=0)
    actor: Mapped[str] = mapped_column(String(120))

    routine: Mapped[Routine] = relationship(lazy="joined", innerjoin=True)
