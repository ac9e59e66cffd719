"""Subscribers as FreeRADIUS knows them, and short words for what tests do with a simulated NAS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Address, ip_address
from typing import Any

from lab.nas import Event, Session, SimulatedNas
from radius.attributes import MIKROTIK_RATE_LIMIT, NAS_IP_ADDRESS, VENDOR_MIKROTIK
from radius.authenticators import Authenticators
from radius.codec import Attribute, encode_attributes, vendor_attribute
from radius.dynauth import DynauthResult, Target, change_of_authorization, disconnect
from radius.vendors import VENDORS, SessionIdentity
from tests.freeradius import FreeRadius, User
from tests.udp_peer import UdpPeer

NAS_SECRET = b"s3cret of the NAS"
OWNER = Authenticators(NAS_SECRET)
MAC = "00:E1:07:09:02:FE"
USERS = {
    "ana": User(
        "açaí com banana",
        (
            "Framed-IP-Address := 10.9.8.7",
            'Mikrotik-Rate-Limit := "10M/50M"',
            'Mikrotik-Address-List := "late"',
            'Mikrotik-Group := "home"',
            'Framed-Pool := "pool1"',
            "Class := 0x63312e372e78",
            "Acct-Interim-Interval := 300",
            "Session-Timeout := 3600",
        ),
    ),
    "bia": User("segredo"),
    "caio": User("", ('Mikrotik-Rate-Limit := "1M"',)),
    "dora": User("segredo", ('Mikrotik-Rate-Limit := "fast"',)),
    "eva": User("segredo", ("WISPr-Bandwidth-Max-Up := 10000000", "WISPr-Bandwidth-Max-Down := 50000000")),
    MAC: User(""),
}
MakeNas = Callable[..., SimulatedNas]


def where(server: FreeRadius) -> tuple[str, int, int]:
    """A FreeRADIUS access server as a simulated NAS wants to be told of it."""
    return server.address, server.ports["auth"], server.ports["acct"]


def online(nas: SimulatedNas, user: str = "bia") -> Session:
    session = nas.dial(user, USERS[user].password)
    assert isinstance(session, Session)
    return session


def is_a(*kinds: str) -> Callable[[Event], bool]:
    return lambda event: event.kind in kinds


def kinds(nas: SimulatedNas) -> list[str]:
    return [event.kind for event in nas.events]


def records(server: FreeRadius, session: Session) -> list[str]:
    """FreeRADIUS's own account of each Accounting-Request of a session."""
    packets = [each.partition("# ")[0] for each in server.log.split("Received ")[1:]]
    mine = f'Acct-Session-Id = "{session.acct_session_id}"'
    return [each for each in packets if each.startswith("Accounting-Request") and mine in each]


def accept_anything(_peer: UdpPeer, datagram: bytes, _sender: Any) -> bytes | None:
    """A script for a peer that accepts every dial and acknowledges every record."""
    return OWNER.response(5 if datagram[0] == 4 else 2, datagram[1], datagram[4:20], b"")


def reject_anything(_peer: UdpPeer, datagram: bytes, _sender: Any) -> bytes | None:
    return OWNER.response(3, datagram[1], datagram[4:20], b"")


def rate(text: str) -> Attribute:
    return vendor_attribute(VENDOR_MIKROTIK, MIKROTIK_RATE_LIMIT, text.encode())


def identity(session: Session) -> tuple[Attribute, ...]:
    found = SessionIdentity(
        session.user.encode(), session.acct_session_id.encode(), session.framed_ip_address, IPv4Address("127.0.0.1")
    )
    return VENDORS["mikrotik"].identification(found)


def target(nas: SimulatedNas) -> Target:
    address, port = nas.coa_address
    return Target(ip_address(address), port, NAS_SECRET)


def tell_coa(
    nas: SimulatedNas, session: Session, *changes: Attribute, now: datetime, timeout: float = 5
) -> DynauthResult:
    return change_of_authorization(target(nas), identity(session), encode_attributes(changes), now=now, timeout=timeout)


def tell_disconnect(
    nas: SimulatedNas, session: Session, *, now: datetime, timeout: float = 5, tries: int = 3
) -> DynauthResult:
    found = [each for each in identity(session) if each[0] != NAS_IP_ADDRESS]
    return disconnect(target(nas), found, now=now, timeout=timeout, tries=tries)
