"""What a piece of work may end in: never a bare False."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Applied:
    """Done, or found to be done already."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: the same work is worth trying again after `after`."""

    after: timedelta
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: trying again without a change of the facts would end the same way."""

    reason: str


Outcome = Applied | Retry | Refused
