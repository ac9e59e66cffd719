"""Which NAS a datagram comes from: by source address, exact first, then the longest prefix.

In RADIUS the source address chooses the shared secret (RFC 2865 §3), never NAS-IP-Address, which anybody can
write into a packet. An address that matches no enabled NAS is a stranger and hears silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from radius.authenticators import Authenticators
from radius.nas_records import NasEntry
from radius.vendors import VENDORS

Address = IPv4Address | IPv6Address


class NasClient:
    """A NAS made ready for the hot path: its entry, vendor and keyed digests."""

    __slots__ = ("authenticators", "entry", "mac_auth", "require_message_authenticator", "vendor")

    def __init__(self, entry: NasEntry) -> None:
        """KeyError for a vendor that the table does not have."""
        self.entry = entry
        self.vendor = VENDORS[entry.vendor]
        self.authenticators = Authenticators(entry.secret)
        self.require_message_authenticator = entry.require_message_authenticator
        self.mac_auth = entry.mac_auth

    def __repr__(self) -> str:
        return f"NasClient({self.entry.id}, {self.entry.name!r}, {self.entry.network})"


class NasTable:
    """Immutable; built anew when a NAS changes. Of two entries for one network the lower id counts."""

    def __init__(self, clients: Iterable[NasClient] = ()) -> None:
        self._prefixes: dict[tuple[int, int], dict[int, NasClient]] = {}
        for client in sorted(clients, key=lambda each: each.entry.id):
            if client.entry.enabled:
                network = client.entry.network
                of_this_length = self._prefixes.setdefault((network.version, network.prefixlen), {})
                of_this_length.setdefault(int(network.network_address), client)
        self._lengths = sorted(self._prefixes, key=lambda each: -each[1])

    def __len__(self) -> int:
        return sum(len(clients) for clients in self._prefixes.values())

    def find(self, source: str) -> NasClient | None:
        """The NAS that sends from this address (as a socket spells it), or None."""
        address = read_address(source)
        if address is None:
            return None
        number, width = int(address), address.max_prefixlen
        for version, length in self._lengths:
            if version == address.version:
                shift = width - length
                client = self._prefixes[version, length].get(number >> shift << shift)
                if client is not None:
                    return client
        return None


def read_address(source: str) -> Address | None:
    """The address without its scope; an IPv4 address that a dual-stack socket shows as `::ffff:…` is IPv4."""
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
