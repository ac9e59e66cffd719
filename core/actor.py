"""Who asks for a change, as the audit trail and the timelines will name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["api", "cli", "routine", "webhook", "system", "lab"]


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is an operator's or a routine's; `request_id` ties the change to one request."""

    name: str
    source: Source
    request_id: str = ""


SYSTEM = Actor("catraca", "system")
