"""Attributes in the words of FreeRADIUS: its own dictionaries, read by pyrad, over our encoded octets.

So a number of ours that means something else to the rest of the world is seen at once. pyrad takes no tag apart
(RFC 2868 §3.1), and some of its types are older than the dictionaries; both are mended here, in the reading.
"""

from __future__ import annotations

from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from radius.attributes import VENDOR_SPECIFIC
from radius.codec import encode, parse

DICTIONARIES = Path("/usr/share/freeradius")
_STANDARD = ("rfc2865", "rfc2869", "rfc3162", "rfc4818", "rfc6911")
_VENDORS = ("cisco", "erx", "huawei", "mikrotik", "wispr")


def read_words(octets: bytes) -> list[str]:
    """`Name = value` of each encoded attribute, in order, as `radclient` would print it."""
    words = []
    for kind, value in parse(encode(2, 1, bytes(16), octets)).attributes:
        if kind != VENDOR_SPECIFIC:
            words.append(_word(_known()[0][kind], value))
            continue
        vendor, inner = int.from_bytes(value[:4]), value[4:]
        assert len(inner) == inner[1], "one sub-attribute in each Vendor-Specific"
        words.append(_word(_known()[1][vendor, inner[0]], inner[2:]))
    return words


def _word(attribute: tuple[str, str, bool], value: bytes) -> str:
    name, type_, tagged = attribute
    if tagged and value[:1] < b" ":
        name, value = f"{name}:{value[0]}", value[1:]
    return f"{name} = {int.from_bytes(value)}" if type_ == "integer" else f'{name} = "{value.decode()}"'


@lru_cache
def _known() -> tuple[dict[int, tuple[str, str, bool]], dict[tuple[int, int], tuple[str, str, bool]]]:
    """FreeRADIUS's attributes: name, type and whether it has a tag, by number and by (vendor, number)."""
    from pyrad.dictionary import Dictionary

    if not DICTIONARIES.is_dir():
        pytest.skip("no FreeRADIUS dictionaries (Debian: freeradius-common)")
    tagged: set[str] = set()
    read: Any = Dictionary(*(StringIO(_lines(name, tagged)) for name in (*_STANDARD, *_VENDORS)))
    standard: dict[int, tuple[str, str, bool]] = {}
    vendors: dict[tuple[int, int], tuple[str, str, bool]] = {}
    for name, attribute in read.attributes.items():
        said = name, attribute.type, name in tagged
        if attribute.vendor:
            vendors.setdefault((read.vendors.GetForward(attribute.vendor), attribute.code), said)
        else:
            standard.setdefault(attribute.code, said)
    return standard, vendors


def _lines(name: str, tagged: set[str]) -> str:
    """The ATTRIBUTE, VENDOR and BEGIN-VENDOR lines of a dictionary; names of attributes with a tag go to `tagged`."""
    kept = []
    for line in (DICTIONARIES / f"dictionary.{name}").read_text().splitlines():
        words = line.partition("#")[0].split()
        if not words or words[0] not in ("ATTRIBUTE", "VENDOR", "BEGIN-VENDOR", "END-VENDOR"):
            continue
        if words[0] == "ATTRIBUTE":
            if "has_tag" in words[4:]:
                tagged.add(words[1])
            words = words[:4]
            words[3] = "integer" if words[3] == "integer" else "string"
        kept.append("\t".join(words))
    return "\n".join(kept) + "\n"
