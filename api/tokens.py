"""API tokens: who may call.

A token is `cat_` and 256 random bits. The database keeps its SHA-256 only: a hash without salt is enough for a value
that cannot be guessed, and it makes the look-up by index also the comparison, so that no time is spent in proportion
to how much of a guess was right.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, JsonDict, UtcDateTime
from core.database import Database, Transaction
from core.errors import Forbidden, InvalidInput, NotAllowed, Unauthorised
from core.permissions import checked_permissions
from core.rows import get_row
from core.secrets import Secret
from core.tables import Base

PREFIX = "cat_"
USED_STEP = timedelta(minutes=10)
"""`last_used_at` moves in steps, so that reading does not write at each call."""


class ApiToken(Base):
    """One token; `operator` is the name that the audit trail shows.

    `permissions` are words of `core.permissions`; NULL: it may do everything.
    """

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    operator: Mapped[str] = mapped_column(String(120))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    permissions: Mapped[list[str] | None] = mapped_column(JsonDict)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it was."""

    token_id: int
    operator: str
    stale: bool
    """Whether `last_used_at` is due to be moved."""
    permissions: frozenset[str] | None = None
    """What it may do; None: everything."""


def create_token(
    tx: Transaction,
    *,
    name: str,
    operator: str,
    expires_at: datetime | None = None,
    permissions: Sequence[str] | None = None,
) -> tuple[ApiToken, Secret]:
    """A new token and its text, which is told this once and kept nowhere.

    `permissions`: None, it may do everything. Nobody can hand on more than they have.
    """
    words = _grantable(tx, permissions)
    if expires_at is not None and expires_at <= tx.now:
        raise InvalidInput("expires_at", "must be later than now", (tx.now + timedelta(days=365)).isoformat())
    text = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        name=name,
        operator=operator,
        sha256=_digest(text),
        created_at=tx.now,
        expires_at=expires_at,
        permissions=words,
    )
    tx.session.add(row)
    tx.session.flush()
    after = {"name": name, "operator": operator, "expires_at": expires_at, "permissions": words}
    tx.audit("created", "api_token", row.id, after=after)
    return row, Secret(text)


def revoke_token(tx: Transaction, *, token_id: int) -> ApiToken:
    """End a token now; revoking it again changes nothing. One that may do more than the caller is not theirs to end."""
    row = get_token(tx, token_id)
    if row.revoked_at is None:
        _refuse_beyond(tx, row)
        row.revoked_at = tx.now
        tx.session.flush()
        tx.audit("revoked", "api_token", row.id, after={"name": row.name, "operator": row.operator})
    return row


def get_token(tx: Transaction, token_id: int) -> ApiToken:
    return get_row(tx, ApiToken, token_id, "token")


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
        permissions = None if row.permissions is None else frozenset(row.permissions)
        return Caller(row.id, row.operator, stale, permissions)


def note_use(database: Database, token_id: int) -> None:
    """Move `last_used_at`; several at once write once."""
    with database.transaction() as tx:
        unused = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= tx.now - USED_STEP)
        tx.session.execute(update(ApiToken).where(ApiToken.id == token_id, unused).values(last_used_at=tx.now))


def _grantable(tx: Transaction, words: Sequence[str] | None) -> list[str] | None:
    """The words as they are stored, None for everything; InvalidInput for more than the caller has."""
    own = tx.actor.permissions
    if words is None and own is None:
        return None
    wanted = checked_permissions(words or [])
    if own is not None and (beyond := sorted(set(wanted) - own)):
        raise InvalidInput("permissions", f"may not hold {beyond[0]}, which your own token lacks", sorted(own))
    return wanted


def _refuse_beyond(tx: Transaction, row: ApiToken) -> None:
    own = tx.actor.permissions
    if own is None:
        return
    if row.permissions is None:
        raise NotAllowed(f"token {row.id} may do everything; a token that may do less cannot revoke it")
    if beyond := sorted(set(row.permissions) - own):
        raise Forbidden(beyond[0])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
