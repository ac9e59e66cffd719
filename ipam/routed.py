"""Prefixes that are routed to a subscription: its framed and its delegated IPv6 prefix, and routes.

No two overlap, whoever they are of; what says so is one lock (`folders.lock_plan`) in front of plain reading, as with
subnets, and the unique first address behind it. An IPv4 route may lie in a subnet of which fixed addresses are given:
then that part of the subnet is reserved for as long as the route stands, so none of it is given meanwhile, and the
route is refused while somebody has an address there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from core.among import among
from core.columns import Address
from core.database import Transaction
from core.errors import Conflict, InvalidInput, NotFound
from ipam.folders import lock_plan
from ipam.models import ASSIGNED, QUARANTINED, GivenAddress, ReservedRange, RoutedPrefix, Subnet
from ipam.notation import NO_HOSTS, check_limit
from ipam.reserved import add_reserved_range, delete_reserved_range
from ipam.routed_space import routed_between
from ipam.space import Network
from ipam.subnets import lock_subnet

MOST_ROUTES = 16
_NO_HOSTS_6 = tuple(IPv6Network(text) for text in ("::/8", "fe80::/10", "ff00::/8"))
"""Unspecified, loopback and IPv4 in IPv6; link-local; multicast (RFC 6890)."""


class Purpose(StrEnum):
    """What a prefix is to its subscription: on its link, handed to its router by DHCPv6, or routed to it."""

    FRAMED = "framed"
    DELEGATED = "delegated"
    ROUTE = "route"


_SHORTEST = {(Purpose.FRAMED, 6): 48, (Purpose.DELEGATED, 6): 32, (Purpose.ROUTE, 4): 8, (Purpose.ROUTE, 6): 20}
"""Prefix lengths that a purpose takes in a family, from this one on: a slip must not route half the world."""
_EXAMPLES = {
    Purpose.FRAMED: "2001:db8:1:7::/64",
    Purpose.DELEGATED: "2001:db8:700::/56",
    Purpose.ROUTE: "203.0.113.8/29",
}


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prefix as it is routed."""

    id: int
    subscription_id: int
    purpose: Purpose
    network: Network
    created_at: datetime


def give_prefix(tx: Transaction, *, subscription_id: int, purpose: Purpose | str, network: str | Network) -> Prefix:
    """Route the network to the subscription.

    InvalidInput (purpose, network); Conflict when it meets another prefix, an address that somebody has or a
    gateway, or when the subscription has its framed or delegated prefix, or its 16 routes, already.
    """
    purpose = _purpose(purpose)
    wanted = _network(network, purpose)
    lock_plan(tx)
    _refuse_too_many(tx, subscription_id, purpose)
    _refuse_overlap(tx, wanted)
    if isinstance(wanted, IPv4Network):
        _reserve(tx, wanted, subscription_id)
    row = RoutedPrefix(
        subscription_id=subscription_id, purpose=purpose.value, family=wanted.version, first=wanted[0], last=wanted[-1],
        prefix_length=wanted.prefixlen, created_at=tx.now,
    )  # fmt: skip
    try:
        with tx.session.begin_nested():
            tx.session.add(row)
    except IntegrityError as error:
        raise Conflict(f"another request has just taken {wanted}", field="network") from error
    tx.audit("give", "routed_prefix", wanted, after={"subscription_id": subscription_id, "purpose": purpose.value})
    return _prefix(row)


def withdraw_prefix(tx: Transaction, *, subscription_id: int, network: str | Network) -> Prefix:
    """Route the network to the subscription no more. InvalidInput; NotFound when it has no such prefix."""
    wanted = _readable(network)
    mine = select(RoutedPrefix).where(
        RoutedPrefix.subscription_id == subscription_id,
        RoutedPrefix.family == wanted.version,
        RoutedPrefix.first == wanted[0],
        RoutedPrefix.prefix_length == wanted.prefixlen,
    )
    row = tx.session.scalar(mine.with_for_update(), execution_options={"populate_existing": True})
    if row is None:
        raise NotFound(f"prefix of subscription {subscription_id}", str(wanted))
    return _withdraw(tx, row)


def withdraw_prefixes(tx: Transaction, *, subscription_id: int) -> tuple[Prefix, ...]:
    """Take back all that is routed to the subscription; gives what it was."""
    mine = select(RoutedPrefix).where(RoutedPrefix.subscription_id == subscription_id)
    rows = tx.session.scalars(mine.order_by(RoutedPrefix.id).with_for_update()).all()
    return tuple(_withdraw(tx, row) for row in rows)


def move_prefixes(tx: Transaction, *, from_subscription: int, to_subscription: int) -> tuple[Prefix, ...]:
    """Hand all that is routed to one subscription on to another that has nothing, as when it migrates; gives it.

    InvalidInput when both are one; Conflict when the second has prefixes of its own.
    """
    if from_subscription == to_subscription:
        raise InvalidInput("to_subscription", "another subscription than the one that has them", to_subscription + 1)
    lock_plan(tx)
    if own := prefixes_of(tx, [to_subscription]).get(to_subscription):
        detail = f"{own[0].network} is routed to subscription {to_subscription} already; withdraw it first"
        raise Conflict(detail, network=str(own[0].network))
    mine = select(RoutedPrefix).where(RoutedPrefix.subscription_id == from_subscription)
    rows = tx.session.scalars(mine.order_by(RoutedPrefix.id).with_for_update()).all()
    for row in rows:
        row.subscription_id = to_subscription
        before, after = {"subscription_id": from_subscription}, {"subscription_id": to_subscription}
        tx.audit("move", "routed_prefix", _prefix(row).network, before, after)
    made = update(ReservedRange).where(ReservedRange.purpose == _reservation(from_subscription))
    tx.session.execute(made.values(purpose=_reservation(to_subscription)))
    tx.session.flush()
    return tuple(_prefix(row) for row in rows)


def prefixes_of(tx: Transaction, subscription_ids: Iterable[int]) -> Mapping[int, tuple[Prefix, ...]]:
    """What is routed to each of many subscriptions, by family and address; those with nothing are left out."""
    found: dict[int, list[Prefix]] = defaultdict(list)
    theirs = select(RoutedPrefix).where(among(tx.session, RoutedPrefix.subscription_id, subscription_ids))
    for row in tx.session.scalars(theirs.order_by(RoutedPrefix.family, RoutedPrefix.first)):
        found[row.subscription_id].append(_prefix(row))
    return {holder: tuple(prefixes) for holder, prefixes in found.items()}


def list_prefixes(
    tx: Transaction, *, around: Address | None = None, after: int = 0, limit: int = 100
) -> Sequence[Prefix]:
    """Every routed prefix in order of its id, from behind `after`; `around`: only the one that the address lies in."""
    query = select(RoutedPrefix).where(RoutedPrefix.id > after).order_by(RoutedPrefix.id).limit(check_limit(limit))
    if around is not None:
        query = query.where(
            RoutedPrefix.family == around.version, RoutedPrefix.first <= around, RoutedPrefix.last >= around
        )
    return [_prefix(row) for row in tx.session.scalars(query)]


def _prefix(row: RoutedPrefix) -> Prefix:
    network: Network = ip_network((row.first, row.prefix_length))
    return Prefix(row.id, row.subscription_id, Purpose(row.purpose), network, row.created_at)


def _purpose(value: Purpose | str) -> Purpose:
    try:
        return Purpose(value)
    except ValueError:
        raise InvalidInput("purpose", f"one of {', '.join(Purpose)}", Purpose.ROUTE.value) from None


def _readable(value: str | Network) -> Network:
    """A network without host bits, in a notation that both ends mean alike."""
    try:
        network: Network = ip_network(value if isinstance(value, IPv4Network | IPv6Network) else value.strip())
    except ValueError:
        raise InvalidInput("network", "a network in CIDR form, without host bits", "203.0.113.8/29") from None
    if "%" in str(network):
        raise InvalidInput("network", "a network without a zone", "2001:db8:700::/56")
    return network


def _network(value: str | Network, purpose: Purpose) -> Network:
    network, example = _readable(value), _EXAMPLES[purpose]
    shortest = _SHORTEST.get((purpose, network.version))
    if shortest is None:
        raise InvalidInput("network", f"an IPv6 prefix: it is to be the {purpose} one", example)
    if network.prefixlen < shortest:
        raise InvalidInput("network", f"a prefix length of {shortest} to {network.max_prefixlen}", example)
    barred = NO_HOSTS if isinstance(network, IPv4Network) else _NO_HOSTS_6
    if any(network.version == each.version and network.overlaps(each) for each in barred):
        raise InvalidInput("network", "addresses that hosts can use", example)
    return network


def _refuse_too_many(tx: Transaction, subscription_id: int, purpose: Purpose) -> None:
    mine = select(RoutedPrefix).where(
        RoutedPrefix.subscription_id == subscription_id, RoutedPrefix.purpose == purpose.value
    )
    held = tx.session.scalars(mine.order_by(RoutedPrefix.id)).all()
    if purpose is Purpose.ROUTE and len(held) >= MOST_ROUTES:
        raise Conflict(f"subscription {subscription_id} has {MOST_ROUTES} routes, the most that there may be")
    if purpose is not Purpose.ROUTE and held:
        has = _prefix(held[0]).network
        detail = f"subscription {subscription_id} has the {purpose} prefix {has} already; withdraw it first"
        raise Conflict(detail, network=str(has))


def _refuse_overlap(tx: Transaction, network: Network) -> None:
    if (other := routed_between(tx, network[0], network[-1])) is not None:
        there = _prefix(other).network
        detail = f"{network} meets {there}, which is routed to subscription {other.subscription_id}"
        raise Conflict(detail, network=str(there), subscription_id=other.subscription_id)


def _reserve(tx: Transaction, network: IPv4Network, subscription_id: int) -> None:
    """Keep what subnets have of the network from being given; Conflict when somebody has some of it."""
    for subnet_id in _subnets_in(tx, network):
        subnet = lock_subnet(tx, subnet_id)
        first, last = _part(subnet, network)
        _refuse_use(tx, subnet, first, last)
        if not _all_reserved(tx, subnet, first, last):
            add_reserved_range(tx, subnet_id=subnet.id, first=first, last=last, purpose=_reservation(subscription_id))


def _reservation(subscription_id: int) -> str:
    """The purpose by which a reserved range is known as a route's."""
    return f"routed to subscription {subscription_id}"


def _subnets_in(tx: Transaction, network: IPv4Network) -> Sequence[int]:
    meeting = select(Subnet.id).where(Subnet.family == 4, Subnet.first <= network[-1], Subnet.last >= network[0])
    return tx.session.scalars(meeting.order_by(Subnet.first)).all()


def _part(subnet: Subnet, network: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    """The first and last address that both have."""
    first, last = max(int(subnet.first), int(network[0])), min(int(subnet.last), int(network[-1]))
    return IPv4Address(first), IPv4Address(last)


def _refuse_use(tx: Transaction, subnet: Subnet, first: IPv4Address, last: IPv4Address) -> None:
    if subnet.gateway is not None and int(first) <= int(subnet.gateway) <= int(last):
        raise Conflict(f"{subnet.gateway} is the gateway of the subnet {subnet.label}", subnet_id=subnet.id)
    resting = (GivenAddress.state == QUARANTINED) & (GivenAddress.quarantined_until > tx.now)
    used = select(GivenAddress.address, GivenAddress.subscription_id).where(
        GivenAddress.subnet_id == subnet.id,
        GivenAddress.address.between(first, last),
        (GivenAddress.state == ASSIGNED) | resting,
    )
    row = tx.session.execute(used.order_by(GivenAddress.address).limit(1)).one_or_none()
    if row is not None:
        holder = "is in quarantine" if row.subscription_id is None else f"is of subscription {row.subscription_id}"
        detail = f"{row.address} of the subnet {subnet.label} {holder}"
        raise Conflict(detail, address=str(row.address), subscription_id=row.subscription_id, subnet_id=subnet.id)


def _all_reserved(tx: Transaction, subnet: Subnet, first: IPv4Address, last: IPv4Address) -> bool:
    covering = select(ReservedRange.id).where(
        ReservedRange.subnet_id == subnet.id, ReservedRange.first <= first, ReservedRange.last >= last
    )
    return tx.session.scalar(covering.limit(1)) is not None


def _withdraw(tx: Transaction, row: RoutedPrefix) -> Prefix:
    gone = _prefix(row)
    tx.session.execute(delete(RoutedPrefix).where(RoutedPrefix.id == row.id))
    tx.session.expunge(row)
    if isinstance(gone.network, IPv4Network):
        _free(tx, gone.network, gone.subscription_id)
    before = {"subscription_id": gone.subscription_id, "purpose": gone.purpose.value}
    tx.audit("withdraw", "routed_prefix", gone.network, before=before)
    return gone


def _free(tx: Transaction, network: IPv4Network, subscription_id: int) -> None:
    """End the reservations that the route made; those that people made stay."""
    made = select(ReservedRange.id).where(
        ReservedRange.purpose == _reservation(subscription_id),
        ReservedRange.first >= network[0],
        ReservedRange.last <= network[-1],
    )
    for range_id in tx.session.scalars(made.order_by(ReservedRange.id)).all():
        delete_reserved_range(tx, range_id=range_id)
