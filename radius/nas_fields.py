"""The rules of a NAS's fields: what somebody wrote, in the form that is stored, or what is wanted instead. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from core.errors import InvalidInput
from core.secrets import Secret
from radius.nas_records import RADSEC, RADSEC_PORT, UDP
from radius.radsec_identity import read_identity
from radius.vendors import VENDORS

SHORTEST_SECRET, LONGEST_SECRET = 8, 128
_FLAGS = ("require_message_authenticator", "mac_auth", "coa_echoes_class", "enabled")


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in the form that is stored; InvalidInput for the first that breaks its rule."""
    stored: dict[str, Any] = {}
    for field, value in values.items():
        if field in _FLAGS and not isinstance(value, bool):
            raise InvalidInput(field, "true or false", True)
        stored[field] = value if field in _FLAGS else _CHECKS[field](value)
    return stored


def check_transport(transport: str, identity: str | None) -> None:
    """InvalidInput when CoA would go over TLS to nobody knows whom."""
    if transport == RADSEC and identity is None:
        rule = "udp for a NAS without radsec_identity: over TLS nobody could tell that it is this one"
        raise InvalidInput("coa_transport", rule, UDP)


def _name(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= 64 or not text.isprintable():
        raise InvalidInput("name", "1 to 64 printable characters", "pop-centro")
    return text


def _network(value: Any) -> str:
    example = "192.0.2.1 or 192.0.2.0/24"
    try:
        network = ip_network(value.strip()) if isinstance(value, str) else None
    except ValueError:
        network = None
    if network is None or getattr(network.network_address, "scope_id", None):
        raise InvalidInput("network", "an IPv4 or IPv6 address, or a network in CIDR notation", example)
    if not network.prefixlen:
        raise InvalidInput("network", "not everybody: a NAS is an address or a network that you run", example)
    if network.is_multicast or network.is_unspecified or _is_mapped(network):
        raise InvalidInput("network", "an address that a router can send from", example)
    return str(network)


def _is_mapped(network: IPv4Network | IPv6Network) -> bool:
    return isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None


def _secret(value: Any) -> Secret:
    text = value.reveal() if isinstance(value, Secret) else value
    sound = isinstance(text, str) and text.isprintable() and text.isascii() and text == text.strip()
    if not sound or not SHORTEST_SECRET <= len(text) <= LONGEST_SECRET:
        rule = f"{SHORTEST_SECRET} to {LONGEST_SECRET} printable ASCII characters, no space at either end"
        raise InvalidInput("secret", rule, "kX7-two-dozen-random-characters")
    return Secret(text)


def _vendor(value: Any) -> str:
    if not isinstance(value, str) or value not in VENDORS:
        raise InvalidInput("vendor", f"one of {', '.join(sorted(VENDORS))}", "mikrotik")
    return value


def _coa_port(value: Any) -> int:
    return _port("coa_port", "a UDP port", 3799, value)


def _radsec_port(value: Any) -> int:
    return _port("radsec_port", "a TCP port", RADSEC_PORT, value)


def _port(field: str, what: str, example: int, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise InvalidInput(field, f"{what}, 1 to 65535", example)
    return value


def _identity(value: Any) -> str | None:
    if value == "":
        return None
    identity = read_identity(value) if isinstance(value, str) else None
    if identity is None:
        rule = (
            'a name of its certificate (DNS name, IP address or Common Name, no wildcard), sha256:<fingerprint>, or ""'
        )
        raise InvalidInput("radsec_identity", rule, "bras-1.provedor.example")
    return identity


def _transport(value: Any) -> str:
    if value not in (UDP, RADSEC):
        raise InvalidInput("coa_transport", f"{UDP} or {RADSEC}", UDP)
    return str(value)


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "network": _network,
    "secret": _secret,
    "vendor": _vendor,
    "coa_port": _coa_port,
    "radsec_identity": _identity,
    "coa_transport": _transport,
    "radsec_port": _radsec_port,
}
