"""The kinds of arguments that a scheduled change may have: checked when it is scheduled, kept as JSON, read back when
it happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from core.errors import InvalidInput
from core.units import parse_rate
from provisioning import checks
from provisioning.facts import Level
from radius.presence import MOST_SESSIONS

BIGGEST_ID = 2**63 - 1
MOST_CENTS = 10**12
MOST_INVOICES = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """`accept(value, field)` gives the JSON that is kept, or InvalidInput; `revive` what the command takes."""

    words: str
    example: Any
    accept: Callable[[Any, str], Any]
    revive: Callable[[Any], Any] = lambda kept: kept


@dataclass(frozen=True, slots=True)
class Argument:
    kind: Kind
    required: bool = False


def accept_all(arguments: Mapping[str, Argument], given: Mapping[str, Any], due_at: datetime) -> dict[str, Any]:
    """The given arguments as they are kept. InvalidInput: unknown, missing, of another kind, over before `due_at`."""
    if unknown := set(given) - set(arguments):
        names = ", ".join(arguments) or "none"
        raise InvalidInput("arguments", f"there is no argument {min(unknown)}; this action takes: {names}", {})
    for name, argument in arguments.items():
        if argument.required and given.get(name) is None:
            raise InvalidInput(f"arguments.{name}", f"is required: {argument.kind.words}", argument.kind.example)
    kept = {
        name: arguments[name].kind.accept(value, f"arguments.{name}")
        for name, value in given.items()
        if value is not None
    }
    for name, value in kept.items():
        if arguments[name].kind is INSTANT and datetime.fromisoformat(value) <= due_at:
            raise InvalidInput(f"arguments.{name}", "an instant after due_at", INSTANT.example)
    return kept


def revive_all(arguments: Mapping[str, Argument], kept: Mapping[str, Any]) -> dict[str, Any]:
    return {name: arguments[name].kind.revive(value) for name, value in kept.items()}


def _whole(least: int, most: int, words: str, example: int) -> Kind:
    def accept(value: Any, field: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InvalidInput(field, words, example)
        return value

    return Kind(words, example, accept)


def _rate(value: Any, field: str) -> int:
    if isinstance(value, str):
        value = parse_rate(value, field)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(field, RATE.words, RATE.example)
    return checks.rate(value, field)


def _instant(value: Any, field: str) -> str:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(field, INSTANT.words, INSTANT.example) from error
    if instant.tzinfo is None:
        raise InvalidInput(field, INSTANT.words, INSTANT.example)
    return instant.isoformat()


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(field, TEXT.words, TEXT.example)
    return checks.optional_text(value, field, 2000, TEXT.example)


def _flag(value: Any, field: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(field, FLAG.words, FLAG.example)
    return value


def _keys(value: Any, field: str) -> list[int]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_INVOICES:
        raise InvalidInput(field, KEYS.words, KEYS.example)
    return [KEY.accept(item, field) for item in value]


def _address(value: Any, field: str) -> str:
    try:
        return str(IPv4Address(value if isinstance(value, IPv4Address) else str(value)))
    except AddressValueError as error:
        raise InvalidInput(field, ADDRESS.words, ADDRESS.example) from error


def _level(value: Any, field: str) -> str:
    if value not in set(Level):
        raise InvalidInput(field, LEVEL.words, LEVEL.example)
    return str(value)


KEY = _whole(1, BIGGEST_ID, "the id of a row, a whole number from 1", 12)
COUNT = _whole(0, MOST_SESSIONS, f"a whole number from 0 to {MOST_SESSIONS}", 1)
CENTS = _whole(0, MOST_CENTS, "cents, a whole number from 0", 1000)
RATE = Kind("bits per second: a number, or text with k, M or G", "50M", _rate)
INSTANT = Kind(
    "an instant in ISO 8601 with a time zone, after due_at",
    "2026-07-01T00:00:00-03:00", _instant, datetime.fromisoformat,
)  # fmt: skip
TEXT = Kind("a text of up to 2000 characters", "travelling until July", _text)
FLAG = Kind("true or false", True, _flag)
KEYS = Kind(f"a list of 1 to {MOST_INVOICES} ids", [31], _keys)
ADDRESS = Kind("an IPv4 address", "100.64.0.10", _address, IPv4Address)
LEVEL = Kind("total or partial", "total", _level)
