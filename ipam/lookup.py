"""Who has what now: by subscription and by address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from itertools import islice
from typing import cast

from sqlalchemy import ColumnElement, select

from core.columns import Address
from core.database import Transaction
from ipam.history import Tenure, history_of_address
from ipam.listing import given_between
from ipam.models import ASSIGNED, GivenAddress, ReservedRange, Subnet
from ipam.notation import parse_address
from ipam.reserved import reserved_ranges
from ipam.space import AddressState
from ipam.standing import Standing, standing
from ipam.subnets import layout_of, subnet_around

_IPV4 = GivenAddress.family == 4
_IDS_PER_QUERY = 5000  # SQLite takes 32,766 parameters
_SPARSEST_STRETCH = 8


@dataclass(frozen=True, slots=True)
class FixedAddress:
    """A subscription's fixed address with what its router needs to know."""

    subscription_id: int
    address: IPv4Address
    prefix_length: int
    gateway: IPv4Address | None
    subnet_id: int
    subnet_name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A subscription's fixed address and the subnet that it is of."""

    address: IPv4Address
    subnet_id: int


@dataclass(frozen=True, slots=True)
class AddressReport:
    """Everything about one address. `subnet` None: it lies in none that we know; it may still have a history."""

    address: IPv4Address
    standing: Standing
    subnet: Subnet | None
    history: tuple[Tenure, ...]
    reserved: ReservedRange | None = None


def look_up_address(tx: Transaction, address: str | Address, *, history_limit: int = 100) -> AddressReport:
    """How the address stands, whose it is, who had it (newest first). InvalidInput when unreadable."""
    ip = parse_address(address)
    history = history_of_address(tx, ip, limit=history_limit)
    subnet = subnet_around(tx, ip)
    if subnet is None:
        return AddressReport(ip, Standing(AddressState.UNMANAGED), None, history)
    given = given_between(tx, ip, ip).get(ip)
    reserved = next((kept for kept in reserved_ranges(tx, subnet.id) if int(ip) in kept.block), None)
    return AddressReport(ip, standing(layout_of(tx, subnet), int(ip), given, tx.now), subnet, history, reserved)


def fixed_address(tx: Transaction, subscription_id: int) -> FixedAddress | None:
    """The subscription's fixed IPv4 address with its subnet, or None."""
    query = select(Subnet, GivenAddress.address, GivenAddress.since).join(Subnet, Subnet.id == GivenAddress.subnet_id)
    row = tx.session.execute(query.where(GivenAddress.subscription_id == subscription_id, _IPV4)).one_or_none()
    return None if row is None else described(row[0], row[1], subscription_id, row[2])


def described(subnet: Subnet, address: Address, subscription_id: int, since: datetime) -> FixedAddress:
    """The fixed address with what its subnet adds to it."""
    gateway = cast("IPv4Address | None", subnet.gateway)
    ip = cast("IPv4Address", address)
    return FixedAddress(subscription_id, ip, subnet.prefix_length, gateway, subnet.id, subnet.name, since)


def fixed_address_of(tx: Transaction, subscription_id: int) -> IPv4Address | None:
    """The subscription's fixed IPv4 address, or None."""
    held = held_by(tx, subscription_id)
    return None if held is None else held.address


def fixed_addresses_of(tx: Transaction, subscription_ids: Iterable[int]) -> dict[int, IPv4Address]:
    """The fixed IPv4 addresses of many subscriptions; those without one are left out."""
    ids = iter(sorted(set(subscription_ids)))
    found: dict[int, IPv4Address] = {}
    query = select(GivenAddress.subscription_id, GivenAddress.address).where(_IPV4)
    while some := list(islice(ids, _IDS_PER_QUERY)):
        wanted = set(some)
        rows = cast("Sequence[tuple[int, IPv4Address]]", tx.session.execute(query.where(_among(some))).all())
        found.update((holder, address) for holder, address in rows if holder in wanted)
    return found


def _among(ids: list[int]) -> ColumnElement[bool]:
    """Condition for ascending ids; it may let others of the same stretch through where that is the quicker question.

    A list of thousands of parameters costs several times what reading a few rows too many does.
    """
    if ids[-1] - ids[0] < _SPARSEST_STRETCH * len(ids):
        return GivenAddress.subscription_id.between(ids[0], ids[-1])
    return GivenAddress.subscription_id.in_(ids)


def held_by(tx: Transaction, subscription_id: int, *, lock: bool = False) -> Held | None:
    """Where the subscription's fixed IPv4 address is; `lock` keeps it so until the commit."""
    mine = select(GivenAddress.address, GivenAddress.subnet_id)
    mine = mine.where(GivenAddress.subscription_id == subscription_id, GivenAddress.state == ASSIGNED, _IPV4)
    row = tx.session.execute(mine.with_for_update() if lock else mine).one_or_none()
    return None if row is None else Held(cast("IPv4Address", row.address), row.subnet_id)
