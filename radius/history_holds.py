"""Legal holds: records of connections that are kept although their time is over, until somebody releases them.

A hold names an address, a subscription, both (then both must fit) or neither (everything), and the span of time that
the order speaks of. It covers every use that meets the span.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, LargeBinary, Table, and_, case, or_, select, type_coerce

from core.columns import Address
from core.database import Transaction
from core.errors import InvalidInput, NotAllowed, NotFound
from radius.history_models import LegalHold
from radius.history_queries import firsts_around

LONGEST_REFERENCE, LONGEST_NOTE = 120, 2_000


def place_hold(
    tx: Transaction,
    *,
    reference: str,
    since: datetime,
    until: datetime,
    address: Address | None = None,
    subscription_id: int | None = None,
    note: str = "",
) -> LegalHold:
    """Keep what meets the span. InvalidInput for a span that ends before it begins, or no reference."""
    if since >= until:
        raise InvalidInput("until", "an instant after `since`", "2026-04-01T00:00:00-03:00")
    hold = LegalHold(
        reference=_text("reference", reference, 1, LONGEST_REFERENCE),
        note=_text("note", note, 0, LONGEST_NOTE),
        address=address,
        subscription_id=subscription_id,
        since=since,
        until=until,
        created_at=tx.now,
        created_by=tx.actor.name,
        released_at=None,
        released_by="",
    )
    tx.session.add(hold)
    tx.session.flush()
    after = {
        "reference": hold.reference,
        "address": address,
        "subscription_id": subscription_id,
        "since": since,
        "until": until,
    }
    tx.audit("place", "legal_hold", hold.id, after=after, note=hold.note)
    return hold


def release_hold(tx: Transaction, *, hold_id: int, note: str) -> LegalHold:
    """Let go of what the hold kept; the next purge takes what is too old. InvalidInput without a note saying why.

    NotFound; NotAllowed when it was released before.
    """
    reason = _text("note", note, 1, LONGEST_NOTE)
    hold = tx.session.get(LegalHold, hold_id, with_for_update=True)
    if hold is None:
        raise NotFound("legal hold", hold_id)
    if hold.released_at is not None:
        raise NotAllowed(
            f"hold {hold_id} was released by {hold.released_by} already", released_at=str(hold.released_at)
        )
    hold.released_at, hold.released_by = tx.now, tx.actor.name
    tx.session.flush()
    tx.audit("release", "legal_hold", hold.id, {"released_at": None}, {"released_at": tx.now}, reason)
    return hold


def live_holds(tx: Transaction) -> Sequence[LegalHold]:
    """The holds that nobody has released, oldest first."""
    live = select(LegalHold).where(LegalHold.released_at.is_(None)).order_by(LegalHold.id)
    return tx.session.scalars(live).all()


def held(history: Table, holds: Sequence[LegalHold]) -> ColumnElement[bool]:
    """Condition: some of these holds covers the row of the history. Never NULL, so that it can be negated."""
    return case((or_(False, *(_covered(history, hold) for hold in holds)), 1), else_=0) == 1


def _covered(history: Table, hold: LegalHold) -> ColumnElement[bool]:
    row = history.c
    parts = [row.until > hold.since, row.since < hold.until]
    if hold.subscription_id is not None:
        parts.append(row.subscription_id == hold.subscription_id)
    if hold.address is not None:
        around, octets = firsts_around(hold.address), type_coerce(row.address, LargeBinary)
        parts.append(or_(*(and_(octets == first, row.prefix_length == bits) for first, bits in around)))
    return and_(*parts)


def _text(field: str, value: str, shortest: int, longest: int) -> str:
    text = value.strip()
    if not shortest <= len(text) <= longest:
        raise InvalidInput(
            field, f"{shortest} to {longest} characters", "Ofício 123/2026, 2ª Vara Criminal de Campinas"
        )
    return text
