"""What a router's own rows were read to say of a session that a CoA has changed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, String
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, UtcDateTime
from core.database import Base


class SessionReadback(Base):
    """The last reading of a live session whose NAS acknowledged `fingerprint` and cannot prove it over RADIUS.

    `runs`: whether the router shows what that policy asks for, or acknowledged what it did not do; None: it could not
    be told from its rows. Only a reading that is later than the acknowledgement says anything.
    """

    __tablename__ = "session_readback"

    session_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    fingerprint: Mapped[str] = mapped_column(String(40))
    runs: Mapped[bool | None] = mapped_column(Boolean)
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)
