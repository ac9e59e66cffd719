"""CoA and Disconnect client (RFC 5176): one request, one socket, one of three answers.

The three answers are kept apart because they call for different things. `Nak` is the NAS's word: 503 means that our
picture of the session is stale, 401 or 501 that only another way will do. `TimedOut` says nothing about the session:
the request, or only its reply, was lost, and the change may well be in force. Even `Ack` is a promise, not a proof
(some NAS acknowledge attributes that they ignore); what proves it is accounting or the router's own read-back.

Each request has its own connected socket on an ephemeral port. So the kernel drops whatever comes from another
address or port, 256 Identifiers never run out however many requests are under way, and an ICMP "port unreachable"
reaches us. It ends nothing: it is unauthenticated, and a NAS that is just starting sends it too. A try that met one
waits out its time like any other, and `TimedOut.refused` keeps the hint for people.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self

from radius.authenticators import Authenticators
from radius.codec import MAX_LENGTH, Attribute
from radius.dynauth_packets import Ack, Nak, coa_request, disconnect_request, read_reply

__all__ = ["Ack", "DynauthResult", "Nak", "Target", "TimedOut", "change_of_authorization", "disconnect"]


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No authentic answer came to any of the `tries` transmissions.

    `refused`: at least one met a closed port (on a MikroTik: `/radius incoming` is off, or listens elsewhere).
    `detail`: what else was seen, for people, such as a certificate of somebody else; "" when nothing was.
    """

    tries: int
    refused: bool = field(default=False, compare=False)
    detail: str = field(default="", compare=False)


DynauthResult = Ack | Nak | TimedOut


@dataclass(frozen=True, slots=True)
class Target:
    """Where a NAS listens for CoA and Disconnect (usually port 3799 or 1700), and the secret shared with it.

    `transport` is a name in `radius.dynauth_send.SENDERS`, `tls_name` the name that its certificate must show there.
    """

    address: IPv4Address | IPv6Address
    port: int
    secret: bytes = field(repr=False)
    transport: str = "udp"
    tls_name: str = ""


def change_of_authorization(
    target: Target,
    identity: Iterable[Attribute],
    changes: bytes,
    *,
    now: datetime,
    timeout: float = 1.0,
    tries: int = 3,
    source_address: str = "",
) -> DynauthResult:
    """Ask the NAS to change a live session; blocks for at most `tries` times `timeout` seconds.

    `identity` is what `Vendor.identification` gives, `changes` the encoded attributes to apply. `source_address` is
    the local address to send from; "" or an unspecified one leaves it to the routing table.
    ValueError as `coa_request`, or for a source of the other family; OSError when that source is not this host's.
    """
    owner = Authenticators(target.secret)
    request = coa_request(owner, _any_identifier(), identity, changes, now)
    return _exchange(target, owner, request, timeout, tries, source_address)


def disconnect(
    target: Target,
    identity: Iterable[Attribute],
    *,
    now: datetime,
    timeout: float = 1.0,
    tries: int = 3,
    source_address: str = "",
) -> DynauthResult:
    """Ask the NAS to end a live session; parameters and errors as `change_of_authorization`."""
    owner = Authenticators(target.secret)
    request = disconnect_request(owner, _any_identifier(), identity, now)
    return _exchange(target, owner, request, timeout, tries, source_address)


def _any_identifier() -> int:
    return os.urandom(1)[0]


def _exchange(
    target: Target, owner: Authenticators, request: bytes, timeout: float, tries: int, source_address: str
) -> DynauthResult:
    """Send the same octets from the same port until one authentic answer came, or `tries` are used up."""
    with _Line(target, source_address) as line:
        for _ in range(tries):
            deadline = time.monotonic() + timeout
            line.send(request)
            while (left := deadline - time.monotonic()) > 0:
                if answer := read_reply(owner, request, line.receive(left)):
                    return answer
        return TimedOut(tries, line.refused)


class _Line:
    """A UDP socket that speaks with one NAS only; whatever the network refuses is a datagram lost."""

    def __init__(self, target: Target, source_address: str) -> None:
        self.refused = False
        self._peer = (str(target.address), target.port)
        self._connected = False
        family = socket.AF_INET if target.address.version == 4 else socket.AF_INET6
        source = _source(target, source_address)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if source:
                self._socket.bind((source, 0))
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def send(self, request: bytes) -> None:
        try:
            if not self._connected:
                self._socket.connect(self._peer)
                self._connected = True
            self._socket.send(request)
        except ConnectionRefusedError:  # an earlier datagram's ICMP, reported in place of sending this one
            self.refused = True
            with suppress(OSError):
                self._socket.send(request)
        except OSError:  # no route at this moment, or a packet filter: the next try may fare better
            pass

    def receive(self, seconds: float) -> bytes:
        """The next datagram from the peer, or no octets when none came in time or the peer's port is closed."""
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(MAX_LENGTH)
        except ConnectionRefusedError:
            self.refused = True
        except OSError:  # TimeoutError too
            pass
        return b""


def _source(target: Target, source_address: str) -> str:
    """The local address to bind, "" for whatever the routing table says."""
    if not source_address or ip_address(source_address).is_unspecified:
        return ""
    if ip_address(source_address).version != target.address.version:
        raise ValueError(f"{source_address} cannot send to {target.address}: another address family")
    return source_address
