"""What an adapter of a billing system that we ask has to give: steps to take, and the page of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from billing_bridge.gateways.listing import Page, Step, Window
from billing_bridge.intake.models import BillingSource


class Feed(Protocol):
    """One connection to a source."""

    def fetch(self, step: Mapping[str, Any], page: int) -> Page:
        """Page `page` (from 0) of a step. FeedError."""

    def due_on(self, day: date) -> Step:
        """The step that lists everything due on one day."""

    def close(self) -> None:
        """Let go of the connection."""


@dataclass(frozen=True, slots=True)
class FeedKind:
    """How sources of one kind are asked. `plan` is pure."""

    plan: Callable[[Window], list[Step]]
    connect: Callable[[BillingSource], Feed]


FEEDS: dict[str, FeedKind] = {}
"""By the kind of the source."""
