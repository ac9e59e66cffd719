"""How one address stands: pure, from the subnet's layout, the address's row if it has one, and the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ipam.space import AddressState, Layout


@dataclass(frozen=True, slots=True)
class Given:
    """What the row of an address says that was given at least once; see `ipam.models.GivenAddress`."""

    state: str
    subscription_id: int | None
    since: datetime
    quarantined_until: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """`subscription_id` when assigned, `quarantined_until` in quarantine, `since` (of that state) in both."""

    state: AddressState
    subscription_id: int | None = None
    since: datetime | None = None
    quarantined_until: datetime | None = None


def standing(layout: Layout, number: int, given: Given | None, now: datetime) -> Standing:
    """The standing at `now` of the address with this number, which lies in the layout's network.

    A holder counts most, then what the layout says; a quarantine is over at its instant, whatever the row still says.
    """
    if given is not None and given.state == "assigned":
        return Standing(AddressState.ASSIGNED, given.subscription_id, given.since)
    if rule := layout.rule_on(number):
        return Standing(rule)
    if given is not None and given.quarantined_until is not None and given.quarantined_until > now:
        return Standing(AddressState.QUARANTINED, None, given.since, given.quarantined_until)
    return Standing(AddressState.FREE)
