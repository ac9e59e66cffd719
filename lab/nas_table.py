"""Which sessions a simulated NAS has, whose they are, and which address each has."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from lab.nas_session import Session

Method = Literal["pap", "chap", "mschapv2", "mac"]
_NAS_CHOOSES = IPv4Address("255.255.255.254")  # RFC 2865 §5.8


@dataclass(frozen=True, slots=True)
class Line:
    """A subscriber's own router: what it dials with, again and again."""

    user: str
    password: bytes = field(repr=False)
    method: Method
    calling_station_id: str


class SessionTable:
    """The live sessions, for all threads; a session ends once, whoever wants to end it."""

    def __init__(self, pool: IPv4Network) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._lines: dict[Session, Line] = {}

    @property
    def live(self) -> list[Session]:
        """Oldest first."""
        with self._lock:
            return list(self._lines)

    def open(self, session: Session, line: Line, framed_ip_address: bytes | None) -> None:
        """Give the session its address and let it be live; ValueError when the pool is used up."""
        with self._lock:
            session.framed_ip_address = self._address_for(framed_ip_address)
            session.live = True
            self._lines[session] = line

    def _address_for(self, framed: bytes | None) -> IPv4Address:
        """What the server fixed, else the lowest address of the pool that no session has (its first is the NAS's)."""
        if framed is not None and (fixed := IPv4Address(framed)) != _NAS_CHOOSES:
            return fixed
        taken = {session.framed_ip_address for session in self._lines}
        found = next((each for each in itertools.islice(self._pool.hosts(), 1, None) if each not in taken), None)
        if found is None:
            raise ValueError(f"the pool {self._pool} has no free address")
        return found

    def end(self, session: Session) -> Line | None:
        """The subscriber's line if this call ended the session, None if it had ended already."""
        with self._lock:
            session.live = False
            return self._lines.pop(session, None)

    def count_traffic(self, session: Session, octets_down: int, octets_up: int) -> None:
        with self._lock:
            session.octets_down += octets_down
            session.octets_up += octets_up
