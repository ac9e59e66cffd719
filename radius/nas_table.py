"""Which NAS a datagram comes from: by source address, exact first, then the longest prefix; over TLS by certificate.

In RADIUS the source address chooses the shared secret (RFC 2865 §3), never NAS-IP-Address, which anybody can
write into a packet. An address that matches no enabled NAS is a stranger and hears silence. Over TLS the certificate
takes that place (RFC 6614 §2.5) and the address counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from radius.authenticators import Authenticators
from radius.nas_records import NasEntry
from radius.vendors import VENDORS

Address = IPv4Address | IPv6Address
RADSEC_SECRET = b"radsec"
"""The shared secret of everybody over TLS (RFC 6614 §2.3): what keeps it secret there is TLS."""


class NasClient:
    """A NAS made ready for the hot path: its entry, vendor and keyed digests."""

    __slots__ = ("authenticators", "entry", "mac_auth", "over_tls", "require_message_authenticator", "vendor")

    def __init__(self, entry: NasEntry, *, over_tls: bool = False) -> None:
        """KeyError for a vendor that the table does not have.

        `over_tls`: as it speaks there, with the secret that everybody has. Message-Authenticator is not asked for
        then: TLS protects every octet of a request, which is all that the attribute is for.
        """
        self.entry = entry
        self.vendor = VENDORS[entry.vendor]
        self.over_tls = over_tls
        self.authenticators = Authenticators(RADSEC_SECRET if over_tls else entry.secret)
        self.require_message_authenticator = entry.require_message_authenticator and not over_tls
        self.mac_auth = entry.mac_auth

    def __repr__(self) -> str:
        return f"NasClient({self.entry.id}, {self.entry.name!r}, {self.entry.network})"


class NasTable:
    """Immutable; built anew when a NAS changes. Of two entries for one network or identity the lower id counts."""

    def __init__(self, clients: Iterable[NasClient] = ()) -> None:
        self._prefixes: dict[tuple[int, int], dict[int, NasClient]] = {}
        self._identities: dict[str, NasClient] = {}
        for client in sorted(clients, key=lambda each: each.entry.id):
            if client.entry.enabled:
                network = client.entry.network
                of_this_length = self._prefixes.setdefault((network.version, network.prefixlen), {})
                of_this_length.setdefault(int(network.network_address), client)
                if client.entry.radsec_identity:
                    self._identities.setdefault(client.entry.radsec_identity, NasClient(client.entry, over_tls=True))
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

    def find_identity(self, presented: Iterable[str]) -> NasClient | None:
        """The NAS, as it speaks over TLS, that has the first of these identities that any has."""
        return next((self._identities[each] for each in presented if each in self._identities), None)


def read_address(source: str) -> Address | None:
    """The address without its scope; an IPv4 address that a dual-stack socket shows as `::ffff:…` is IPv4."""
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
