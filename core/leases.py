"""Leases in the database: one holder at a time over all processes and hosts, freed by time when it dies."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import String, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.clock import system_clock
from core.columns import UtcDateTime
from core.database import Database
from core.patience import persist
from core.tables import Base


class Lease(Base):
    """Who holds `name`, until when (the machine's time)."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime] = mapped_column(UtcDateTime)


@contextmanager
def hold_lease(database: Database, name: str, length: timedelta) -> Iterator[bool]:
    """Try to hold `name` for the block, at most `length`; yields whether it is ours."""
    holder, now = uuid.uuid4().hex, system_clock()
    held = _take(database, name, holder, now, length)
    try:
        yield held
    finally:
        if held:
            persist(lambda: _give_back(database, name, holder), now + length)


def _give_back(database: Database, name: str, holder: str) -> None:
    with database.transaction() as tx:
        tx.session.execute(delete(Lease).where(Lease.name == name, Lease.holder == holder))


def _take(database: Database, name: str, holder: str, now: datetime, length: timedelta) -> bool:
    try:
        with database.transaction() as tx:
            row = tx.session.scalar(select(Lease).where(Lease.name == name).with_for_update())
            if row is None:
                tx.session.add(Lease(name=name, holder=holder, until=now + length))
                return True
            if row.until > now:
                return False
            tx.session.execute(update(Lease).where(Lease.name == name).values(holder=holder, until=now + length))
            return True
    except IntegrityError:
        return False


def forget_leases(session: Session) -> None:
    """Free everything that anybody holds."""
    session.execute(delete(Lease))
