"""Attributes as people read them, `name = value`, by the dictionaries; for tools, never on the hot path.

The files are in FreeRADIUS's syntax (dictionary(5)), of which this reads what ours use. An attribute that no file names
is shown by number and in hexadecimal digits. What would let somebody in is not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import NamedTuple

from radius.attributes import MESSAGE_AUTHENTICATOR, VENDOR_SPECIFIC
from radius.codec import OTHER_VSA_FORMATS, VENDOR_HEADER, Attribute, vendor_attributes
from radius.dictionaries import DICTIONARY

HIDDEN = frozenset({"User-Password", "CHAP-Password", "MS-CHAP-MPPE-Keys", "MS-MPPE-Send-Key", "MS-MPPE-Recv-Key"})
"""Shown by name alone."""


class Definition(NamedTuple):
    name: str
    kind: str
    secret: bool


@dataclass
class Dictionary:
    """`attributes` by vendor (0: none) and number; `values` by attribute's name and number."""

    attributes: dict[tuple[int, int], Definition] = field(default_factory=dict)
    values: dict[tuple[str, int], str] = field(default_factory=dict)
    vendors: dict[int, str] = field(default_factory=dict)


class NamedValue(NamedTuple):
    name: str
    value: str


def in_words(attributes: Iterable[Attribute]) -> list[NamedValue]:
    """Each attribute, vendors' taken apart, in order; Message-Authenticator, which is about the packet, left out."""
    return [word for kind, value in attributes if kind != MESSAGE_AUTHENTICATOR for word in _words(kind, value)]


@cache
def dictionary() -> Dictionary:
    """All of our dictionaries."""
    found = Dictionary()
    _read(DICTIONARY, found)
    return found


def _words(kind: int, value: bytes) -> Iterator[NamedValue]:
    if kind != VENDOR_SPECIFIC:
        yield _word(0, kind, value)
        return
    vendor = int.from_bytes(value[:VENDOR_HEADER])
    if vendor in OTHER_VSA_FORMATS:
        yield NamedValue(f"Vendor-{vendor}", f"0x{value[VENDOR_HEADER:].hex()}")
        return
    for inner, content in vendor_attributes(value, vendor):
        yield _word(vendor, inner, content)


def _word(vendor: int, kind: int, value: bytes) -> NamedValue:
    words = dictionary()
    definition = words.attributes.get((vendor, kind))
    if definition is None:
        owner = words.vendors.get(vendor, f"Vendor-{vendor}") + "-" if vendor else ""
        return NamedValue(f"{owner}Attribute-{kind}", f"0x{value.hex()}")
    if definition.secret:
        return NamedValue(definition.name, "***")
    return NamedValue(definition.name, _value(definition, value))


def _value(definition: Definition, value: bytes) -> str:
    match definition.kind, len(value):
        case "integer", 4:
            number = int.from_bytes(value)
            return dictionary().values.get((definition.name, number), str(number))
        case "date", 4:
            return datetime.fromtimestamp(int.from_bytes(value), UTC).isoformat()
        case "ipaddr", 4:
            return str(IPv4Address(value))
        case "ipv6addr", 16:
            return str(IPv6Address(value))
        case "ipv6prefix", size if 2 <= size <= 18:
            return f"{IPv6Address(value[2:].ljust(16, bytes(1)))}/{value[1]}"
    return _text(value)


def _text(value: bytes) -> str:
    """Printable text as it is, behind a tag (RFC 2868 §3.1) if there is one; else hexadecimal digits."""
    tag, rest = (f"{value[0]}:", value[1:]) if value[:1] and 0 < value[0] < 0x20 else ("", value)
    try:
        text = rest.decode()
    except UnicodeDecodeError:
        text = "\0"
    return tag + text if text.isprintable() and text else f"0x{value.hex()}"


def _read(path: Path, into: Dictionary) -> None:
    vendor = 0
    numbers: dict[str, int] = {}
    for line in path.read_text().splitlines():
        match line.partition("#")[0].split():
            case ["$INCLUDE", name]:
                _read(path.with_name(name), into)
            case ["VENDOR", name, number, *_]:
                numbers[name] = int(number)
                into.vendors[int(number)] = name
            case ["BEGIN-VENDOR", name]:
                vendor = numbers[name]
            case ["END-VENDOR", _]:
                vendor = 0
            case ["ATTRIBUTE", name, number, kind, *flags]:
                secret = name in HIDDEN or any("encrypt=" in flag for flag in flags)
                into.attributes[vendor, int(number, 0)] = Definition(name, kind, secret)
            case ["VALUE", name, word, number]:
                into.values[name, int(number, 0)] = word
