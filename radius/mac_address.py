"""MAC addresses as routers write them.

MikroTik's DHCP server sends the client identifier (`1:0:e1:7:9:2:fe`: hardware type 1, then octets without
leading zeroes) where others send `00:E1:07:09:02:FE`, `00-e1-07-09-02-fe`, `00e1.0709.02fe` or `00e1070902fe`.
A subscription is found by the six octets, never by the spelling.
"""

from __future__ import annotations

import re

_FORMS = (
    re.compile(rb"(?:1:)?([0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5})", re.IGNORECASE),
    re.compile(rb"([0-9a-f]{2}(?:-[0-9a-f]{2}){5})", re.IGNORECASE),
    re.compile(rb"([0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})", re.IGNORECASE),
    re.compile(rb"([0-9a-f]{12})", re.IGNORECASE),
)


def read_mac(text: bytes) -> bytes | None:
    """The six octets of a MAC address in any usual notation, or None when `text` is no MAC address."""
    for form in _FORMS:
        if match := form.fullmatch(text):
            groups = match[1].replace(b"-", b":").replace(b".", b"").split(b":")
            return bytes.fromhex("".join(group.decode().zfill(2) for group in groups))
    return None
