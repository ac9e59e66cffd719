"""Subscribers: who the provider's customers are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.database import Transaction
from core.errors import Conflict, InvalidInput
from core.rows import get_row
from provisioning.checks import optional_text, required_text
from provisioning.documents import Document, parse_document
from provisioning.models import Subscriber

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CHANGEABLE = {"name", "email", "phone", "birth_date", "city", "region"}


def register_subscriber(
    tx: Transaction,
    *,
    name: str,
    document: str,
    email: str = "",
    phone: str = "",
    birth_date: date | None = None,
    city: str = "",
    region: str = "",
) -> Subscriber:
    """Add a subscriber; a document that somebody has already is refused, naming them."""
    identity = parse_document(document)
    _refuse_duplicate(tx, identity)
    subscriber = Subscriber(
        kind=identity.kind,
        document=identity.number,
        created_at=tx.now,
        **_checked(
            {
                "name": name,
                "email": email,
                "phone": phone,
                "birth_date": birth_date,
                "city": city,
                "region": region,
            },
            tx.now.date(),
        ),
    )
    try:
        with tx.session.begin_nested():
            tx.session.add(subscriber)
    except IntegrityError:
        _refuse_duplicate(tx, identity)
        raise
    tx.audit("register", "subscriber", subscriber.id, after={"name": subscriber.name, "document": identity.number})
    return subscriber


def change_subscriber(tx: Transaction, *, subscriber_id: int, **changes: object) -> Subscriber:
    """Change name, email, phone, birth_date, city or region; the document stays what it is."""
    subscriber = get_subscriber(tx, subscriber_id)
    if unknown := set(changes) - _CHANGEABLE:
        raise InvalidInput(sorted(unknown)[0], f"one of {', '.join(sorted(_CHANGEABLE))}", "name")
    checked = _checked(changes, tx.now.date())
    before = {field: getattr(subscriber, field) for field in checked}
    for field, value in checked.items():
        setattr(subscriber, field, value)
    tx.audit("change", "subscriber", subscriber.id, before, checked)
    return subscriber


def get_subscriber(tx: Transaction, subscriber_id: int) -> Subscriber:
    return get_row(tx, Subscriber, subscriber_id, "subscriber")


def _refuse_duplicate(tx: Transaction, identity: Document) -> None:
    holder = tx.session.scalar(select(Subscriber).where(Subscriber.document == identity.number))
    if holder is not None:
        raise Conflict(
            f"{identity.formatted} belongs to subscriber {holder.id}, {holder.name}",
            field="document",
            subscriber_id=holder.id,
            subscriber_name=holder.name,
        )


def _checked(values: dict[str, object], today: date) -> dict[str, object]:
    """The values as they are stored; InvalidInput for the first one that breaks its rule."""
    checks: dict[str, Callable[[object], object]] = {
        "name": lambda value: required_text(str(value), "name", 200, "Maria da Silva"),
        "email": lambda value: _email(str(value)),
        "phone": lambda value: _phone(str(value)),
        "birth_date": lambda value: _birth_date(value, today),
        "city": lambda value: optional_text(str(value), "city", 120, "Campinas"),
        "region": lambda value: _region(str(value)),
    }
    return {field: checks[field](value) for field, value in values.items()}


def _email(value: str) -> str:
    text = optional_text(value, "email", 200, "maria@example.com")
    if text and not _EMAIL.fullmatch(text):
        raise InvalidInput("email", "an e-mail address", "maria@example.com")
    return text


def _phone(value: str) -> str:
    text = value.strip()
    digits = "".join(character for character in text if character.isdigit())
    if text and not (8 <= len(digits) <= 15 and re.fullmatch(r"[+\d\s().-]+", text) and len(text) <= 32):
        raise InvalidInput("phone", "8 to 15 digits", "+55 19 99999-0000")
    return text


def _region(value: str) -> str:
    text = value.strip().upper()
    if text and not re.fullmatch(r"[A-Z]{2}", text):
        raise InvalidInput("region", "the two letters of a state", "SP")
    return text


def _birth_date(value: object, today: date) -> date | None:
    if value is None:
        return None
    if not isinstance(value, date) or not date(1900, 1, 1) <= value < today:
        raise InvalidInput("birth_date", "a past date, from 1900 on", "1985-04-23")
    return value
