"""One spelling for each value, so that rows are compared by what they mean. Pure.

RouterOS prints what was typed in its own way, and each release a little differently: `500M` or `500000000`, addresses
with or without `/32`, `true` or `yes`. Each function takes the text of a field and gives the one spelling that the
product writes itself; what it does not understand it gives back as it came.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address, ip_interface, ip_network

_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_RATE = re.compile(r"(\d+)([kKmMgG]?)(?:bps)?")
_MAC = re.compile(r"(?:[0-9a-fA-F]{1,2}[:-]){5}[0-9a-fA-F]{1,2}")
_TIME = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_CLOCK = re.compile(r"(?:(?:(\d+)w)?(?:(\d+)d)?)?(\d+):(\d\d):(\d\d)")
_SIZES = ((604_800, "w"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_BOOLEANS = {"true": "yes", "yes": "yes", "false": "no", "no": "no"}


def text(value: str) -> str:
    """Text is text: `007` is not `7`."""
    return value


def yes_no(value: str) -> str:
    """`yes` or `no`."""
    return _BOOLEANS.get(value, value)


def short_rate(bps: int) -> str:
    """Bits per second as people write them at a router: `50M`, `1500k`, `999`."""
    for suffix, unit in (("M", 1_000_000), ("k", 1_000)):
        if bps and not bps % unit:
            return f"{bps // unit}{suffix}"
    return str(bps)


def bits(value: str) -> int | None:
    """A rate in bits per second; None where it is none."""
    match = _RATE.fullmatch(value.strip())
    return int(match[1]) * _UNITS[match[2].lower()] if match else None


@lru_cache(maxsize=4096)
def limits(value: str) -> str:
    """One rate or a pair, in bits per second: `max-limit` of a queue. One number stands for itself."""
    found = [bits(part) for part in value.split("/")]
    return value if None in found else "/".join(map(str, found))


@lru_cache(maxsize=4096)
def rate_limit(value: str) -> str:
    """`rate-limit` of a profile: rates in their short form, `rx/tx`; a single rate is meant for both."""
    first, _, rest = value.strip().partition(" ")
    found = [bits(part) for part in first.split("/")]
    rates = [short_rate(rate) for rate in found if rate is not None]
    if len(rates) != len(found) or len(found) > 2:
        return value
    pair = "/".join(rates * 2 if len(rates) == 1 else rates)
    return f"{pair} {rest.strip()}" if rest.strip() else pair


@lru_cache(maxsize=16384)
def address(value: str) -> str:
    """An address or network; that of a single host without its prefix length. Names and ranges stay as they are."""
    if not value[:1].isdigit() and ":" not in value:
        return value
    try:
        found = ip_interface(value)
    except ValueError:
        return value
    whole = found.network.prefixlen == found.max_prefixlen
    return str(found.ip) if whole else str(ip_network(value, strict=False))


@lru_cache(maxsize=16384)
def network(value: str) -> str:
    """A network with its prefix length, a single host's too."""
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        return value


@lru_cache(maxsize=16384)
def targets(value: str) -> str:
    """What a queue limits: networks with their prefix length and interfaces, in one order."""
    parts = [part.strip() for part in value.split(",") if part.strip()]
    return ",".join(sorted({network(part) for part in parts}))


@lru_cache(maxsize=4096)
def networks(value: str) -> str:
    """Networks that are routed to a session, in one order; a gateway and distance behind one stay as they are."""
    parts = [part.split() for part in value.split(",") if part.strip()]
    return ",".join(sorted({" ".join((network(words[0]), *words[1:])) for words in parts}))


@lru_cache(maxsize=16384)
def mac(value: str) -> str:
    """`00:0A:95:9D:68:16`; what is no MAC address, such as a caller-id of another kind, stays as it is."""
    if not _MAC.fullmatch(value):
        return value
    return ":".join(part.zfill(2).upper() for part in value.replace("-", ":").split(":"))


@lru_cache(maxsize=4096)
def duid(value: str) -> str:
    """A DHCP unique identifier as RouterOS writes it: `0x` and hexadecimal digits."""
    digits = value.lower().removeprefix("0x").replace(":", "").replace("-", "")
    return f"0x{digits}" if digits and re.fullmatch(r"[0-9a-f]+", digits) else value


def optional(value: str) -> str:
    """A name, where `none` says that there is none."""
    return "" if value == "none" else value


def seconds(value: str) -> int | None:
    """A time (`1d2h3m`, `26:03:00`, `90`) in seconds; None where it is none."""
    if value.isascii() and value.isdigit():
        return int(value)
    if clock := _CLOCK.fullmatch(value):
        weeks, days, hours, minutes, rest = (int(part or 0) for part in clock.groups())
        return ((weeks * 7 + days) * 24 + hours) * 3_600 + minutes * 60 + rest
    spelled = _TIME.fullmatch(value)
    if not value or spelled is None:
        return None
    return sum(int(part or 0) * size for part, (size, _) in zip(spelled.groups(), _SIZES, strict=True))


def time(value: str) -> str:
    """A time with its units, the largest first: `1d2h3m`."""
    left = seconds(value)
    if left is None:
        return value
    shown = []
    for size, unit in _SIZES:
        count, left = divmod(left, size)
        shown.append(f"{count}{unit}" if count else "")
    return "".join(shown) or "0s"


def too_wide(value: str) -> bool:
    """Whether a target would be nobody's or everybody's: empty, or a network of length 0."""
    if not value.strip():
        return True
    return any(_is_everything(part.strip()) for part in value.split(","))


def _is_everything(value: str) -> bool:
    if value in ("", "0.0.0.0", "::", "all"):
        return True
    if not value.endswith("/0"):
        return False
    try:
        ip_address(value[:-2])
    except ValueError:
        return False
    return True
