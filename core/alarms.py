"""Alarms: what a person has to look at, raised once and open until it is over or somebody clears it.

An alarm is told loudly when it is raised (log, metric) and stays in the list. Whoever raised it clears it when the
reason is gone; a person clears it with a note.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Index, String, Text, select, text
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, UtcDateTime
from core.database import Base, Transaction
from core.errors import NotAllowed, NotFound
from core.logs import get_logger

log = get_logger("core.alarms")
_OPEN = text("cleared_at IS NULL")


class Alarm(Base):
    """`kind` says what is wrong (clock-jump, feed-empty, …), `subject` with what."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index("uq_alarm_open", "kind", "subject", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80), default="")
    detail: Mapped[str] = mapped_column(Text)
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cleared_by: Mapped[str] = mapped_column(String(120), default="")
    note: Mapped[str] = mapped_column(Text, default="")


def raise_alarm(tx: Transaction, kind: str, subject: str = "", *, detail: str) -> Alarm:
    """Open an alarm, or tell the news in the one that is open for this kind and subject."""
    alarm = _open_one(tx, kind, subject)
    if alarm is not None:
        alarm.detail = detail
        return alarm
    alarm = Alarm(kind=kind, subject=subject, detail=detail, raised_at=tx.now)
    tx.session.add(alarm)
    tx.session.flush()
    log.error("alarm", kind=kind, subject=subject, detail=detail)
    tx.audit("raise", "alarm", alarm.id, after={"kind": kind, "subject": subject, "detail": detail})
    return alarm


def end_alarm(tx: Transaction, kind: str, subject: str = "", *, note: str = "") -> None:
    """The reason is gone; nothing where none is open."""
    if alarm := _open_one(tx, kind, subject):
        _clear(tx, alarm, note)


def clear_alarm(tx: Transaction, *, alarm_id: int, note: str) -> Alarm:
    """A person has looked at it. NotAllowed when it was cleared before."""
    alarm = get_alarm(tx, alarm_id)
    if alarm.cleared_at is not None:
        raise NotAllowed(f"alarm {alarm_id} was cleared on {alarm.cleared_at:%Y-%m-%d} by {alarm.cleared_by}")
    _clear(tx, alarm, note)
    return alarm


def get_alarm(tx: Transaction, alarm_id: int) -> Alarm:
    alarm = tx.session.get(Alarm, alarm_id)
    if alarm is None:
        raise NotFound("alarm", alarm_id)
    return alarm


def open_alarms(tx: Transaction, kinds: Collection[str] | None = None) -> Sequence[Alarm]:
    """The alarms that are open (of these kinds), oldest first."""
    query = select(Alarm).where(Alarm.cleared_at.is_(None)).order_by(Alarm.id)
    return tx.session.scalars(query if kinds is None else query.where(Alarm.kind.in_(kinds))).all()


def _open_one(tx: Transaction, kind: str, subject: str) -> Alarm | None:
    query = select(Alarm).where(Alarm.kind == kind, Alarm.subject == subject, Alarm.cleared_at.is_(None))
    return tx.session.scalar(query.with_for_update())


def _clear(tx: Transaction, alarm: Alarm, note: str) -> None:
    alarm.cleared_at, alarm.cleared_by, alarm.note = tx.now, tx.actor.name, note
    tx.session.flush()
    log.warning("alarm is over", kind=alarm.kind, subject=alarm.subject)
    tx.audit("clear", "alarm", alarm.id, after={"kind": alarm.kind, "subject": alarm.subject}, note=note)
