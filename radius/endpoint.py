"""UDP endpoints of the RADIUS ports.

A reply must leave from the address that the request was sent to, or the NAS takes it for a stranger's and drops
it (RFC 2865 §3). A socket bound to one address does that by itself. One bound to 0.0.0.0 or :: on a host with
several addresses would let routing choose; so there each datagram carries its destination (IP_PKTINFO, RFC 3542 §6)
and the reply is sent from it, for about a microsecond more.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import ip_address
from struct import Struct
from typing import Any

_RECEIVE_BUFFER = 8 << 20
_MAX_DATAGRAM = 4096
"""What is beyond is padding to be ignored (RFC 2865 §3)."""
_IP_PKTINFO = 8
_SO_RCVBUFFORCE = 33
_V4 = Struct("=i4s4s")
_V6 = Struct("=16si")
_CONTROL_ROOM = socket.CMSG_SPACE(_V6.size)

Source = Any
"""A hashable tuple that begins with the sender's address as text and its port; pass it to `send` as it is."""


class Endpoint:
    """A UDP socket on one address. Nothing here ever waits; wait on `fileno()`."""

    def __init__(self, bound: socket.socket) -> None:
        self._socket = bound
        self._receive: Any = bound.recvfrom
        self._send: Any = bound.sendto

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def name(self) -> tuple[str, int]:
        """The bound address and port."""
        address, port = self._socket.getsockname()[:2]
        return address, port

    def receive(self) -> tuple[bytes, Source]:
        """The next datagram and who sent it; BlockingIOError when none is there."""
        datagram, source = self._receive(_MAX_DATAGRAM, socket.MSG_DONTWAIT)
        return datagram, source

    def send(self, reply: bytes, source: Source) -> None:
        """Send to where a datagram came from; OSError when it cannot be sent now."""
        self._send(reply, socket.MSG_DONTWAIT, source)


class AnyAddressEndpoint(Endpoint):
    """A UDP socket on all addresses, that answers from the one that was asked.

    The last element of a source is the reply's control message, which names that address.
    """

    def __init__(self, bound: socket.socket) -> None:
        super().__init__(bound)
        self._receive = bound.recvmsg
        self._send = bound.sendmsg
        if bound.family == socket.AF_INET:
            bound.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        else:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)

    def receive(self) -> tuple[bytes, Source]:
        datagram, control, _, sender = self._receive(_MAX_DATAGRAM, _CONTROL_ROOM, socket.MSG_DONTWAIT)
        return datagram, (*sender, _from_there(*control[0]) if control else ())

    def send(self, reply: bytes, source: Source) -> None:
        self._send((reply,), source[-1], socket.MSG_DONTWAIT, source[:-1])


@lru_cache(maxsize=256)
def _from_there(level: int, kind: int, info: bytes) -> tuple[tuple[int, int, bytes]]:
    """The control messages that send from the address this one says a datagram came to, by any interface."""
    if level == socket.IPPROTO_IP:
        return ((level, kind, _V4.pack(0, _V4.unpack(info)[1], bytes(4))),)
    return ((level, kind, _V6.pack(_V6.unpack(info)[0], 0)),)


def open_endpoint(address: str, port: int) -> Endpoint:
    """Bind a UDP port on an IPv4 or IPv6 address, shared with other workers (SO_REUSEPORT); OSError if it cannot."""
    where = ip_address(address)
    bound = socket.socket(socket.AF_INET if where.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _enlarge_receive_buffer(bound)
        bound.bind((address, port))
        return AnyAddressEndpoint(bound) if where.is_unspecified else Endpoint(bound)
    except OSError:
        bound.close()
        raise


def _enlarge_receive_buffer(bound: socket.socket) -> None:
    """Room for a reconnect storm; beyond net.core.rmem_max only where the process may."""
    try:
        bound.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    except OSError:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
