"""Idempotency keys: a POST that is sent again with the same key does not happen again.

The answer is stored in the transaction of the change itself, so neither exists without the other: a client that lost
the connection repeats the request with the same `Idempotency-Key` and gets the stored answer, or, when the first try
changed nothing, a first answer. Refusals are not stored: they changed nothing, and the facts may be other ones when the
client tries again. Both the answer and the request's fingerprint are encrypted, since either may hold a secret.

Two requests with one key at the same time: the second is refused (409). Inside one process a set of keys under way
sees it; between processes on PostgreSQL an advisory lock of the transaction does. On SQLite a writer of another process
waits for the first one to commit and then finds its answer.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Index, Integer, String, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, SecretText, UtcDateTime
from core.database import Transaction
from core.errors import CatracaError, InvalidInput
from core.jobs import every
from core.runtime import Runtime
from core.secrets import Secret
from core.tables import Base

KEEP = timedelta(hours=48)
LONGEST_KEY = 200
EXAMPLE = "3f0c9f9e-2f4c-4a57-9d0c-6c3a5d0f7b11"


class IdempotencyKey(Base):
    """One request that was carried out; `scope` is token, method, path and key, hashed."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index("ix_idempotency_key_created_at", "created_at"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    scope: Mapped[str] = mapped_column(String(64), unique=True)
    fingerprint: Mapped[Secret] = mapped_column(SecretText)
    status: Mapped[int] = mapped_column(Integer)
    body: Mapped[Secret] = mapped_column(SecretText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeyReused(CatracaError):
    status = 422
    slug = "idempotency-key-reused"
    title = "This Idempotency-Key belongs to another request"


class UnderWay(CatracaError):
    status = 409
    slug = "request-under-way"
    title = "The same request is being carried out"


class Replayed(Exception):
    """The stored answer of the same request: the edge sends it instead of carrying the request out."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(status)
        self.status, self.body = status, body


@dataclass(frozen=True, slots=True)
class Request:
    """What makes a request the same: who, which key and route (`scope`), and what was asked (`fingerprint`)."""

    scope: str
    fingerprint: str


def identify(key: str, token_id: int, method: str, path: str, query: bytes, body: bytes) -> Request:
    """The identity of a request with the key `key`. InvalidInput when the key is not one."""
    if not 1 <= len(key) <= LONGEST_KEY or not all(33 <= ord(char) < 127 for char in key):
        raise InvalidInput("Idempotency-Key", f"must be 1 to {LONGEST_KEY} visible ASCII characters", EXAMPLE)
    scope = "\n".join((str(token_id), method, path, key))
    asked = hashlib.sha256(query + b"\n" + body).hexdigest()
    return Request(hashlib.sha256(scope.encode()).hexdigest(), asked)


_under_way: set[str] = set()
_guard = threading.Lock()


@contextmanager
def alone(request: Request) -> Iterator[None]:
    """Hold the request's scope in this process. UnderWay when another thread holds it."""
    with _guard:
        if request.scope in _under_way:
            raise _under_way_error()
        _under_way.add(request.scope)
    try:
        yield
    finally:
        with _guard:
            _under_way.discard(request.scope)


def look_up(tx: Transaction, request: Request) -> None:
    """Raise Replayed when this request was carried out before, KeyReused when its key was used for another one."""
    if tx.session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(bytes.fromhex(request.scope[:16]), "big", signed=True)
        if not tx.session.scalar(select(func.pg_try_advisory_xact_lock(number))):
            raise _under_way_error()
    row = tx.session.scalar(select(IdempotencyKey).where(IdempotencyKey.scope == request.scope))
    if row is None:
        return
    if row.created_at <= tx.now - KEEP:
        tx.session.delete(row)
        tx.session.flush()
    elif row.fingerprint.reveal() != request.fingerprint:
        raise KeyReused("the key was sent before with another body; use a new key for a new request")
    else:
        raise Replayed(row.status, row.body.reveal())


def store(tx: Transaction, request: Request, status: int, body: str) -> None:
    """Keep the answer, in the transaction of the change."""
    tx.session.add(
        IdempotencyKey(
            scope=request.scope,
            fingerprint=Secret(request.fingerprint),
            status=status,
            body=Secret(body),
            created_at=tx.now,
        )
    )


@every(3600, "purge-idempotency-keys")
def purge_keys(runtime: Runtime) -> None:
    """Forget answers after 48 hours."""
    with runtime.database.transaction() as tx:
        tx.session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at <= tx.now - KEEP))


def _under_way_error() -> UnderWay:
    return UnderWay("a request with this key is being carried out; ask again in a moment for its answer")
