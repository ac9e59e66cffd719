"""Leases in the database: one holder at a time over all processes and hosts, freed by time when it dies."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class KeptLease:
    """A lease that its holder may lengthen while its work goes on."""

    database: Database
    name: str
    holder: str
    length: timedelta

    def renew(self) -> bool:
        """Hold it for its whole length from now; False: it ran out, and somebody else may have it."""
        mine = update(Lease).where(Lease.name == self.name, Lease.holder == self.holder)
        with self.database.transaction() as tx:
            renewed = mine.values(until=system_clock() + self.length).returning(Lease.name)
            return tx.session.scalar(renewed) is not None


@contextmanager
def keep_lease(database: Database, name: str, length: timedelta) -> Iterator[KeptLease | None]:
    """Try to hold `name` for the block, `length` at first and from each renewal; yields None when another has it."""
    lease = KeptLease(database, name, uuid.uuid4().hex, length)
    held = _take(database, name, lease.holder, system_clock(), length)
    try:
        yield lease if held else None
    finally:
        if held:
            persist(lambda: _give_back(database, name, lease.holder), system_clock() + length)


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
