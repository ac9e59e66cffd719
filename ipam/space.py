"""The arithmetic of an address space: pure, on integers, so that it can be tested against `ipaddress` and by property.

A `Layout` is everything about a subnet that does not depend on who holds what: its network, gateway and reserved
ranges. From it follows which addresses may ever be given (`rule_on`), how many those are, and where to look next.
Of a network with two addresses or one (IPv4 /31: RFC 3021; /32) none is lost to network and broadcast; IPv6 has no
broadcast, but its lowest address is the routers' anycast (RFC 4291 section 2.6.1), which a /127 may use (RFC 6164).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network


class AddressState(StrEnum):
    """How an address stands. UNMANAGED: inside no subnet that we know."""

    FREE = "free"
    ASSIGNED = "assigned"
    QUARANTINED = "quarantined"
    RESERVED = "reserved"
    GATEWAY = "gateway"
    NETWORK = "network"
    BROADCAST = "broadcast"
    UNMANAGED = "unmanaged"


@dataclass(frozen=True, slots=True, order=True)
class Block:
    """The numbers from `first` to `last`, both included."""

    first: int
    last: int

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def overlaps(self, other: Block) -> bool:
        return self.first <= other.last and other.first <= self.last

    def within(self, outer: Block) -> Block | None:
        """The part that lies in `outer`, or None."""
        if not self.overlaps(outer):
            return None
        return Block(max(self.first, outer.first), min(self.last, outer.last))


@dataclass(frozen=True, slots=True)
class Layout:
    """A network with its gateway's number and its reserved blocks, which do not overlap each other."""

    network: Network
    gateway: int | None = None
    reserved: tuple[Block, ...] = ()

    @property
    def whole(self) -> Block:
        return whole_of(self.network)

    @property
    def hosts(self) -> Block:
        return hosts_of(self.network)

    def rule_on(self, number: int) -> AddressState | None:
        """Why an address of the network is never given, or None when it may be."""
        if number not in self.hosts:
            return AddressState.NETWORK if number == self.whole.first else AddressState.BROADCAST
        if number == self.gateway:
            return AddressState.GATEWAY
        if any(number in block for block in self.reserved):
            return AddressState.RESERVED
        return None

    @property
    def barred(self) -> tuple[Block, ...]:
        """What a search inside `hosts` has to step over, lowest first."""
        gateway = () if self.gateway is None else (Block(self.gateway, self.gateway),)
        return tuple(sorted((*self.reserved, *gateway)))

    @property
    def usable(self) -> int:
        """Addresses that could be given if nothing were reserved."""
        return self.hosts.size - (self.gateway is not None and self.gateway in self.hosts)

    @property
    def reserved_count(self) -> int:
        """Usable addresses that are reserved."""
        inside = [part for block in self.reserved if (part := block.within(self.hosts))]
        lost = any(self.gateway in part for part in inside) if self.gateway is not None else False
        return sum(part.size for part in inside) - lost


@dataclass(frozen=True, slots=True)
class Utilisation:
    """Counts of a subnet's addresses. `total`: usable ones, so without network, broadcast and gateway."""

    total: int
    assigned: int
    quarantined: int
    reserved: int

    @property
    def free(self) -> int:
        return self.total - self.assigned - self.quarantined - self.reserved

    @property
    def percent(self) -> float:
        """How full it is: the share of `total` that cannot be given now, in percent with one decimal, rounded down.

        Rounded down, because 100 has to mean that not one address is left.
        """
        return 100.0 if not self.total else (self.total - self.free) * 1000 // self.total / 10


def whole_of(network: Network) -> Block:
    return Block(int(network.network_address), int(network.broadcast_address))


def hosts_of(network: Network) -> Block:
    """The addresses that a host may have: without network and broadcast, where the network has those."""
    whole = whole_of(network)
    if whole.size <= 2:
        return whole
    return Block(whole.first + 1, whole.last - (network.version == 4))


def first_outside(start: int, last: int, barred: Iterable[Block]) -> int | None:
    """The lowest number from `start` to `last` in none of the blocks (given lowest first), or None."""
    for block in barred:
        if start in block:
            start = block.last + 1
    return start if start <= last else None


def first_gap(start: int, taken: Sequence[int]) -> int:
    """The lowest number from `start` on that is not in `taken` (ascending, none below `start`)."""
    for number in taken:
        if number != start:
            break
        start += 1
    return start
