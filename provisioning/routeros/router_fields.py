"""The rules of a router's fields: what somebody wrote, in the form that is stored, or what is wanted instead. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from core.errors import InvalidInput
from core.secrets import Secret
from provisioning.routeros.garden_fields import checked_garden, is_host_name
from provisioning.routeros.rows import SpeedBy

PORT, TLS_PORT = 8728, 8729
OFF, PINNED, CA = "off", "pinned", "ca"
TLS = (OFF, PINNED, CA)
CHARSETS = ("utf-8", "latin-1", "cp1252")
REPAIR, REPORT = "repair", "report"
DRIFT = (REPAIR, REPORT)
MANAGES = ("ppp", "queues", "address-lists", "leases", "ip-bindings", "ipv6-bindings", "routes")
"""What of a router may be ours. What is left out is neither read nor written."""
PPP_SERVICES = ("any", "async", "l2tp", "ovpn", "pppoe", "pptp", "sstp")
DEFAULTS: Mapping[str, Any] = {
    "tls": OFF,
    "tls_fingerprint": "",
    "charset": "utf-8",
    "speed_by": SpeedBy.PROFILE.value,
    "manages": list(MANAGES),
    "ppp_service": "pppoe",
    "ppp_local_address": "",
    "dhcp_server": "",
    "hotspot_server": "",
    "dhcpv6_server": "",
    "reduced_list": "",
    "warned_list": "",
    "garden": None,
    "cut_connections": True,
    "drift": REPAIR,
    "check_minutes": 15,
    "writes_per_second": 300,
    "removal_cap": None,
    "timeout_seconds": 10,
    "enabled": True,
}
"""What a router is added with where nothing else is said; the port follows from `tls`."""
_WORD = 64


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in the form that is stored; InvalidInput for the first that breaks its rule, or is no field."""
    stored: dict[str, Any] = {}
    for field, value in values.items():
        if field not in _CHECKS:
            raise InvalidInput(field, f"no field of a router; the fields are {', '.join(sorted(_CHECKS))}", "name")
        stored[field] = _CHECKS[field](value)
    return stored


def check_together(router: Mapping[str, Any], restricting: tuple[str, ...]) -> None:
    """InvalidInput for fields that do not go together. `restricting`: the lists of who is suspended or paused."""
    if (router["tls"] == PINNED) != bool(router["tls_fingerprint"]):
        rule = "the certificate's SHA-256 with tls=pinned, and only then; `router fingerprint` shows what it presents"
        raise InvalidInput("tls_fingerprint", rule, "9f" * 32 if router["tls"] == PINNED else "")
    if router["speed_by"] in (SpeedBy.SIMPLE_QUEUE, SpeedBy.QUEUE_TREE) and "queues" not in router["manages"]:
        raise InvalidInput("manages", f"with queues, because speed_by is {router['speed_by']}", ["ppp", "queues"])
    for field, others in (("reduced_list", restricting), ("warned_list", (*restricting, router["reduced_list"]))):
        if router[field] and router[field] in others:
            rule = "a list of its own: this one is of subscribers who are restricted otherwise"
            raise InvalidInput(field, rule, f"catraca-{field.removesuffix('_list')}")


def advice_for(router: Mapping[str, Any], radius_subscriptions: int = 0, nas_answers: bool = False) -> list[str]:
    """What one should know of a router that is allowed to be as it is.

    `radius_subscriptions`: how many it serves by RADIUS; `nas_answers`: it is a NAS that RADIUS answers.
    """
    found = []
    if router["tls"] == OFF and _is_public(router["address"]):
        found.append(
            "passwords go to a public address in the clear: enable API-SSL at the router and set tls to pinned or ca"
        )
    if not router["manages"]:
        found.append("it manages nothing: the router is only read")
    if radius_subscriptions and not nas_answers:
        found.append(f"RADIUS serves {radius_subscriptions} of its subscriptions, and it is no NAS that RADIUS answers")
    if radius_subscriptions and router["speed_by"] != SpeedBy.NONE:
        found.append(
            f"RADIUS owns the speed of {radius_subscriptions} of its subscriptions: speed_by is for the others alone"
        )
    return found


def _is_public(address: str) -> bool:
    try:
        return ip_address(address).is_global
    except ValueError:
        return False


def _name(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    sound = 1 <= len(text) <= _WORD and text.isprintable() and "/" not in text and not text.isdecimal()
    if not sound:
        rule = "1 to 64 printable characters without a slash, not digits alone: those are an id"
        raise InvalidInput("name", rule, "borda-1")
    return text


def _address(value: Any) -> str:
    text = value.strip().lower().rstrip(".") if isinstance(value, str) else ""
    try:
        found: IPv4Address | IPv6Address | None = ip_address(text)
    except ValueError:
        found = None
    if found is not None and (found.is_unspecified or found.is_multicast or getattr(found, "scope_id", None)):
        raise InvalidInput("address", "an address that a router can have", "192.0.2.1")
    if found is None and not is_host_name(text):
        raise InvalidInput("address", "an IPv4 or IPv6 address, or a host name", "192.0.2.1")
    return text if found is None else str(found)


def _fingerprint(value: Any) -> str:
    text = value.replace(":", "").replace(" ", "").lower() if isinstance(value, str) else "?"
    if text and (len(text) != 64 or set(text) - set("0123456789abcdef")):
        raise InvalidInput("tls_fingerprint", "the certificate's SHA-256: 64 hexadecimal digits, or empty", "9f" * 32)
    return text


def _login(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    if not 1 <= len(text) <= _WORD or not text.isprintable() or text != text.strip():
        raise InvalidInput("login", "the API user's name, 1 to 64 printable characters", "catraca")
    return text


def _password(value: Any) -> Secret:
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str) or not 1 <= len(text) <= 128 or "\x00" in text:
        raise InvalidInput("password", "the API user's password, 1 to 128 characters", "s3nha-longa-da-api")
    return Secret(text)


def _manages(value: Any) -> list[str]:
    words = list(value) if isinstance(value, list | tuple | set | frozenset) else [None]
    if unknown := [word for word in words if word not in MANAGES]:
        raise InvalidInput("manages", f"some of {', '.join(MANAGES)}, not {unknown[0]!r}", ["ppp", "address-lists"])
    return [word for word in MANAGES if word in words]


def _local_address(value: Any) -> str:
    """RouterOS takes an address or the name of a pool there."""
    text = _word("ppp_local_address", "the router's end: an address, a pool's name, or empty", "10.255.0.1")(value)
    try:
        return str(ip_address(text)) if text else ""
    except ValueError:
        return text


def _removal_cap(value: Any) -> int | None:
    check = _number("removal_cap", "rows, 0 to 100000, or null: max(10, 3 % of those that are ours)", 50, 0, 100_000)
    return None if value is None else check(value)


def _flag(field: str) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise InvalidInput(field, "true or false", True)
        return value

    return check


def _word(field: str, rule: str, example: str) -> Callable[[Any], str]:
    """Text without blanks, so that it can be part of a mark; "" stands for none."""

    def check(value: Any) -> str:
        text = value.strip() if isinstance(value, str) else " "
        if len(text) > _WORD or not text.isprintable() or any(char.isspace() for char in text) or "," in text:
            raise InvalidInput(field, f"{rule}; at most 64 characters, no blanks or commas", example)
        return text

    return check


def _one_of(field: str, choices: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise InvalidInput(field, f"one of {', '.join(choices)}", choices[0])
        return str(value)

    return check


def _number(field: str, what: str, example: int, least: int, most: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise InvalidInput(field, what, example)
        return value

    return check


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "address": _address,
    "port": _number("port", "a TCP port, 1 to 65535", PORT, 1, 65535),
    "tls": _one_of("tls", TLS),
    "tls_fingerprint": _fingerprint,
    "login": _login,
    "password": _password,
    "charset": _one_of("charset", CHARSETS),
    "speed_by": _one_of("speed_by", tuple(word.value for word in SpeedBy)),
    "manages": _manages,
    "ppp_service": _one_of("ppp_service", ("pppoe", *(word for word in PPP_SERVICES if word != "pppoe"))),
    "ppp_local_address": _local_address,
    "dhcp_server": _word("dhcp_server", "a DHCP server's name, or empty: any", "dhcp-clientes"),
    "hotspot_server": _word("hotspot_server", "a hotspot server's name, or empty: all", "hotspot1"),
    "dhcpv6_server": _word("dhcpv6_server", "a DHCPv6 server's name, or empty", "dhcpv6-clientes"),
    "reduced_list": _word("reduced_list", "an address list's name, or empty", "catraca-reduced"),
    "warned_list": _word("warned_list", "an address list's name, or empty", "catraca-warned"),
    "garden": checked_garden,
    "cut_connections": _flag("cut_connections"),
    "drift": _one_of("drift", DRIFT),
    "check_minutes": _number("check_minutes", "minutes, 1 to 1440", 15, 1, 1440),
    "writes_per_second": _number("writes_per_second", "0 (no bound) to 10000", 300, 0, 10_000),
    "removal_cap": _removal_cap,
    "timeout_seconds": _number("timeout_seconds", "seconds, 1 to 60", 10, 1, 60),
    "enabled": _flag("enabled"),
}
