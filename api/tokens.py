"""API tokens: who may call.

A token is `cat_` and 256 random bits. The database keeps its SHA-256 only: a hash without salt is enough for a value
that cannot be guessed, and it makes the look-up by index also the comparison, so that no time is spent in proportion
to how much of a guess was right.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, UtcDateTime
from core.database import Database, Transaction
from core.errors import InvalidInput, NotFound, Unauthorised
from core.secrets import Secret
from core.tables import Base

PREFIX = "cat_"
USED_STEP = timedelta(minutes=10)
"""`last_used_at` moves in steps, so that reading does not write at each call."""


class ApiToken(Base):
    """One token; `operator` is the name that the audit trail shows."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    operator: Mapped[str] = mapped_column(String(120))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it was."""

    token_id: int
    operator: str
    stale: bool
    """Whether `last_used_at` is due to be moved."""


def create_token(
    tx: Transaction, *, name: str, operator: str, expires_at: datetime | None = None
) -> tuple[ApiToken, Secret]:
    """A new token and its text, which is told this once and kept nowhere."""
    if expires_at is not None and expires_at <= tx.now:
        raise InvalidInput("expires_at", "must be later than now", (tx.now + timedelta(days=365)).isoformat())
    text = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(name=name, operator=operator, sha256=_digest(text), created_at=tx.now, expires_at=expires_at)
    tx.session.add(row)
    tx.session.flush()
    tx.audit("created", "api_token", row.id, after={"name": name, "operator": operator, "expires_at": expires_at})
    return row, Secret(text)


def revoke_token(tx: Transaction, *, token_id: int) -> ApiToken:
    """End a token now; revoking it again changes nothing."""
    row = get_token(tx, token_id)
    if row.revoked_at is None:
        row.revoked_at = tx.now
        tx.session.flush()
        tx.audit("revoked", "api_token", row.id, after={"name": row.name, "operator": row.operator})
    return row


def get_token(tx: Transaction, token_id: int) -> ApiToken:
    row = tx.session.get(ApiToken, token_id)
    if row is None:
        raise NotFound("token", token_id)
    return row


def has_tokens(tx: Transaction) -> bool:
    return tx.session.scalar(select(ApiToken.id).limit(1)) is not None


def find_caller(database: Database, text: str) -> Caller:
    """Who calls with this token. Unauthorised when it is unknown, revoked or over."""
    with database.reading() as tx:
        row = tx.session.scalar(select(ApiToken).where(ApiToken.sha256 == _digest(text)))
        if row is None:
            raise Unauthorised("this token is not known here")
        if row.revoked_at is not None:
            raise Unauthorised("this token was revoked")
        if row.expires_at is not None and row.expires_at <= tx.now:
            raise Unauthorised("this token has expired")
        stale = row.last_used_at is None or row.last_used_at + USED_STEP <= tx.now
        return Caller(row.id, row.operator, stale)


def note_use(database: Database, token_id: int) -> None:
    """Move `last_used_at`; several at once write once."""
    with database.transaction() as tx:
        unused = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= tx.now - USED_STEP)
        tx.session.execute(update(ApiToken).where(ApiToken.id == token_id, unused).values(last_used_at=tx.now))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
