"""CoA and Disconnect packets (RFC 5176), both sides of them: pure, without a socket.

A request is authenticated twice. Message-Authenticator comes first, computed with the authenticator field and
itself zeroed; then the Request Authenticator over all of that, as in accounting (RFC 5176 §2.3 and §3.4). In the
other order every correct NAS stays silent. Event-Timestamp tells a NAS that a replayed request is old (§6.3), so a
retransmission repeats the octets and never makes a new packet.

Identification attributes only ever identify (§3.6 note 1): a Framed-IP-Address sent "to change the address" finds
no session instead. So the builders keep the two apart, and a request that names no session cannot be built at all:
some NAS apply it to everybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from radius.attributes import (
    ACCT_MULTI_SESSION_ID,
    ACCT_SESSION_ID,
    CALLED_STATION_ID,
    CALLING_STATION_ID,
    COA_ACK,
    COA_NAK,
    COA_REQUEST,
    DISCONNECT_ACK,
    DISCONNECT_NAK,
    DISCONNECT_REQUEST,
    ERROR_CAUSE,
    EVENT_TIMESTAMP,
    FRAMED_INTERFACE_ID,
    FRAMED_IP_ADDRESS,
    FRAMED_IPV6_PREFIX,
    MESSAGE_AUTHENTICATOR,
    NAS_IDENTIFIER,
    NAS_IP_ADDRESS,
    NAS_IPV6_ADDRESS,
    NAS_PORT,
    NAS_PORT_ID,
    USER_NAME,
    VENDOR_SPECIFIC,
)
from radius.authenticators import ZEROES, Authenticators
from radius.codec import HEADER_LENGTH, Attribute, Malformed, Packet, encode, encode_attributes, integer, parse

NAS_IDENTIFICATION: Final = frozenset({NAS_IP_ADDRESS, NAS_IDENTIFIER, NAS_IPV6_ADDRESS})
SESSION_IDENTIFICATION: Final = frozenset(
    {
        USER_NAME,
        NAS_PORT,
        FRAMED_IP_ADDRESS,
        CALLED_STATION_ID,
        CALLING_STATION_ID,
        ACCT_SESSION_ID,
        ACCT_MULTI_SESSION_ID,
        NAS_PORT_ID,
        FRAMED_INTERFACE_ID,
        FRAMED_IPV6_PREFIX,
        89,  # Chargeable-User-Identity, RFC 4372
    }
)
"""RFC 5176 §3. A Vendor-Specific attribute may identify a session too (§3.6 note 7)."""

_TIED_TO_ONE_SESSION: Final = SESSION_IDENTIFICATION - {CALLED_STATION_ID}
_ANSWERS: Final = {COA_REQUEST: (COA_ACK, COA_NAK), DISCONNECT_REQUEST: (DISCONNECT_ACK, DISCONNECT_NAK)}

SESSION_CONTEXT_NOT_FOUND: Final = 503
ERROR_CAUSES: Final = {
    201: "Residual-Session-Context-Removed",
    202: "Invalid-EAP-Packet",
    401: "Unsupported-Attribute",
    402: "Missing-Attribute",
    403: "NAS-Identification-Mismatch",
    404: "Invalid-Request",
    405: "Unsupported-Service",
    406: "Unsupported-Extension",
    407: "Invalid-Attribute-Value",
    501: "Administratively-Prohibited",
    502: "Request-Not-Routable",
    SESSION_CONTEXT_NOT_FOUND: "Session-Context-Not-Found",
    504: "Session-Context-Not-Removable",
    505: "Other-Proxy-Processing-Error",
    506: "Resources-Unavailable",
    507: "Request-Initiated",
    508: "Multiple-Session-Selection-Unsupported",
}
"""RFC 5176 §3.5."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The NAS says that it did it. Proof is the Accounting-Stop or -Start, or what the router itself shows."""


@dataclass(frozen=True, slots=True)
class Nak:
    """The NAS refuses. `error_cause` None: it gave none that can be read; `name` as in RFC 5176 §3.5."""

    error_cause: int | None
    name: str

    @property
    def session_unknown(self) -> bool:
        """The NAS has no such session: what we hold is stale, and repeating the request is useless."""
        return self.error_cause == SESSION_CONTEXT_NOT_FOUND


def coa_request(
    owner: Authenticators, identifier: int, identity: Iterable[Attribute], changes: bytes, now: datetime
) -> bytes:
    """A CoA-Request for the session of `identity` that carries the encoded attributes `changes`.

    ValueError when the identity names no session, or when `changes` is empty, unsound or identifies something.
    """
    return _request(owner, COA_REQUEST, identifier, identity, changes, now)


def disconnect_request(owner: Authenticators, identifier: int, identity: Iterable[Attribute], now: datetime) -> bytes:
    """A Disconnect-Request: identification attributes, Event-Timestamp and Message-Authenticator, nothing else.

    ValueError when the identity names no session or holds anything else (RFC 5176 §3).
    """
    return _request(owner, DISCONNECT_REQUEST, identifier, identity, b"", now)


def _request(
    owner: Authenticators, code: int, identifier: int, identity: Iterable[Attribute], changes: bytes, now: datetime
) -> bytes:
    identity = tuple(identity)
    _check_identity({kind for kind, _ in identity})
    if code == COA_REQUEST:
        _check_changes(changes)
    timestamp = EVENT_TIMESTAMP, integer(int(now.timestamp()))
    unsigned = encode_attributes([(MESSAGE_AUTHENTICATOR, ZEROES), *identity, timestamp]) + changes
    return sign(owner, encode(code, identifier, ZEROES, unsigned))


def sign(owner: Authenticators, packet: bytes) -> bytes:
    """Fill in a request whose first attribute is an empty Message-Authenticator and whose authenticator is zero."""
    proof = owner.hmac(packet)
    packet = packet[: HEADER_LENGTH + 2] + proof + packet[HEADER_LENGTH + 18 :]
    return packet[:4] + owner.request_authenticator(packet) + packet[HEADER_LENGTH:]


def _check_identity(kinds: set[int]) -> None:
    foreign = kinds - NAS_IDENTIFICATION - SESSION_IDENTIFICATION - {VENDOR_SPECIFIC}
    if foreign:
        raise ValueError(f"attributes {sorted(foreign)} do not identify a session (RFC 5176 §3)")
    if not kinds & _TIED_TO_ONE_SESSION:
        raise ValueError("the identity names no session: User-Name, Acct-Session-Id or Framed-IP-Address is needed")


def _check_changes(changes: bytes) -> None:
    try:
        kinds = {kind for kind, _ in parse(encode(COA_REQUEST, 0, ZEROES, changes)).attributes}
    except Malformed as error:
        raise ValueError(f"the changes are no encoded attributes: {error.reason}") from error
    refused = kinds & (NAS_IDENTIFICATION | SESSION_IDENTIFICATION | {EVENT_TIMESTAMP, MESSAGE_AUTHENTICATOR})
    if refused:
        raise ValueError(f"attributes {sorted(refused)} identify or sign, they change nothing (RFC 5176 §3.6)")
    if not kinds:
        raise ValueError("a CoA-Request without a change")


def genuine_reply(owner: Authenticators, request: bytes, datagram: bytes) -> Packet | None:
    """The datagram as a packet if it authentically answers `request`, whatever its code says; else None.

    It has the request's Identifier, a right Response Authenticator and, where present, a right
    Message-Authenticator (RFC 5176 §3.4). Anything else counts as not received.
    """
    try:
        packet = parse(datagram)
    except Malformed:
        return None
    authenticator = request[4:HEADER_LENGTH]
    if packet.identifier != request[1] or not owner.response_holds(packet.raw, authenticator):
        return None
    return packet if _message_authenticator_holds(owner, packet, authenticator) else None


def _message_authenticator_holds(owner: Authenticators, packet: Packet, authenticator: bytes) -> bool:
    at = HEADER_LENGTH
    for kind, value in packet.attributes:
        if kind == MESSAGE_AUTHENTICATOR:
            return owner.message_authenticator_holds(packet.raw, at, authenticator)
        at += 2 + len(value)
    return True


def read_reply(owner: Authenticators, request: bytes, datagram: bytes) -> Ack | Nak | None:
    """What the NAS answers to `request`, or None when this datagram is not its answer."""
    packet = genuine_reply(owner, request, datagram)
    ack, nak = _ANSWERS[request[0]]
    if packet is None or packet.code not in (ack, nak):
        return None
    return Ack() if packet.code == ack else nak_with(packet.first(ERROR_CAUSE))


def nak_with(value: bytes | None) -> Nak:
    """The NAK of an Error-Cause value as it stood in the packet."""
    if value is None or len(value) != 4:
        return Nak(None, "no Error-Cause")
    cause = int.from_bytes(value)
    return Nak(cause, ERROR_CAUSES.get(cause, f"Error-Cause {cause}"))


def read_request(owner: Authenticators, datagram: bytes) -> Packet | None:
    """The NAS's side: a CoA- or Disconnect-Request that is authentic, or None, to which the answer is silence."""
    try:
        packet = parse(datagram)
    except Malformed:
        return None
    if packet.code not in _ANSWERS or not owner.request_holds(packet.raw):
        return None
    return packet if _message_authenticator_holds(owner, packet, ZEROES) else None


def reply_to(owner: Authenticators, request: Packet, error_cause: int | None, attributes: bytes = b"") -> bytes:
    """The NAS's side: ACK (`error_cause` None) or NAK of a request; `attributes` are encoded, e.g. Proxy-State."""
    ack, nak = _ANSWERS[request.code]
    if error_cause is None:
        return owner.response(ack, request.identifier, request.authenticator, attributes)
    attributes += encode_attributes([(ERROR_CAUSE, integer(error_cause))])
    return owner.response(nak, request.identifier, request.authenticator, attributes)
