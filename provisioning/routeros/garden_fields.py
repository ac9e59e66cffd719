"""The rules of a router's walled garden as somebody writes it down: where the portal is, what stays open. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from core.errors import InvalidInput

EXAMPLE: Mapping[str, Any] = {
    "portal": "192.0.2.20",
    "portal_port": 80,
    "allow": ["192.0.2.0/28", "pix.bank.example"],
    "dns": True,
}
MOST_ALLOWED = 200
WIDEST = 8
"""Bits of the widest network that may stay open to who is suspended: a wider one would be no restriction."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def checked_garden(value: Any) -> dict[str, Any] | None:
    """The walled garden with all its members, or None for none. InvalidInput names the member."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or set(value) - set(EXAMPLE) or "portal" not in value:
        raise InvalidInput("garden", f"an object of portal, {', '.join(list(EXAMPLE)[1:])}, or null", dict(EXAMPLE))
    return {
        "portal": _portal(value["portal"]),
        "portal_port": _port(value.get("portal_port", 80)),
        "allow": _allowed(value.get("allow", [])),
        "dns": _dns(value.get("dns", True)),
    }


def is_host_name(text: str) -> bool:
    """A DNS name in lower case, of which the last label is no number."""
    labels = text.split(".")
    sound = len(text) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
    return sound and not labels[-1].isdecimal()


def _portal(value: Any) -> str:
    try:
        found = IPv4Address(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.is_unspecified or found.is_multicast or found.is_loopback:
        raise InvalidInput("garden.portal", "the portal's IPv4 address", EXAMPLE["portal"])
    return str(found)


def _port(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise InvalidInput("garden.portal_port", "a TCP port, 1 to 65535", 80)
    return value


def _allowed(value: Any) -> list[str]:
    """Each once, in the order in which they were written."""
    if not isinstance(value, list | tuple) or len(value) > MOST_ALLOWED:
        raise InvalidInput("garden.allow", f"a list of at most {MOST_ALLOWED} addresses and names", EXAMPLE["allow"])
    return list(dict.fromkeys(_destination(item) for item in value))


def _destination(value: Any) -> str:
    text = value.strip().lower().rstrip(".") if isinstance(value, str) else ""
    try:
        network = IPv4Network(text)
    except ValueError:
        if not is_host_name(text):
            rule = f"IPv4 addresses, networks without host bits and DNS names, not {value!r}"
            raise InvalidInput("garden.allow", rule, EXAMPLE["allow"]) from None
        return text
    if network.prefixlen < WIDEST or network.network_address.is_unspecified:
        rule = f"no network wider than /{WIDEST}: {text} would leave everything open"
        raise InvalidInput("garden.allow", rule, EXAMPLE["allow"])
    return str(network.network_address) if network.prefixlen == 32 else str(network)


def _dns(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput("garden.dns", "true or false: whether names are resolved for who is suspended", True)
    return value
