"""RADIUS packets in a stream of octets (RFC 6613 §2.6): where each ends, and which of them end the connection. Pure.

Over UDP a bad packet concerns nobody but itself. In a stream the next packet is found by the Length of this one, and
the octets are known to be our peer's: what breaks the rules here was made by the peer itself, so it is told by
closing the connection (RFC 6613 §2.6.4). What is well made but not wanted is only passed over.
"""

from __future__ import annotations

from radius.attributes import ACCESS_REQUEST, ACCOUNTING_REQUEST, MESSAGE_AUTHENTICATOR, STATUS_SERVER
from radius.authenticators import Authenticators
from radius.codec import HEADER_LENGTH, MAX_LENGTH, Malformed, Packet, parse

FATAL = frozenset({"short_datagram", "packet_length", "attribute_length", "message_authenticator_shape"})
"""Of the parser's reasons those that RFC 6613 §2.6.4 names. Of the rest (an unknown code, a vendor's attribute in a
form of its own) a NAS is not cured by another connection."""
_SIGNED = frozenset({ACCESS_REQUEST, STATUS_SERVER})


class FrameReader:
    """Cuts a stream into packets, whatever pieces it arrives in. It holds less than one packet between two pieces."""

    __slots__ = ("_rest", "broken")

    def __init__(self) -> None:
        self._rest = b""
        self.broken = ""
        """Why the stream cannot be read any further; "" while it can."""

    @property
    def partial(self) -> bool:
        """Whether a packet has begun that is not complete."""
        return bool(self._rest)

    def feed(self, piece: bytes) -> list[bytes]:
        """The packets that are complete with this piece, in order; those before a bad Length are among them."""
        if self.broken:
            return []
        octets = self._rest + piece if self._rest else piece
        packets, at, total = [], 0, len(octets)
        while total - at >= 4:
            length = octets[at + 2] << 8 | octets[at + 3]
            if not HEADER_LENGTH <= length <= MAX_LENGTH:
                self.broken = "packet_length"
                at = total
                break
            if at + length > total:
                break
            packets.append(octets[at : at + length])
            at += length
        self._rest = octets[at:]
        return packets


def fault(packet: bytes, owner: Authenticators) -> str:
    """Why the connection must end after this request (RFC 6613 §2.6.4), "" when it may stay.

    Of an Accounting-Request the Request Authenticator counts, which covers all of it. A Message-Authenticator beside it
    does not end the connection: implementations do not agree over which authenticator it is computed there.
    """
    try:
        request = parse(packet)
    except Malformed as error:
        return error.reason if error.reason in FATAL else ""
    if request.code == ACCOUNTING_REQUEST:
        return "" if owner.request_holds(packet) else "request_authenticator_wrong"
    return "" if request.code not in _SIGNED else _signature_fault(request, owner)


def _signature_fault(request: Packet, owner: Authenticators) -> str:
    at = HEADER_LENGTH
    for kind, value in request.attributes:
        if kind == MESSAGE_AUTHENTICATOR:
            return "" if owner.message_authenticator_holds(request.raw, at) else "message_authenticator_wrong"
        at += len(value) + 2
    return ""
