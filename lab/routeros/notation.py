"""How RouterOS takes values and how it shows them again: "10M" is shown as "10000000", "90m" as "1h30m".

A kind is a function of the argument's name, the value's octets and a look-up of other menus' names; it gives the octets
that are kept and shown, or raises the router's refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_interface, ip_network

from lab.routeros.traps import failure, invalid_value, no_match, out_of_range

Names = Callable[[str, bytes], bool]
"""Whether a menu has a row of this name."""
Kind = Callable[[str, bytes, Names], bytes]

_MULTIPLES = {"": 1, "k": 1000, "M": 1_000_000, "G": 1_000_000_000}
_RATE = re.compile(r"(\d+)([kMG]?)")
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-]?[0-9A-Fa-f]{2}){5}")
_CLOCK = re.compile(r"(?:(\d+)d ?)?(\d{1,2}):(\d{2})(?::(\d{2}))?")
_TIME = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s?)?")
_UNITS = (604_800, 86_400, 3_600, 60, 1)
_DUID = re.compile(rb"0[xX]([0-9A-Fa-f]{2})+")
_DNS_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*")


def text(_name: str, value: bytes, _names: Names) -> bytes:
    return value


def _read(name: str, value: bytes) -> str:
    try:
        return value.decode("ascii")
    except UnicodeDecodeError:
        raise invalid_value(name) from None


def boolean(name: str, value: bytes, _names: Names) -> bytes:
    """Taken as yes or true, shown as true."""
    if value in (b"yes", b"true", b""):
        return b"true"
    if value in (b"no", b"false"):
        return b"false"
    raise invalid_value(name)


def one_of(*words: str) -> Kind:
    known = frozenset(word.encode() for word in words)

    def kind(name: str, value: bytes, _names: Names) -> bytes:
        if value not in known:
            raise no_match(name)
        return value

    return kind


def whole(lowest: int, highest: int) -> Kind:
    def kind(name: str, value: bytes, _names: Names) -> bytes:
        if not value.isdigit():
            raise invalid_value(name)
        if not lowest <= int(value) <= highest:
            raise out_of_range(name, lowest, highest)
        return str(int(value)).encode()

    return kind


def bits_per_second(value: str) -> int | None:
    found = _RATE.fullmatch(value)
    return int(found[1]) * _MULTIPLES[found[2]] if found else None


def rate(name: str, value: bytes, _names: Names) -> bytes:
    number = bits_per_second(_read(name, value))
    if number is None:
        raise invalid_value(name)
    return str(number).encode()


def pair(kind: Kind) -> Kind:
    """Upload/download; one value stands for both."""

    def both(name: str, value: bytes, names: Names) -> bytes:
        parts = value.split(b"/")
        if len(parts) > 2:
            raise invalid_value(name)
        return b"%b/%b" % (kind(name, parts[0], names), kind(name, parts[-1], names))

    return both


def seconds_of(value: str) -> int | None:
    if clock := _CLOCK.fullmatch(value):
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return days * 86_400 + hours * 3_600 + minutes * 60 + seconds
    found = _TIME.fullmatch(value)
    if not value or not found:
        return None
    return sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS, strict=True))


def shown_time(seconds: int) -> str:
    """1d2h3m, as RouterOS shows a time."""
    shown = ""
    for letter, unit in zip("wdhms", _UNITS, strict=True):
        count, seconds = divmod(seconds, unit)
        shown += f"{count}{letter}" if count else ""
    return shown or "0s"


def duration(name: str, value: bytes, _names: Names) -> bytes:
    seconds = seconds_of(_read(name, value))
    if seconds is None:
        raise invalid_value(name)
    return shown_time(seconds).encode()


def mac(name: str, value: bytes, _names: Names) -> bytes:
    """Upper case with colons, however it is taken."""
    given = _read(name, value)
    if not _MAC.fullmatch(given):
        raise invalid_value(name)
    digits = re.sub("[:-]", "", given).upper()
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2)).encode()


def ipv4_or_name_in(*paths: str) -> Kind:
    """An address, or the name of a row of one of these menus."""

    def kind(name: str, value: bytes, names: Names) -> bytes:
        if any(names(path, value) for path in paths):
            return value
        try:
            return str(IPv4Address(value.decode("ascii"))).encode()
        except ValueError:
            raise no_match(name) from None

    return kind


def name_in(path: str, *words: str, argument: str | None = None) -> Kind:
    """The name of a row of this menu, or one of some words."""
    known = frozenset(word.encode() for word in words)

    def kind(name: str, value: bytes, names: Names) -> bytes:
        if value not in known and not names(path, value):
            raise no_match(argument or name)
        return value

    return kind


def network(name: str, value: bytes, _names: Names) -> bytes:
    """A route's destination: always with its length; host bits are refused."""
    try:
        return str(ip_network(_read(name, value))).encode()
    except ValueError:
        raise invalid_value(name) from None


def interface_address(name: str, value: bytes, _names: Names) -> bytes:
    try:
        return str(ip_interface(_read(name, value))).encode()
    except ValueError:
        raise invalid_value(name) from None


def ipv6_prefix(name: str, value: bytes, _names: Names) -> bytes:
    try:
        return str(IPv6Network(_read(name, value), strict=False)).encode()
    except ValueError:
        raise invalid_value(name) from None


def _list_address(given: str) -> str:
    """What an address list shows: a single address bare, a network by its first address, a range, or a name."""
    if "-" in given and given[:1].isdigit():
        first, last = (IPv4Address(part) for part in given.split("-", 1))
        return f"{first}-{last}"
    try:
        found = ip_network(given, strict=False)
    except ValueError:
        if given.replace(".", "").replace("/", "").isdigit() or not _DNS_NAME.fullmatch(given):
            raise
        return given
    return str(found.network_address) if found.prefixlen == found.max_prefixlen else str(found)


def list_address(name: str, value: bytes, _names: Names) -> bytes:
    given = _read(name, value)
    try:
        return _list_address(given).encode()
    except ValueError:
        raise failure(f"{given} is not a valid dns name") from None


def matched_address(name: str, value: bytes, _names: Names) -> bytes:
    """A firewall rule's address: one, a network or a range, with "!" for all others."""
    given = _read(name, value)
    try:
        return ("!" * given.startswith("!") + _list_address(given.removeprefix("!"))).encode()
    except ValueError:
        raise invalid_value(name) from None


def targets(name: str, value: bytes, names: Names) -> bytes:
    """A queue's targets: networks with their length, or interfaces."""
    return b",".join(_target(name, each, names) for each in value.split(b","))


def _target(name: str, value: bytes, names: Names) -> bytes:
    if names("/interface", value):
        return value
    try:
        return str(ip_network(value.decode("ascii"), strict=False)).encode()
    except ValueError:
        raise no_match(name) from None


def gateway(name: str, value: bytes, names: Names) -> bytes:
    if names("/interface", value):
        return value
    try:
        return str(ip_address(value.decode("ascii"))).encode()
    except ValueError:
        raise invalid_value(name) from None


def rate_limit(name: str, value: bytes, _names: Names) -> bytes:
    """A profile's rate limit is kept as it was written, where it can be read."""
    words = _read(name, value).split()
    rates = [part for word in words[:3] for part in word.split("/")]
    if len(words) > 6 or any(bits_per_second(part) is None for part in rates):
        raise invalid_value(name)
    return value


def duid(_name: str, value: bytes, _names: Names) -> bytes:
    if not _DUID.fullmatch(value):
        raise failure("Invalid DUID!")
    return value.lower()


def optional(kind: Kind) -> Kind:
    """An empty value unsets the field."""

    def kept(name: str, value: bytes, names: Names) -> bytes:
        return kind(name, value, names) if value else b""

    return kept
