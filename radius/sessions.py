"""Questions about sessions: who is connected, and who was.

Lists are paged by key (`before_id`, newest first), so a page stays the same page while sessions come and go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from core.columns import Address
from core.database import Transaction
from core.errors import NotFound
from radius.models import Session

_CHUNK = 500


def open_sessions(
    tx: Transaction,
    *,
    subscription_id: int | None = None,
    nas_id: int | None = None,
    user_name: str | None = None,
    address: Address | None = None,
) -> list[Session]:
    """Sessions that go on now, oldest first, for which all that is given holds."""
    statement = _narrowed(subscription_id, nas_id, user_name, address).where(Session.stopped_at.is_(None))
    return list(tx.session.scalars(statement.order_by(Session.id)))


def list_sessions(
    tx: Transaction,
    *,
    subscription_id: int | None = None,
    nas_id: int | None = None,
    user_name: str | None = None,
    address: Address | None = None,
    only_open: bool = False,
    before_id: int | None = None,
    limit: int = 100,
) -> list[Session]:
    """A page of sessions, newest first: those with a lower number than `before_id`."""
    statement = _narrowed(subscription_id, nas_id, user_name, address)
    if only_open:
        statement = statement.where(Session.stopped_at.is_(None))
    if before_id is not None:
        statement = statement.where(Session.id < before_id)
    return list(tx.session.scalars(statement.order_by(Session.id.desc()).limit(limit)))


def get_session(tx: Transaction, session_id: int, *, lock: bool = False) -> Session:
    """The session of this number; NotFound."""
    session = tx.session.get(Session, session_id, with_for_update=lock or None)
    if session is None:
        raise NotFound("session", session_id)
    return session


def nas_ids_with_open_sessions(tx: Transaction, subscription_ids: Sequence[int]) -> list[int]:
    """The NAS on which any of these subscriptions is connected, in order of number."""
    found: set[int] = set()
    ids = sorted(set(subscription_ids))
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        statement = select(Session.nas_id).where(Session.subscription_id.in_(chunk), Session.stopped_at.is_(None))
        found.update(tx.session.scalars(statement.distinct()))
    return sorted(found)


def _narrowed(
    subscription_id: int | None, nas_id: int | None, user_name: str | None, address: Address | None
) -> Select[Any]:
    wanted = {
        Session.subscription_id: subscription_id,
        Session.nas_id: nas_id,
        Session.user_name: user_name,
        Session.framed_ip_address: address,
    }
    return select(Session).where(*(column == value for column, value in wanted.items() if value is not None))
