"""What the kernel says of a datagram, read and turned round; the octets are those of Linux."""

from __future__ import annotations

import socket
import sys
from struct import pack

import pytest

from radius.labels import V4, V4_ANY, V6, V6_ANY, LabelForm

pytestmark = pytest.mark.skipif(sys.maxsize < 2**32, reason="the octets of a 64-bit system")

PORT = 40_000


def v4_name(address: str) -> bytes:
    return pack("=H", socket.AF_INET) + PORT.to_bytes(2) + socket.inet_aton(address) + bytes(8)


def v6_name(address: str, scope: int = 0) -> bytes:
    own = socket.inet_pton(socket.AF_INET6, address)
    return pack("=H", socket.AF_INET6) + PORT.to_bytes(2) + bytes(4) + own + pack("=I", scope)


def v4_asked(address: str, interface: int = 3) -> bytes:
    info = pack("=i", interface) + socket.inet_aton(address) + socket.inet_aton("255.255.255.255")
    return pack("=Qii", 28, 0, 8) + info + bytes(4)


def v6_asked(address: str, interface: int = 3) -> bytes:
    return pack("=Qii", 36, 41, 50) + socket.inet_pton(socket.AF_INET6, address) + pack("=i", interface) + bytes(4)


def v4_reply(address: str) -> bytes:
    return pack("=Qii", 28, 0, 8) + bytes(4) + socket.inet_aton(address) + bytes(8)


LABELS = {
    "IPv4": (V4, v4_name("192.0.2.1"), "192.0.2.1", v4_name("192.0.2.1")),
    "IPv6": (V6, v6_name("2001:db8::1"), "2001:db8::1", v6_name("2001:db8::1")),
    "link-local": (V6, v6_name("fe80::1", 7), "fe80::1", v6_name("fe80::1", 7)),
    "any IPv4": (
        V4_ANY,
        v4_asked("198.51.100.7") + v4_name("192.0.2.1"),
        "192.0.2.1",
        v4_reply("198.51.100.7") + v4_name("192.0.2.1"),
    ),
    "any IPv4, and the kernel does not tell which": (
        V4_ANY,
        bytes(32) + v4_name("192.0.2.1"),
        "192.0.2.1",
        v4_reply("0.0.0.0") + v4_name("192.0.2.1"),
    ),
    "any IPv6": (
        V6_ANY,
        v6_asked("2001:db8::7") + v6_name("2001:db8::1"),
        "2001:db8::1",
        v6_asked("2001:db8::7", 0) + v6_name("2001:db8::1"),
    ),
    "IPv4 on a socket of both": (
        V6_ANY,
        v6_asked("::ffff:198.51.100.7") + v6_name("::ffff:192.0.2.1"),
        "192.0.2.1",
        v6_asked("::ffff:198.51.100.7", 0) + v6_name("::ffff:192.0.2.1"),
    ),
    "any IPv6, and something else in place of the address": (
        V6_ANY,
        b"\xff" * 40 + v6_name("2001:db8::1"),
        "2001:db8::1",
        v6_asked("::", 0) + v6_name("2001:db8::1"),
    ),
}


@pytest.mark.parametrize(("form", "label", "address", "back"), LABELS.values(), ids=LABELS.keys())
def test_a_label_is_read_and_leads_back(form: LabelForm, label: bytes, address: str, back: bytes) -> None:
    assert len(label) == form.control_bytes + form.name_bytes
    shown, port, way = form.read(label)
    assert (shown, port) == (address, PORT)
    assert way == back
