"""How often the same name may be asked about through self-service: a counter in the database, for every process.

What is asked for is a CPF, a CNPJ or a login; the table keeps a digest of it only.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Integer, String, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import UtcDateTime
from core.database import Transaction
from core.errors import TooManyTries
from core.tables import Base

TRIES = 10
WINDOW = timedelta(hours=1)


class SelfServiceWindow(Base):
    """The tries for one subject since an instant; over after `WINDOW`."""

    __tablename__ = "self_service_window"

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    tries: Mapped[int] = mapped_column(Integer)


def count_try(tx: Transaction, subject: str) -> None:
    """Count one try; TooManyTries when there were `TRIES` within the window already.

    It has to be committed on its own, before the answer is looked for: a refusal must not take the try back.
    """
    tx.session.execute(delete(SelfServiceWindow).where(SelfServiceWindow.since <= tx.now - WINDOW))
    row = _window(tx, hashlib.sha256(subject.encode("utf-8", "surrogateescape")).hexdigest())
    if row.tries >= TRIES:
        wait = max(1, int((row.since + WINDOW - tx.now).total_seconds()))
        raise TooManyTries(f"at most {TRIES} tries an hour for one document or login", retry_after=wait)
    row.tries += 1
    tx.session.flush()


def _window(tx: Transaction, subject: str) -> SelfServiceWindow:
    query = select(SelfServiceWindow).where(SelfServiceWindow.subject == subject).with_for_update()
    row = tx.session.scalar(query)
    if row is not None:
        return row
    try:
        with tx.session.begin_nested():
            row = SelfServiceWindow(subject=subject, since=tx.now, tries=0)
            tx.session.add(row)
    except IntegrityError:  # another request was first
        return tx.session.scalars(query).one()
    return row
