"""What the kernel says of a datagram beside its octets: who sent it and to which of our addresses. Pure.

A label is what recvmmsg(2) writes for one datagram: on a socket that is bound to all addresses a control message with
the address that was asked (IP_PKTINFO of ip(7), IPV6_PKTINFO of RFC 3542 §6), and then the sender's socket address.
Turned round it is what sendmmsg(2) wants for the reply, which then leaves from the address that was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from struct import Struct, calcsize
from typing import NamedTuple

IP_PKTINFO, IPV6_PKTINFO = 8, 50
_IPPROTO_IP, _IPPROTO_IPV6 = 0, 41

_WORD = calcsize("@N")
_V4_NAME, _V6_NAME = Struct("=H2s4s8x"), Struct("=H2sI16sI")
"""struct sockaddr_in: family, port, address; struct sockaddr_in6: family, port, flow, address, scope."""


class LabelForm(NamedTuple):
    """The shape of the labels of one socket.

    `read` gives of a label the sender's address as text (that of IPv4 on an IPv6 socket as IPv4), its port, and the
    label that leads back.
    """

    control_bytes: int
    name_bytes: int
    read: Callable[[bytes], tuple[str, int, bytes]]


class _Control:
    """A control message that holds one struct, padded as CMSG_SPACE pads."""

    def __init__(self, level: int, kind: int, content: str) -> None:
        self._form = Struct(f"@Nii{content}")
        self._head = self._form.size, level, kind
        self.size = -(-self._form.size // _WORD) * _WORD

    def pack(self, *content: object) -> bytes:
        return self._form.pack(*self._head, *content).ljust(self.size, b"\0")

    def unpack(self, octets: bytes) -> tuple[bytes | int, ...]:
        """What it holds; all zero when it is not there."""
        size, level, kind, *content = self._form.unpack_from(octets)
        return tuple(content) if (size, level, kind) == self._head else self._form.unpack(bytes(self._form.size))[3:]


_V4_ASKED = _Control(_IPPROTO_IP, IP_PKTINFO, "i4s4s")
"""Interface, our address, the header's destination. All zero it lets routing choose our address."""
_V6_ASKED = _Control(_IPPROTO_IPV6, IPV6_PKTINFO, "16si")
"""Our address, interface. The interface of a link-local sender is the scope of its name."""


def _read_v4(name: bytes) -> tuple[str, int, bytes]:
    _, port, address = _V4_NAME.unpack(name)
    return str(IPv4Address(address)), int.from_bytes(port), name


def _read_v6(name: bytes) -> tuple[str, int, bytes]:
    _, port, _, octets, _ = _V6_NAME.unpack(name)
    address = IPv6Address(octets)
    return str(address.ipv4_mapped or address), int.from_bytes(port), name


def _read_v4_any(label: bytes) -> tuple[str, int, bytes]:
    _, ours, _ = _V4_ASKED.unpack(label)
    address, port, name = _read_v4(label[_V4_ASKED.size :])
    return address, port, _V4_ASKED.pack(0, ours, bytes(4)) + name


def _read_v6_any(label: bytes) -> tuple[str, int, bytes]:
    ours, _ = _V6_ASKED.unpack(label)
    address, port, name = _read_v6(label[_V6_ASKED.size :])
    return address, port, _V6_ASKED.pack(ours, 0) + name


V4 = LabelForm(0, _V4_NAME.size, _read_v4)
V6 = LabelForm(0, _V6_NAME.size, _read_v6)
V4_ANY = LabelForm(_V4_ASKED.size, _V4_NAME.size, _read_v4_any)
V6_ANY = LabelForm(_V6_ASKED.size, _V6_NAME.size, _read_v6_any)
