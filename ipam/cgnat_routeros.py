"""A CGNAT rule as RouterOS commands, so that the router does what the rule says. Pure.

`netmap` keeps the host bits of an address (Linux NETMAP), so it says a whole block of the layout of that name in one
rule where both ranges begin on a multiple of the outside range's size, and that is a power of two. Everything else is
one `src-nat` rule an inside address. TCP and UDP get their ports; what has no ports (ICMP) only the address.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from ipam.cgnat import Mapping

_PROTOCOLS = ("tcp", "udp", "")


def commands(mapping: Mapping, name: str) -> Iterator[str]:
    """The lines for a terminal of the router; `name` stands in their comments."""
    yield "/ip firewall nat"
    steps = _netmap(mapping) if _can_netmap(mapping) else _src_nat(mapping)
    comment = "".join(char if char.isalnum() or char in " -_./" else "_" for char in name)
    for action, inside, outside, ports in steps:
        for protocol in _PROTOCOLS:
            narrowed = f" protocol={protocol}" if protocol else ""
            to_ports = f" to-ports={ports}" if protocol else ""
            yield (
                f"add chain=srcnat action={action}{narrowed} src-address={inside} to-addresses={outside}{to_ports}"
                f' comment="cgnat {comment}"'
            )


def _can_netmap(mapping: Mapping) -> bool:
    size = mapping.outside.size
    aligned = mapping.outside.first % size == 0 and mapping.inside.first % size == 0
    return mapping.layout == "netmap" and size & (size - 1) == 0 and aligned


def _netmap(mapping: Mapping) -> Iterator[tuple[str, str, str, str]]:
    outside = f"{IPv4Address(mapping.outside.first)}/{33 - mapping.outside.size.bit_length()}"
    for block in range(-(-mapping.inside.size // mapping.outside.size)):
        first = mapping.inside.first + block * mapping.outside.size
        last = min(first + mapping.outside.size - 1, mapping.inside.last)
        port = mapping.ports.first + block * mapping.block_size
        yield "netmap", _range(first, last), outside, f"{port}-{port + mapping.block_size - 1}"


def _src_nat(mapping: Mapping) -> Iterator[tuple[str, str, str, str]]:
    for number in range(mapping.inside.first, mapping.inside.last + 1):
        if found := mapping.block_of(IPv4Address(number)):
            yield "src-nat", str(IPv4Address(number)), str(found.outside), f"{found.first_port}-{found.last_port}"


def _range(first: int, last: int) -> str:
    return str(IPv4Address(first)) if first == last else f"{IPv4Address(first)}-{IPv4Address(last)}"
