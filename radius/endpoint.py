"""UDP endpoints of the RADIUS ports.

A reply must leave from the address that the request was sent to, or the NAS takes it for a stranger's and drops
it (RFC 2865 §3). A socket bound to one address does that by itself. One bound to 0.0.0.0 or :: on a host with
several addresses would let routing choose; so there each datagram carries its destination (`radius.labels`) and the
reply is sent from it.

Datagrams are taken and sent many at a time (`radius.datagrams`), or one by one where the C library cannot. Senders
are few and their datagrams many, so what the kernel says of a sender is read once and then found by its octets.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from radius.datagrams import SLOT_BYTES, SLOTS, Receiver, Sender, available
from radius.labels import IP_PKTINFO, V4, V4_ANY, V6, V6_ANY, LabelForm

_BUFFER = 64 << 20
"""Holds the requests of 100,000 subscribers who come back within a second; takes memory only while they wait."""
_SOURCES = 65_536
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_CONTROL_ROOM = socket.CMSG_SPACE(20)

Source = tuple[Any, ...]
"""Who sent a datagram: the sender's address as text, its port, the way back, and the descriptor of the endpoint that
knows it. Equal for all datagrams of one sender to one of our addresses. Nothing in it concerns the garbage collector,
which would otherwise walk over every key of every cache."""
Arrived = tuple[bytes, Source]
"""A datagram and who sent it; or a reply and whom it is for."""


class Endpoint(ABC):
    """A UDP socket on one address, or on all. Nothing here ever waits; wait on `fileno()`."""

    most = SLOTS
    """Datagrams that `receive` gives at most. When it gives as many there may be more."""

    def __init__(self, bound: socket.socket) -> None:
        self._socket = bound

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def name(self) -> tuple[str, int]:
        """The bound address and port."""
        address, port = self._socket.getsockname()[:2]
        return address, port

    @abstractmethod
    def receive(self) -> list[Arrived]:
        """The datagrams that have arrived, of each 4096 octets at most: what is beyond is padding (RFC 2865 §3)."""

    @abstractmethod
    def send(self, replies: Sequence[Arrived]) -> list[OSError]:
        """Send replies to where datagrams came from; why some cannot be sent now. Those are lost, like any datagram."""

    def arrived_at(self) -> float:
        """When the first of what `receive` gave last reached this host, in epoch seconds; 0 when that is unknown."""
        return 0.0


class ManyEndpoint(Endpoint):
    """Takes and sends up to SLOTS datagrams with one system call."""

    def __init__(self, bound: socket.socket, form: LabelForm) -> None:
        super().__init__(bound)
        self._read = form.read
        self._receiver = Receiver(bound, form.control_bytes, form.name_bytes)
        self._sender = Sender(bound, form.control_bytes, form.name_bytes)
        self._sources: dict[bytes, Source] = {}

    def receive(self) -> list[Arrived]:
        receiver, known, meet = self._receiver, self._sources.get, self._meet
        count = receiver.receive()
        data = receiver.data
        return [
            (data[at : at + length], known(label) or meet(label))
            for at, length, label in zip(receiver.starts, receiver.lengths(count), receiver.labels(count), strict=False)
        ]

    def send(self, replies: Sequence[Arrived]) -> list[OSError]:
        failures = []
        for first in range(0, len(replies), SLOTS):
            batch = replies[first : first + SLOTS]
            failures += self._sender.send([reply for reply, _ in batch], [source[2] for _, source in batch])
        return failures

    def arrived_at(self) -> float:
        return self._receiver.arrived_at()

    def _meet(self, label: bytes) -> Source:
        """The source behind a label that is new."""
        if len(self._sources) >= _SOURCES:
            self._sources.clear()
        source = self._sources[label] = (*self._read(label), self.fileno())
        return source


class OneByOneEndpoint(Endpoint):
    """The same for systems without recvmmsg(2)."""

    def receive(self) -> list[Arrived]:
        found: list[Arrived] = []
        while len(found) < self.most:
            try:
                datagram, control, _, sender = self._socket.recvmsg(SLOT_BYTES, _CONTROL_ROOM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            way = sender, _from_there(*control[0]) if control else ()
            found.append((datagram, (sender[0], sender[1], way, self.fileno())))
        return found

    def send(self, replies: Sequence[Arrived]) -> list[OSError]:
        failures = []
        for reply, source in replies:
            sender, control = source[2]
            try:
                self._socket.sendmsg((reply,), control, socket.MSG_DONTWAIT, sender)
            except OSError as error:
                failures.append(error)
        return failures


@lru_cache(maxsize=256)
def _from_there(level: int, kind: int, info: bytes) -> tuple[tuple[int, int, bytes]]:
    """The control message that sends from the address this one says a datagram came to, by any interface."""
    if level == socket.IPPROTO_IP:
        return ((level, kind, bytes(4) + info[4:8] + bytes(4)),)
    return ((level, kind, info[:16] + bytes(4)),)


def read_addresses(text: str) -> list[IPv4Address | IPv6Address]:
    """The addresses of a list with commas, such as `0.0.0.0, ::`; ValueError when one is none."""
    return [ip_address(each.strip()) for each in text.split(",")]


def only_v6(addresses: Sequence[IPv4Address | IPv6Address]) -> bool:
    """Whether IPv6 sockets leave IPv4 alone: where IPv4 addresses are named too. Else `::` takes both."""
    return any(address.version == 4 for address in addresses)


def open_endpoints(addresses: str, port: int) -> list[Endpoint]:
    """Bind a UDP port on each of the addresses (a list with commas); OSError when one cannot be bound.

    Port 0 is a free one, the same on all of them.
    """
    wanted = read_addresses(addresses)
    opened: list[Endpoint] = []
    try:
        for address in wanted:
            port = opened[0].name()[1] if opened else port
            opened.append(_open(address, port, v6_only=only_v6(wanted)))
    except OSError:
        for endpoint in opened:
            endpoint.close()
        raise
    return opened


def open_endpoint(address: str, port: int) -> Endpoint:
    """Bind a UDP port on one address; OSError when it cannot be bound. `::` takes IPv4 too."""
    return _open(ip_address(address), port, v6_only=False)


def _open(address: IPv4Address | IPv6Address, port: int, *, v6_only: bool) -> Endpoint:
    """Shared with other workers (SO_REUSEPORT)."""
    bound = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if address.version == 6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6_only)
        _enlarge(bound, socket.SO_RCVBUF, _SO_RCVBUFFORCE)
        _enlarge(bound, socket.SO_SNDBUF, _SO_SNDBUFFORCE)
        if address.is_unspecified:
            _ask_for_the_destination(bound)
        bound.bind((str(address), port))
        return ManyEndpoint(bound, _form_of(address)) if available() else OneByOneEndpoint(bound)
    except OSError:
        bound.close()
        raise


def _form_of(address: IPv4Address | IPv6Address) -> LabelForm:
    if address.version == 4:
        return V4_ANY if address.is_unspecified else V4
    return V6_ANY if address.is_unspecified else V6


def _ask_for_the_destination(bound: socket.socket) -> None:
    if bound.family == socket.AF_INET:
        bound.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    else:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)


def _enlarge(bound: socket.socket, buffer: int, forced: int) -> None:
    """Room for a reconnect storm; beyond net.core.rmem_max and wmem_max only where the process may."""
    try:
        bound.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
    except OSError:
        bound.setsockopt(socket.SOL_SOCKET, buffer, _BUFFER)
