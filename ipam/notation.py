"""How people write networks, addresses and names, and what they are told when they write them wrongly."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

from core.errors import InvalidInput
from ipam.space import Network, hosts_of

LONGEST_NAME = 80
LONGEST_PURPOSE = 200
LONGEST_QUARANTINE = 3650
LONGEST_PAGE = 1000
SHORTEST_PREFIX = 8
_CIDR = re.compile(r"[0-9.]+/[0-9]{1,2}")

NO_HOSTS = tuple(IPv4Network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))
"""This network, loopback, link-local, multicast and the reserved class E (RFC 6890): no subscriber can use them."""


def parse_network(value: str | IPv4Network, field: str = "cidr") -> IPv4Network:
    """`"10.0.0.0/24"` as a network. InvalidInput for host bits, a missing prefix length, IPv6 or unusable space."""
    text = str(value)
    network = _network(text, field)
    if network.prefixlen < SHORTEST_PREFIX:
        raise InvalidInput(field, f"a prefix length of {SHORTEST_PREFIX} to 32", "10.0.0.0/24")
    for barred in NO_HOSTS:
        if network.overlaps(barred):
            raise InvalidInput(field, f"addresses that hosts can use, which none of {barred} is", "10.0.0.0/24")
    if not text.startswith(f"{network.network_address}/"):  # last, so that the example is a network that would pass
        raise InvalidInput(field, f"no host bits behind the prefix of {network.prefixlen} bits", str(network))
    return network


def _network(text: str, field: str) -> IPv4Network:
    """The network that the text lies in; host bits are not looked at."""
    if ":" in text:
        raise InvalidInput(field, "an IPv4 network; IPv6 subnets are not offered yet", "10.0.0.0/24")
    try:
        if not _CIDR.fullmatch(text):
            raise ValueError(text)
        return IPv4Network(text, strict=False)
    except ValueError:
        raise InvalidInput(field, "a network as address/prefix length", "10.0.0.0/24") from None


def parse_address(value: str | IPv4Address | IPv6Address, field: str = "address") -> IPv4Address:
    """`"10.0.0.7"` as an address. InvalidInput when unreadable or IPv6."""
    try:
        address = ip_address(value)
    except ValueError:
        raise InvalidInput(field, "an IPv4 address", "10.0.0.7") from None
    if isinstance(address, IPv6Address):
        raise InvalidInput(field, "an IPv4 address, as IPv6 subnets are not offered yet", "10.0.0.7")
    return address


def parse_gateway(value: str | IPv4Address | IPv6Address, network: Network, field: str = "gateway") -> IPv4Address:
    """An address that a router may have in `network`; InvalidInput when outside, or network or broadcast address."""
    hosts = hosts_of(network)
    example = str(network[hosts.first - int(network[0])])
    try:
        address = ip_address(value)
    except ValueError:
        raise InvalidInput(field, "an IPv4 address", example) from None
    if isinstance(address, IPv6Address):
        raise InvalidInput(field, f"of the subnet's family, which is IPv4 ({network})", example)
    if address not in network:
        raise InvalidInput(field, f"inside the subnet {network}", example)
    if int(address) not in hosts:
        raise InvalidInput(field, f"neither network nor broadcast address of {network}", example)
    return address


def parse_range(first: str | IPv4Address, last: str | IPv4Address, network: Network) -> tuple[IPv4Address, ...]:
    """Both ends of a reserved range of `network`; InvalidInput when outside or the wrong way round."""
    ends = parse_address(first, "first"), parse_address(last, "last")
    for field, end, example in zip(("first", "last"), ends, (network[0], network[-1]), strict=True):
        if end not in network:
            raise InvalidInput(field, f"inside the subnet {network}", str(example))
    if ends[0] > ends[1]:
        raise InvalidInput("last", f"not below the range's first address, {ends[0]}", str(ends[0]))
    return ends


def parse_name(value: str, field: str = "name") -> str:
    """The name with single blanks; InvalidInput when empty, too long or with control characters."""
    name = " ".join(value.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidInput(field, f"1 to {LONGEST_NAME} printable characters", "Residencial Centro")
    return name


def parse_purpose(value: str, field: str = "purpose") -> str:
    """A short text for people, possibly empty."""
    purpose = " ".join(value.split())
    if len(purpose) > LONGEST_PURPOSE or not purpose.isprintable():
        raise InvalidInput(field, f"at most {LONGEST_PURPOSE} printable characters", "switches of the tower")
    return purpose


def check_quarantine(days: int | None, field: str = "quarantine_days") -> int | None:
    """Days of rest of a released address; None: the company's setting."""
    if days is not None and not 0 <= days <= LONGEST_QUARANTINE:
        raise InvalidInput(field, f"0 to {LONGEST_QUARANTINE} whole days", 30)
    return days


def check_limit(limit: int, field: str = "limit") -> int:
    """How many lines one page may hold."""
    if not 1 <= limit <= LONGEST_PAGE:
        raise InvalidInput(field, f"1 to {LONGEST_PAGE}", 100)
    return limit
