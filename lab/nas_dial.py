"""How a subscriber gets online at a simulated NAS: Access-Request, session, Accounting-Start."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from datetime import timedelta

from core.clock import Clock
from lab.nas_accounting import Accounting
from lab.nas_events import EventLog
from lab.nas_packets import NasIdentity, dial_attributes
from lab.nas_session import Dialect, Session, session_timeout, take_accept
from lab.nas_table import Line, Method, SessionTable
from lab.radius_client import METHODS, RadiusClient
from radius.attributes import ACCESS_ACCEPT, FRAMED_IP_ADDRESS, REPLY_MESSAGE
from radius.codec import Packet
from radius.mac_address import read_mac


@dataclass(frozen=True, slots=True)
class Rejected:
    """An Access-Reject (its Reply-Message), or an Accept that the subscriber's equipment could not use."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No authentic reply came."""


DialResult = Session | Rejected | NoAnswer


def station_of(user: str) -> str:
    """The Calling-Station-Id of RouterOS's DHCP server for a MAC: hardware type, octets without leading zeroes."""
    octets = read_mac(user.encode())
    return user if octets is None else ":".join(["1", *(f"{octet:x}" for octet in octets)])


class Dialler:
    """Dials lines; each session has an Acct-Session-Id that this NAS never used since it was made."""

    def __init__(
        self,
        client: RadiusClient,
        nas: NasIdentity,
        dialect: Dialect,
        table: SessionTable,
        accounting: Accounting,
        events: EventLog,
        clock: Clock,
    ) -> None:
        self._client = client
        self._nas = nas
        self._dialect = dialect
        self._table = table
        self._accounting = accounting
        self._events = events
        self._clock = clock
        self._numbers = itertools.count(1)
        self._boot = 0x8000 | int.from_bytes(os.urandom(2)) >> 1

    def line(self, user: str, password: str | bytes, method: Method, calling_station_id: str) -> Line:
        """A subscriber's line; without a Calling-Station-Id one that looks like a MAC is made up."""
        if method not in METHODS:
            raise ValueError(f"a method is one of {', '.join(METHODS)}: {method!r}")
        if not calling_station_id:
            made_up = (0x02_00_00 << 24 | next(self._numbers)).to_bytes(6).hex(":").upper()
            calling_station_id = station_of(user) if method == "mac" else made_up
        return Line(user, password.encode() if isinstance(password, str) else password, method, calling_station_id)

    def dial(self, line: Line) -> DialResult:
        session = self._draft(line)
        self._events.tell("dial", f"{line.user} dials ({line.method})", user=line.user, method=line.method)
        credential = METHODS[line.method](line.user.encode(), line.password)
        reply = self._client.authenticate(credential, dial_attributes(self._nas, session))
        if reply is None:
            self._events.tell("no_answer", f"{line.user} hears nothing from the RADIUS server", user=line.user)
            return NoAnswer()
        if reply.code != ACCESS_ACCEPT:
            return self._refused(line, (reply.first(REPLY_MESSAGE) or b"").decode(errors="replace"))
        if not credential.believes(reply):
            return self._refused(line, "the server did not prove that it knows the password")
        try:
            self._open(session, line, reply)
        except ValueError as error:
            return self._refused(line, f"the Access-Accept cannot be applied: {error}")
        self._accounting.start(session)
        return session

    def _draft(self, line: Line) -> Session:
        number = next(self._numbers)
        session_id = f"{self._boot:04x}{number & 0xFFFF:04x}"
        return Session(line.user, session_id, line.calling_station_id, number, line.method, self._clock())

    def _refused(self, line: Line, reason: str) -> Rejected:
        self._events.tell("reject", f"{line.user} is refused{': ' if reason else ''}{reason}", user=line.user)
        return Rejected(reason)

    def _open(self, session: Session, line: Line, accept: Packet) -> None:
        take_accept(session, accept, self._dialect)
        now = session.started = session.updated = self._clock()
        seconds = session_timeout(accept)
        session.ends_at = None if seconds is None else now + timedelta(seconds=seconds)
        self._table.open(session, line, accept.first(FRAMED_IP_ADDRESS))
        listed = f", in the list {session.address_list}" if session.address_list else ""
        text = f"{line.user} is online with {session.framed_ip_address}: {session.speed}{listed}"
        self._events.tell("accept", text, user=line.user, session=session.acct_session_id)
