"""The types of every field that the API takes or gives, each with its rule and, where it is the same everywhere, an
example.

Input is read strictly: a number is a JSON number, text is text, an instant has a zone. JSON has no types for instants,
dates, addresses and rates, so those are read from text by the functions below, which say what they expect in words
that are shown to the caller as they are (`api.rules`).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError

from core.errors import InvalidInput
from core.units import parse_rate

BIGGEST_ID = 2**63 - 1
BIGGEST_CENTS = 10**12
BIGGEST_BPS = 10**12

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|z|[+-]\d{2}:?\d{2})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def broken(rule: str) -> PydanticCustomError:
    """The error of one field, in words that follow the field's name."""
    escaped = rule.replace("{", "{{").replace("}", "}}")
    return PydanticCustomError("rule", escaped)


def read_instant(value: Any) -> Any:
    """ISO 8601 text with a zone → an instant in UTC."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise broken("must be an instant in ISO 8601 with a time zone")
    try:
        instant = datetime.fromisoformat(value.upper())
        if instant.tzinfo is None:
            raise broken("has no time zone: end it with Z or an offset such as -03:00")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        if isinstance(error, PydanticCustomError):
            raise
        raise broken("is not an instant that exists in the calendar") from error


def write_instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_day(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise broken("must be a date, YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise broken("is not a date that exists in the calendar") from error


def read_rate(value: Any) -> Any:
    """Bits per second as an integer, or as people write it: "50M"."""
    if isinstance(value, str):
        try:
            return parse_rate(value)
        except InvalidInput as error:
            raise broken("must be bits per second: a number, or text with k, M or G") from error
    if isinstance(value, bool) or not isinstance(value, int):
        raise broken("must be bits per second: a number, or text with k, M or G")
    return value


def read_address(value: Any) -> Any:
    if isinstance(value, IPv4Address | IPv6Address):
        return value
    try:
        return ip_address(value) if isinstance(value, str) else _refuse()
    except ValueError as error:
        raise broken("must be an IP address") from error


def read_network(value: Any) -> Any:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return ip_network(value) if isinstance(value, str) else _refuse()
    except ValueError as error:
        raise broken("must be a network in CIDR form, with no host bits set") from error


def _refuse() -> Any:
    raise ValueError


def clean_text(value: str) -> str:
    """Text without control characters (PostgreSQL takes no NUL, terminals no escapes), trimmed."""
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise broken("must not hold control characters")
    return whole_text(value).strip()


def clean_note(value: str) -> str:
    """Text of several lines, otherwise as `clean_text`."""
    if any((ord(char) < 32 and char not in "\n\t") or ord(char) == 127 for char in value):
        raise broken("must not hold control characters other than line ends and tabs")
    return whole_text(value).strip()


def whole_text(value: str) -> str:
    """JSON can escape one half of a character; such text cannot be written in UTF-8."""
    if any(0xD800 <= ord(char) < 0xE000 for char in value):
        raise broken("must be text in valid Unicode")
    return value


def whole_secret(value: SecretStr) -> SecretStr:
    whole_text(value.get_secret_value())
    return value


def not_blank(value: str) -> str:
    if not value:
        raise broken("must not be empty")
    return value


Int = Annotated[int, Strict(), Field(ge=-(2**31), le=2**31 - 1)]
Flag = Annotated[bool, Strict()]
Key = Annotated[int, Strict(), Field(ge=1, le=BIGGEST_ID)]
"""The id of a row, in a body."""
PathKey = Annotated[int, Field(ge=1, le=BIGGEST_ID)]
"""The id of a row, in a path or a query, where everything is text."""
Cents = Annotated[int, Strict(), Field(ge=0, le=BIGGEST_CENTS)]
PositiveCents = Annotated[int, Strict(), Field(ge=1, le=BIGGEST_CENTS)]
Text = Annotated[str, AfterValidator(clean_text), Field(max_length=200)]
Name = Annotated[str, AfterValidator(clean_text), AfterValidator(not_blank), Field(max_length=120)]
Note = Annotated[str, AfterValidator(clean_note), Field(max_length=2000)]
Password = Annotated[SecretStr, AfterValidator(whole_secret), Field(min_length=1, max_length=128)]

_RATE_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": BIGGEST_BPS},
        {"type": "string", "pattern": r"^\d+(\.\d{1,3})?\s*[kKmMgG]?$"},
    ]
}
Rate = Annotated[
    int, BeforeValidator(read_rate), Field(ge=1, le=BIGGEST_BPS), WithJsonSchema(_RATE_SCHEMA, mode="validation")
]
Instant = Annotated[
    datetime,
    BeforeValidator(read_instant),
    PlainSerializer(write_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Day = Annotated[date, BeforeValidator(read_day), WithJsonSchema({"type": "string", "format": "date"})]
Address = Annotated[
    IPv4Address | IPv6Address,
    BeforeValidator(read_address),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "format": "ip"}),
]
Network = Annotated[
    IPv4Network | IPv6Network,
    BeforeValidator(read_network),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "format": "cidr"}),
]
