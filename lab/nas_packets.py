"""The attributes that a simulated NAS sends about itself and its sessions, in the manner of RouterOS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from lab.nas_session import Session
from radius.attributes import (
    ACCT_AUTHENTIC,
    ACCT_DELAY_TIME,
    ACCT_INPUT_GIGAWORDS,
    ACCT_INPUT_OCTETS,
    ACCT_INPUT_PACKETS,
    ACCT_OUTPUT_GIGAWORDS,
    ACCT_OUTPUT_OCTETS,
    ACCT_OUTPUT_PACKETS,
    ACCT_SESSION_ID,
    ACCT_SESSION_TIME,
    ACCT_STATUS_START,
    ACCT_STATUS_TYPE,
    ACCT_TERMINATE_CAUSE,
    CALLED_STATION_ID,
    CALLING_STATION_ID,
    CLASS,
    EVENT_TIMESTAMP,
    FRAMED_IP_ADDRESS,
    FRAMED_PROTOCOL,
    FRAMED_PROTOCOL_PPP,
    NAS_IDENTIFIER,
    NAS_IP_ADDRESS,
    NAS_IPV6_ADDRESS,
    NAS_PORT,
    NAS_PORT_ID,
    NAS_PORT_TYPE,
    SERVICE_TYPE,
    SERVICE_TYPE_FRAMED,
    USER_NAME,
)
from radius.codec import Attribute, integer

# RFC 2866 §5.10
USER_REQUEST, SESSION_TIMEOUT_REACHED, ADMIN_RESET = 1, 5, 6
_PORT_TYPE_ETHERNET = 15
_AUTHENTICATED_BY_RADIUS = 1
_OCTETS_A_PACKET = 1000


@dataclass(frozen=True, slots=True)
class NasIdentity:
    """What the NAS says of itself: the address it believes to have, and its name."""

    address: IPv4Address | IPv6Address
    identifier: str

    def attributes(self) -> list[Attribute]:
        kind = NAS_IP_ADDRESS if self.address.version == 4 else NAS_IPV6_ADDRESS
        return [(NAS_IDENTIFIER, self.identifier.encode()), (kind, self.address.packed)]


def dial_attributes(nas: NasIdentity, session: Session) -> list[Attribute]:
    """An Access-Request but for its proof of the password; PPPoE says that it frames PPP, DHCP does not."""
    framed: list[Attribute] = [
        (SERVICE_TYPE, integer(SERVICE_TYPE_FRAMED)),
        (FRAMED_PROTOCOL, integer(FRAMED_PROTOCOL_PPP)),
    ]
    return ([] if session.method == "mac" else framed) + _session_attributes(session) + nas.attributes()


def _session_attributes(session: Session) -> list[Attribute]:
    return [
        (NAS_PORT, integer(session.nas_port)),
        (NAS_PORT_TYPE, integer(_PORT_TYPE_ETHERNET)),
        (USER_NAME, session.user.encode()),
        (CALLING_STATION_ID, session.calling_station_id.encode()),
        (CALLED_STATION_ID, b"lab"),
        (NAS_PORT_ID, b"ether2"),
        (ACCT_SESSION_ID, session.acct_session_id.encode()),
    ]


def accounting_attributes(
    nas: NasIdentity, status: int, session: Session, now: datetime, terminate_cause: int = 0
) -> list[Attribute]:
    """An Accounting-Request of this session; counters only after the Start, a cause only in a Stop."""
    attributes = [(ACCT_STATUS_TYPE, integer(status)), *_session_attributes(session), *nas.attributes()]
    attributes += [*_moment(now), (ACCT_AUTHENTIC, integer(_AUTHENTICATED_BY_RADIUS))]
    if session.framed_ip_address is not None:
        attributes.append((FRAMED_IP_ADDRESS, session.framed_ip_address.packed))
    if session.class_value:
        attributes.append((CLASS, session.class_value))
    if status != ACCT_STATUS_START:
        attributes += _counters(session, now)
    if terminate_cause:
        attributes.append((ACCT_TERMINATE_CAUSE, integer(terminate_cause)))
    return attributes


def nas_accounting_attributes(nas: NasIdentity, status: int, now: datetime) -> list[Attribute]:
    """Accounting-On or -Off, which speak of the NAS as a whole (RFC 2866 §5.1)."""
    own_session = (ACCT_SESSION_ID, b"00000000")
    return [(ACCT_STATUS_TYPE, integer(status)), own_session, *nas.attributes(), *_moment(now)]


def _moment(now: datetime) -> list[Attribute]:
    return [(EVENT_TIMESTAMP, integer(int(now.timestamp()))), (ACCT_DELAY_TIME, integer(0))]


def _counters(session: Session, now: datetime) -> list[Attribute]:
    """Input is what the NAS received from the subscriber: the upload (RFC 2866 §5.3)."""
    up, down = session.octets_up, session.octets_down
    values = (
        (ACCT_SESSION_TIME, int((now - session.started).total_seconds())),
        (ACCT_INPUT_OCTETS, up % 2**32),
        (ACCT_INPUT_GIGAWORDS, up // 2**32),
        (ACCT_INPUT_PACKETS, up // _OCTETS_A_PACKET % 2**32),
        (ACCT_OUTPUT_OCTETS, down % 2**32),
        (ACCT_OUTPUT_GIGAWORDS, down // 2**32),
        (ACCT_OUTPUT_PACKETS, down // _OCTETS_A_PACKET % 2**32),
    )
    return [(kind, integer(value)) for kind, value in values]
