"""What is recorded of a subscription on a router, and the record that follows from how it stands now. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

OWN = 0
"""The record of the router's own rows, those of no subscription."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the record of one subscription says; fingerprints, "" for no rows."""

    desired: str = ""
    observed: str = ""
    proven: str = ""
    differs_since: datetime | None = None
    why: str = ""
    observed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subscription stands after a cycle. `why` "": it is in step. `since`: when its facts changed, if known."""

    desired: str
    observed: str
    why: str = ""
    since: datetime | None = None


def next_record(old: Record | None, standing: Standing, now: datetime) -> Record:
    """The record that follows: a difference keeps the instant since when it lasts."""
    if not standing.why:
        return Record(standing.desired, standing.observed, standing.desired, None, "", now)
    since = (old.differs_since if old else None) or standing.since or now
    return Record(standing.desired, standing.observed, old.proven if old else "", since, standing.why, now)


def same(old: Record | None, new: Record) -> bool:
    """Whether there is nothing new to write down."""
    return old is not None and replace(old, observed_at=None) == replace(new, observed_at=None)
