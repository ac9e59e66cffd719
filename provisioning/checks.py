"""Rules for single fields that several commands share."""

from __future__ import annotations

import re
from datetime import datetime

from core.errors import InvalidInput
from core.units import format_rate

LEAST_BPS, MOST_BPS = 8_000, 1_000_000_000_000
_LOGIN = re.compile(r"[^\s\x00-\x1f\x7f]{1,128}")


def required_text(value: str, field: str, most: int, example: str) -> str:
    """The text without blanks around it; refused when empty or longer than `most` characters."""
    text = value.strip()
    if not text or len(text) > most or "\x00" in text:
        raise InvalidInput(field, f"a text of 1 to {most} characters", example)
    return text


def optional_text(value: str, field: str, most: int, example: str) -> str:
    return required_text(value, field, most, example) if value.strip() else ""


def rate(value: int, field: str) -> int:
    """Bits per second within what routers and reality allow."""
    if not LEAST_BPS <= value <= MOST_BPS:
        rule = f"bits per second from {format_rate(LEAST_BPS)} to {format_rate(MOST_BPS)}"
        raise InvalidInput(field, rule, "50M")
    return value


def login(value: str) -> str:
    if not _LOGIN.fullmatch(value) or len(value.encode()) > 128:
        raise InvalidInput("login", "1 to 128 octets without blanks or control characters", "maria@provedor")
    return value


def password(value: str) -> str:
    if not 1 <= len(value.encode()) <= 128 or "\x00" in value:
        raise InvalidInput("password", "1 to 128 octets (RFC 2865 §5.2) without NUL", "s3nha-longa")
    return value


def later_than(value: datetime, now: datetime, field: str, example: datetime) -> datetime:
    if value.tzinfo is None:
        raise InvalidInput(field, "an instant with its time zone", example.isoformat())
    if value <= now:
        raise InvalidInput(field, "an instant in the future", example.isoformat())
    return value
