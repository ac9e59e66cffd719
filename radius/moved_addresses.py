"""Addresses and prefixes that a session had before the ones that it has now.

The session's row only holds the last of each, so the use of an earlier one is written into the history at once: from
when the session got it until the record that told of another. A record that comes late and tells an address that the
session has no more is a use too, up to itself. Where it is not certain how far a use went, it is taken for the longer
one: of two sessions that may have had an address the history shows both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Network, ip_network

from radius.accounting import AccountingRecord, Address
from radius.fold import PREFIXES, SessionState

_SHORTEST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Moved:
    """A use that is over: `address` is the first of `prefix_length` bits."""

    address: Address
    prefix_length: int
    since: datetime
    until: datetime


def moved_from(before: SessionState, after: SessionState, record: AccountingRecord) -> list[Moved]:
    """What the session had or was told to have, and has no more, when `record` has made `after` of `before`."""
    if not _tells_another(before, record):
        return []
    return [
        Moved(*_network(place), since, max(until, since + _SHORTEST))
        for place, since, until in _over(before, after, record)
    ]


def _tells_another(before: SessionState, record: AccountingRecord) -> bool:
    address = record.framed_ip_address
    if address is not None and address != before.framed_ip_address is not None:
        return True
    return any(
        getattr(record, name) and getattr(before, name) not in (None, getattr(record, name)) for name in PREFIXES
    )


def _over(
    before: SessionState, after: SessionState, record: AccountingRecord
) -> Iterator[tuple[Address | str, datetime, datetime]]:
    for name, since in (
        ("framed_ip_address", "address_since"),
        *((prefix, f"{prefix}_since") for prefix in PREFIXES),
    ):
        told, had, has = (getattr(each, name) for each in (record, before, after))
        if told is None or had is None or told == had:
            continue
        if has != had:
            yield had, getattr(before, since) or before.started_at, record.at
        else:
            yield told, after.started_at, record.at


def _network(place: Address | str) -> tuple[Address, int]:
    network = ip_network(place) if not isinstance(place, str) else IPv6Network(place)
    return network.network_address, network.prefixlen
