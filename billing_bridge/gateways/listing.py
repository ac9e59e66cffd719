"""What a listing of another billing system consists of, and the window that it covers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from billing_bridge.intake.events import Snapshot

Step = dict[str, Any]


class FeedError(Exception):
    """The source could not be asked, or what it answered cannot be believed. The text is fit to be shown."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An invoice in a listing. `trouble` says why it cannot be read; the snapshot's version means nothing yet."""

    external_id: str
    snapshot: Snapshot | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the source: its id there, the login that it connects with, its subscriber's document."""

    external_id: str
    login: str
    document: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one question was answered with; `more`: the step has another page."""

    invoices: tuple[Listed, ...] = ()
    services: tuple[Service, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """What a full comparison has to look at: invoices due from `due_from` to `due_until`, and what was paid or
    registered since `since`."""

    due_from: date
    due_until: date
    since: date
    today: date
