"""How a simulated NAS takes CoA and Disconnect: whom it obeys, which session is meant, what it changes.

It is a MikroTik in what it understands: rate limit, group and Session-Timeout change a live session, an address list
or a pool is acknowledged and ignored. It is stricter than one in what RFC 5176 demands of a sender (authenticators,
Event-Timestamp, only identification in a Disconnect), because it is here to catch our mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from lab.nas_packets import NasIdentity
from lab.nas_session import Dialect, Session, number, session_timeout
from radius.attributes import (
    ACCT_SESSION_ID,
    ACCT_TERMINATE_CAUSE,
    CALLING_STATION_ID,
    CLASS,
    DISCONNECT_REQUEST,
    EVENT_TIMESTAMP,
    FRAMED_IP_ADDRESS,
    MESSAGE_AUTHENTICATOR,
    NAS_IDENTIFIER,
    NAS_IP_ADDRESS,
    NAS_IPV6_ADDRESS,
    NAS_PORT,
    PROXY_STATE,
    REPLY_MESSAGE,
    USER_NAME,
    VENDOR_SPECIFIC,
)
from radius.authenticators import Authenticators
from radius.codec import Packet, integer
from radius.dynauth_packets import (
    NAS_IDENTIFICATION,
    SESSION_CONTEXT_NOT_FOUND,
    SESSION_IDENTIFICATION,
    read_request,
)

UNSUPPORTED_ATTRIBUTE, MISSING_ATTRIBUTE, NAS_IDENTIFICATION_MISMATCH = 401, 402, 403
INVALID_ATTRIBUTE_VALUE, MULTIPLE_SESSION_SELECTION_UNSUPPORTED = 407, 508

_WINDOW = timedelta(seconds=300)
_IN_A_DISCONNECT = (
    NAS_IDENTIFICATION
    | SESSION_IDENTIFICATION
    | {VENDOR_SPECIFIC, REPLY_MESSAGE, CLASS, PROXY_STATE, ACCT_TERMINATE_CAUSE}
    | {EVENT_TIMESTAMP, MESSAGE_AUTHENTICATOR}
)


@dataclass(slots=True)
class Faults:
    """What is wrong with the NAS at the moment; tests and stories switch it while it runs."""

    mute: bool = False
    """Neither answers nor obeys CoA and Disconnect."""
    nak: int | None = None
    """Refuses every CoA and Disconnect with this Error-Cause."""
    ack_but_ignore: bool = False
    """Acknowledges a CoA and changes nothing."""
    lose_replies: int = 0
    """Obeys, but this many of its next replies to CoA and Disconnect never arrive."""
    lose_stop: bool = False
    """Ends sessions without an Accounting-Stop."""


@dataclass(frozen=True, slots=True)
class Silence:
    """The datagram is met with no answer; `reason` for the event log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A NAK."""

    request: Packet
    error_cause: int


@dataclass(frozen=True, slots=True)
class Order:
    """A request to be obeyed, and the session that it means."""

    request: Packet
    session: Session


def judge(
    owner: Authenticators,
    datagram: bytes,
    sessions: Iterable[Session],
    nas: NasIdentity,
    faults: Faults,
    now: datetime,
) -> Silence | Refusal | Order:
    """What this NAS makes of a datagram that came to its CoA port; changes nothing."""
    if faults.mute:
        return Silence("mute")
    request = read_request(owner, datagram)
    if request is None:
        return Silence("not authentic")
    if is_stale(request, now):
        return Silence("stale")
    if faults.nak is not None:
        return Refusal(request, faults.nak)
    found = find_session(request, sessions, nas)
    return Order(request, found) if isinstance(found, Session) else Refusal(request, found)


def is_stale(packet: Packet, now: datetime) -> bool:
    """Whether Event-Timestamp is more than 300 seconds away: a replay, met with silence (RFC 5176 §6.3)."""
    sent = number(packet, EVENT_TIMESTAMP)
    return sent is not None and abs(now.timestamp() - sent) > _WINDOW.total_seconds()


def find_session(packet: Packet, sessions: Iterable[Session], nas: NasIdentity) -> Session | int:
    """The one session that all identification attributes name, or the Error-Cause that says why there is none."""
    if not _is_for(packet, nas):
        return NAS_IDENTIFICATION_MISMATCH
    if packet.code == DISCONNECT_REQUEST and {kind for kind, _ in packet.attributes} - _IN_A_DISCONNECT:
        return UNSUPPORTED_ATTRIBUTE
    if not {kind for kind, _ in packet.attributes} & SESSION_IDENTIFICATION:
        return MISSING_ATTRIBUTE
    found = [session for session in sessions if _is_meant(packet, session)]
    if len(found) > 1:
        return MULTIPLE_SESSION_SELECTION_UNSUPPORTED
    return found[0] if found else SESSION_CONTEXT_NOT_FOUND


def _is_for(packet: Packet, nas: NasIdentity) -> bool:
    own = {NAS_IDENTIFIER: nas.identifier.encode(), NAS_IP_ADDRESS: nas.address.packed}
    own[NAS_IPV6_ADDRESS] = nas.address.packed
    return all(own[kind] == value for kind, value in packet.attributes if kind in own)


def _is_meant(packet: Packet, session: Session) -> bool:
    known = {
        USER_NAME: session.user.encode(),
        ACCT_SESSION_ID: session.acct_session_id.encode(),
        CALLING_STATION_ID: session.calling_station_id.encode(),
        NAS_PORT: integer(session.nas_port),
        FRAMED_IP_ADDRESS: session.framed_ip_address.packed if session.framed_ip_address else b"",
    }
    return all(known.get(kind) == value for kind, value in packet.attributes if kind in SESSION_IDENTIFICATION)


def apply_changes(
    session: Session, packet: Packet, dialect: Dialect, now: datetime, *, echoes_class: bool
) -> list[str]:
    """Change the session as this NAS would, and name what changed; ValueError for a rate it cannot read."""
    changed = []
    if dialect.read_rate(session, packet):
        changed.append("rate")
    if dialect.read_group(session, packet):
        changed.append("group")
    seconds = session_timeout(packet)
    if seconds is not None:
        session.ends_at = now + timedelta(seconds=seconds)
        changed.append("session timeout")
    value = packet.first(CLASS)
    if value is not None and echoes_class:
        session.class_value = value
        changed.append("class")
    return changed
