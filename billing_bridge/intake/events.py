"""What another billing system tells us: the whole state of one of its invoices at a version. Pure.

Events come twice, late and in any order. Because each tells the whole state, the end needs no order: it is the greatest
of all that came, by `rank`. A higher version wins. Of two contents under one version (a fault at the source) the one
that is better for the subscriber wins: less open, then due later, then the greater digest, so that all installations
choose the same one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

MOST_CENTS = 100_000_000
MOST_VERSION = 2**63 - 1
STATUSES = ("open", "paid", "cancelled")

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|z|[+-]\d{2}:?\d{2})")


@dataclass(frozen=True, slots=True)
class SubscriptionRef:
    """Which subscription is meant: our id, the login, the source's own id of it, or the subscriber's document."""

    id: int | None = None
    login: str = ""
    external_id: str = ""
    document: str = ""

    def __str__(self) -> str:
        named = {"id": self.id, "login": self.login, "external id": self.external_id, "document": self.document}
        return ", ".join(f"{name} {value}" for name, value in named.items() if value)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One invoice as the source has it at `version`; `open_cents` is 0 unless the status is open."""

    external_id: str
    version: int
    subscription: SubscriptionRef
    due_on: date
    amount_cents: int
    open_cents: int
    status: str
    description: str = ""
    paid_at: datetime | None = None

    @property
    def content(self) -> dict[str, Any]:
        """All but the version, as JSON has it; without what is empty."""
        ref = {"id": self.subscription.id, "login": self.subscription.login}
        ref |= {"external_id": self.subscription.external_id, "document": self.subscription.document}
        fields = {
            "id": self.external_id,
            "subscription": {name: value for name, value in ref.items() if value},
            "due_on": self.due_on.isoformat(),
            "amount_cents": self.amount_cents,
            "open_cents": self.open_cents,
            "status": self.status,
            "description": self.description,
            "paid_at": self.paid_at.astimezone(UTC).isoformat() if self.paid_at else "",
        }
        return {name: value for name, value in fields.items() if value != ""}

    @property
    def digest(self) -> str:
        """A fingerprint of the content: the same content has the same one everywhere."""
        return digest_of(self.content)

    @property
    def standing(self) -> Standing:
        return Standing(self.version, self.open_cents, self.due_on, self.digest)


@dataclass(frozen=True, slots=True)
class Event:
    """A snapshot as it was delivered: `event_id` is the sender's name for the delivery."""

    event_id: str
    invoice: Snapshot
    occurred_at: datetime | None = None

    @property
    def body(self) -> dict[str, Any]:
        """As JSON has it, with the fields that we know and nothing else; `parse_event` reads it back."""
        body = {"event_id": self.event_id, "invoice": {**self.invoice.content, "version": self.invoice.version}}
        return body | ({"occurred_at": self.occurred_at.astimezone(UTC).isoformat()} if self.occurred_at else {})


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides between two snapshots of one invoice."""

    version: int
    open_cents: int
    due_on: date
    digest: str

    @property
    def rank(self) -> tuple[int, int, date, str]:
        """Of two snapshots the one with the greater rank holds."""
        return (self.version, -self.open_cents, self.due_on, self.digest)


class Verdict(StrEnum):
    """What an incoming snapshot is, beside the one that is held."""

    NEWER = "newer"
    DUPLICATE = "duplicate"
    OLDER = "older"
    CONFLICT_WON = "conflict won"
    CONFLICT_LOST = "conflict lost"


def supersedes(stored: Standing | None, incoming: Standing) -> Verdict:
    """Whether what came takes the place of what is held; None: nothing is held."""
    if stored is None or incoming.version > stored.version:
        return Verdict.NEWER
    if incoming.version < stored.version:
        return Verdict.OLDER
    if incoming.digest == stored.digest:
        return Verdict.DUPLICATE
    return Verdict.CONFLICT_WON if incoming.rank > stored.rank else Verdict.CONFLICT_LOST


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of an event that breaks a rule."""

    field: str
    rule: str
    example: object

    def __str__(self) -> str:
        return f"{self.field} {self.rule}"


class BadEvent(Exception):
    """An event that cannot be read, with every field at fault."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = errors


def parse_event(raw: object) -> Event:
    """The event in a JSON value; BadEvent names each field that is wrong. Fields that we do not know are left out."""
    reader = _Reader()
    fields = reader.mapping(raw, "event")
    event_id = reader.text(fields, "event_id", "event_id", 120, "evt-981", required=True)
    occurred_at = reader.instant(fields, "occurred_at", "occurred_at")
    invoice = _read_snapshot(reader, reader.mapping(fields.get("invoice"), "invoice"))
    if reader.errors or invoice is None:
        raise BadEvent(reader.errors)
    return Event(event_id, invoice, occurred_at)


def parse_snapshot(raw: object) -> Snapshot:
    """The snapshot in the `invoice` of an event."""
    reader = _Reader()
    snapshot = _read_snapshot(reader, reader.mapping(raw, "invoice"))
    if reader.errors or snapshot is None:
        raise BadEvent(reader.errors)
    return snapshot


def at_version(snapshot: Snapshot, version: int) -> Snapshot:
    """The same content under another version."""
    return replace(snapshot, version=version)


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content in one spelling."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_snapshot(reader: _Reader, fields: Mapping[str, Any]) -> Snapshot | None:
    status = reader.choice(fields, "status", "invoice.status", STATUSES)
    amount = reader.whole(fields, "amount_cents", "invoice.amount_cents", (1, MOST_CENTS), 9990)
    snapshot: dict[str, Any] = {
        "external_id": reader.text(fields, "id", "invoice.id", 80, "F-2026-0031", required=True),
        "version": reader.whole(fields, "version", "invoice.version", (0, MOST_VERSION), 3),
        "subscription": _read_ref(reader, reader.mapping(fields.get("subscription"), "invoice.subscription")),
        "due_on": reader.day(fields, "due_on", "invoice.due_on"),
        "amount_cents": amount,
        "open_cents": _read_open(reader, fields, status, amount),
        "status": status,
        "description": reader.text(fields, "description", "invoice.description", 200, "Fibra 500 Mega"),
        "paid_at": reader.instant(fields, "paid_at", "invoice.paid_at"),
    }
    return None if reader.errors else Snapshot(**snapshot)


def _read_open(reader: _Reader, fields: Mapping[str, Any], status: str, amount: int) -> int:
    name = "invoice.open_cents"
    if status != "open":
        if fields.get("open_cents") not in (None, 0) or isinstance(fields.get("open_cents"), bool):
            reader.wrong(name, f"must be 0 or absent where the status is {status or 'not open'}", 0)
        return 0
    return reader.whole(fields, "open_cents", name, (1, max(1, amount)), 9990)


def _read_ref(reader: _Reader, fields: Mapping[str, Any]) -> SubscriptionRef:
    place = "invoice.subscription"
    key = reader.whole(fields, "id", f"{place}.id", (1, MOST_VERSION), 12) if fields.get("id") is not None else None
    ref = SubscriptionRef(
        id=key,
        login=reader.text(fields, "login", f"{place}.login", 128, "maria@provedor"),
        external_id=reader.text(fields, "external_id", f"{place}.external_id", 80, "S-77"),
        document="".join(
            char
            for char in reader.text(fields, "document", f"{place}.document", 32, "390.533.447-05")
            if char.isalnum()
        ).upper(),
    )
    if ref == SubscriptionRef() and not reader.errors:
        reader.wrong(place, "must have id, login, external_id or document", {"login": "maria@provedor"})
    return ref


class _Reader:
    """Reads fields one by one and remembers every fault; the values of faulty fields mean nothing."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def wrong(self, field: str, rule: str, example: object) -> None:
        self.errors.append(FieldError(field, rule, example))

    def mapping(self, value: object, place: str) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return value
        self.wrong(place, "must be a JSON object", {})
        return {}

    def text(
        self, fields: Mapping[str, Any], name: str, place: str, most: int, example: str, *, required: bool = False
    ) -> str:
        value = fields.get(name)
        if value is None and not required:
            return ""
        text = value.strip() if isinstance(value, str) else ""
        if not isinstance(value, str) or len(text) > most or _unprintable(text) or (required and not text):
            self.wrong(place, f"must be text of {1 if required else 0} to {most} characters", example)
        return text

    def whole(self, fields: Mapping[str, Any], name: str, place: str, bounds: tuple[int, int], example: int) -> int:
        value = fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not bounds[0] <= value <= bounds[1]:
            self.wrong(place, f"must be a whole number from {bounds[0]} to {bounds[1]}", example)
            return bounds[0]
        return value

    def choice(self, fields: Mapping[str, Any], name: str, place: str, words: tuple[str, ...]) -> str:
        value = fields.get(name)
        if not isinstance(value, str) or value not in words:
            self.wrong(place, f"must be one of {', '.join(words)}", words[0])
            return ""
        return value

    def day(self, fields: Mapping[str, Any], name: str, place: str) -> date:
        found = self._dated(fields.get(name), _DAY, date.fromisoformat)
        if not isinstance(found, date) or not 2000 <= found.year <= 2100:
            self.wrong(place, "must be a date, YYYY-MM-DD, from 2000 to 2100", "2026-03-10")
            return date.min
        return found

    def instant(self, fields: Mapping[str, Any], name: str, place: str) -> datetime | None:
        if fields.get(name) is None:
            return None
        found = self._dated(fields[name], _INSTANT, lambda text: datetime.fromisoformat(text.upper()).astimezone(UTC))
        if not isinstance(found, datetime):
            self.wrong(place, "must be an instant in ISO 8601 with a time zone", "2026-03-05T18:00:00Z")
            return None
        return found

    @staticmethod
    def _dated(value: object, notation: re.Pattern[str], read: Callable[[str], date]) -> date | None:
        if not isinstance(value, str) or not notation.fullmatch(value):
            return None
        try:
            return read(value)
        except (ValueError, OverflowError):
            return None


def _unprintable(text: str) -> bool:
    return any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in text)
