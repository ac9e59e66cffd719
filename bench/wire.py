"""RADIUS packets as a NAS makes and checks them, from the standard library's hashes alone: what judges the product must
not share its code."""

from __future__ import annotations

import hashlib
import hmac
import os
from struct import pack

ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 1, 2, 3, 4, 5
STATUS_SERVER = 12
START, STOP, INTERIM = 1, 2, 3
_NAS_IP, _NAS_IDENTIFIER = bytes((4, 6, 10, 100, 0, 1)), b"\x20\x07bras1"


def attribute(kind: int, value: bytes) -> bytes:
    return bytes((kind, len(value) + 2)) + value


def number(kind: int, value: int) -> bytes:
    return pack(">BBI", kind, 6, value)


def hidden(password: bytes, authenticator: bytes, secret: bytes) -> bytes:
    """User-Password (RFC 2865 §5.2)."""
    padded = password.ljust(max(16, -(-len(password) // 16) * 16), b"\0")
    out, last = b"", authenticator
    for at in range(0, len(padded), 16):
        pad = hashlib.md5(secret + last).digest()
        last = (int.from_bytes(padded[at : at + 16]) ^ int.from_bytes(pad)).to_bytes(16)
        out += last
    return out


def signed(code: int, identifier: int, authenticator: bytes, attributes: bytes, secret: bytes) -> bytes:
    """With Message-Authenticator in front (RFC 3579 §3.2)."""
    head = pack(">BBH", code, identifier, 38 + len(attributes)) + authenticator
    mark = hmac.digest(secret, head + b"\x50\x12" + bytes(16) + attributes, "md5")
    return head + b"\x50\x12" + mark + attributes


def line_attributes(subscriber: int) -> bytes:
    """What a NAS tells of a line besides its name: 7 attributes."""
    mac = subscriber.to_bytes(4).hex(":").upper().encode()
    return b"".join(
        (
            _NAS_IP,
            _NAS_IDENTIFIER,
            number(5, 15_728_640 + subscriber),
            number(61, 15),
            attribute(87, b"ether2"),
            number(6, 2),
            attribute(31, b"02:00:" + mac),
        )
    )


def pap_request(identifier: int, user: bytes, password: bytes, more: bytes, secret: bytes) -> bytes:
    authenticator = os.urandom(16)
    own = attribute(1, user) + attribute(2, hidden(password, authenticator, secret)) + more
    return signed(ACCESS_REQUEST, identifier, authenticator, own, secret)


def status_request(identifier: int, secret: bytes) -> bytes:
    """Status-Server (RFC 5997)."""
    return signed(STATUS_SERVER, identifier, os.urandom(16), b"", secret)


def accounting_request(identifier: int, attributes: bytes, secret: bytes) -> bytes:
    head = pack(">BBH", ACCOUNTING_REQUEST, identifier, 20 + len(attributes))
    return head + hashlib.md5(head + bytes(16) + attributes + secret).digest() + attributes


def session_attributes(
    status: int, session: bytes, user: bytes, at: int, octets: tuple[int, int], seconds: int
) -> bytes:
    """Attributes of an Accounting-Request; `octets` are (input, output), `at` is Event-Timestamp."""
    counted = b"".join(
        number(low, count & 0xFFFFFFFF) + number(high, count >> 32)
        for (low, high), count in zip(((42, 52), (43, 53)), octets, strict=True)
    )
    named = number(40, status) + attribute(1, user) + attribute(44, session) + number(55, at)
    return named if status == START else named + counted + number(46, seconds)


def answers(reply: bytes, request: bytes, secret: bytes) -> bool:
    """Whether `reply` is an authentic response to `request` (RFC 2865 §3)."""
    if len(reply) < 20 or reply[1] != request[1] or len(reply) != reply[2] << 8 | reply[3]:
        return False
    return hashlib.md5(reply[:4] + request[4:20] + reply[20:] + secret).digest() == reply[4:20]
