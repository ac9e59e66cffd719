"""Who asks for a change, as the audit trail and the timelines will name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["api", "cli", "routine", "webhook", "system", "lab"]


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is an operator's or a routine's; `request_id` ties the change to one request.

    `permissions` are the words that a command may ask for; None: everything, as the product itself and the owner of
    the machine have it.
    """

    name: str
    source: Source
    request_id: str = ""
    permissions: frozenset[str] | None = None

    def may(self, permission: str) -> bool:
        """Whether this actor has the permission."""
        return self.permissions is None or permission in self.permissions


SYSTEM = Actor("catraca", "system")
