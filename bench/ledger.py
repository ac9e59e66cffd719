"""What a NAS was told to be safe, and whether it is in the database, once.

Two kinds of accounting lines write in the ledger. A `Meter` has one long session whose counters grow across the
limits of 32 bits; each of its Interims replaces the one before. `Closings` are sessions that are told by their Stop
alone, each another session, so that none of them can hide the loss of one before it. A record that is written but
whose answer was lost stays under way until it is answered: the ledger and the database have to agree exactly, at the
end.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select

from bench.host import RadiusHost, is_drained
from bench.nas_load import Line
from bench.records import SECRET
from bench.wire import INTERIM, STOP, accounting_request, line_attributes, pap_request, session_attributes
from core.runtime import Runtime
from radius.models import Session
from radius.usage import usage_of

Octets = tuple[int, int]
_SHOWN = 20
_SOME_DAYS = timedelta(days=2)


class Ledger:
    """Acknowledged counters by Acct-Session-Id, whose session it was, and how many records were acknowledged at all."""

    def __init__(self) -> None:
        self.counters: dict[str, Octets] = {}
        self._subscribers: dict[str, int] = {}
        self.records = 0
        self.last_closing = ""
        """Session of the newest acknowledged Stop."""

    def acknowledge(self, session: str, octets: Octets, subscriber: int) -> None:
        self.counters[session] = octets
        self._subscribers[session] = subscriber
        self.records += 1

    def compare_drained(self, host: RadiusHost) -> list[str]:
        """All disagreements, as soon as the host has drained what its spools hold."""
        runtime = Runtime.open(host.settings)
        try:
            host.await_that(lambda: is_drained(runtime), "everything is drained")
            return self.disagreements(runtime) + self.usage_disagreements(runtime)
        finally:
            runtime.close()

    def disagreements(self, runtime: Runtime) -> list[str]:
        """A line for each session that is lost, behind, ahead or there twice; nothing when all is right."""
        found: dict[str, list[Octets]] = defaultdict(list)
        with runtime.database.reading() as tx:
            rows = tx.session.execute(select(Session.acct_session_id, Session.input_octets, Session.output_octets))
            for session, received, sent in rows:
                found[session].append((received, sent))
        wrong = [
            f"{session}: acknowledged {octets}, in the database {found.get(session, 'nothing')}"
            for session, octets in self.counters.items()
            if found.get(session) != [octets]
        ]
        wrong += [f"{session}: in the database, but never sent" for session in found.keys() - self.counters.keys()]
        return wrong

    def usage_disagreements(self, runtime: Runtime) -> list[str]:
        """A line for each subscriber whose days do not add up to the counters of their sessions."""
        wanted: dict[int, Octets] = defaultdict(lambda: (0, 0))
        for session, (received, sent) in self.counters.items():
            before = wanted[self._subscribers[session]]
            wanted[self._subscribers[session]] = (before[0] + received, before[1] + sent)
        today = runtime.clock().date()
        wrong = []
        with runtime.database.reading() as tx:
            for subscriber, octets in wanted.items():
                days = usage_of(tx, subscriber, today - _SOME_DAYS, today + _SOME_DAYS)
                found = sum(day.input_octets for day in days), sum(day.output_octets for day in days)
                if found != octets:
                    wrong.append(f"subscriber {subscriber}: sessions moved {octets}, their days say {found}")
        return wrong


class Meter(Line):
    """A session that goes on: Interim after Interim, the counters always greater."""

    __slots__ = ("_ledger", "_octets", "_subscriber", "_times", "port_number", "session")

    def __init__(self, subscriber: int, port: int, ledger: Ledger) -> None:
        super().__init__()
        self._subscriber, self._ledger, self.port_number = subscriber, ledger, port
        self.session = f"meter-{subscriber}"
        self._times = 0
        self._octets = (2**32 - 5_000, 2**33 - 50_000)

    @property
    def port(self) -> int:
        return self.port_number

    def ask(self, identifier: int) -> bytes:
        self._times += 1
        self._octets = (self._octets[0] + 1_009, self._octets[1] + 10_007)
        return _request(identifier, INTERIM, self.session, self._subscriber, self._octets, self._times)

    def answered(self, reply: bytes, at: float) -> None:
        self._ledger.acknowledge(self.session, self._octets, self._subscriber)


class Closings(Line):
    """Sessions that are over when they are first told of: one Stop each."""

    __slots__ = ("_ledger", "_session", "_subscriber", "_times", "port_number")

    def __init__(self, subscriber: int, port: int, ledger: Ledger) -> None:
        super().__init__()
        self._subscriber, self._ledger, self.port_number = subscriber, ledger, port
        self._times = 0
        self._session = ""

    @property
    def port(self) -> int:
        return self.port_number

    @property
    def _octets(self) -> Octets:
        return 1_000_000 + self._times, 7_000_000_000 + self._times

    def ask(self, identifier: int) -> bytes:
        self._times += 1
        self._session = f"closing-{self._subscriber}-{self._times}"
        return _request(identifier, STOP, self._session, self._subscriber, self._octets, 1)

    def answered(self, reply: bytes, at: float) -> None:
        self._ledger.acknowledge(self._session, self._octets, self._subscriber)
        self._ledger.last_closing = self._session


class Dialler(Line):
    """Asks for the same subscriber's Access-Accept again and again; `codes` counts the answers (0: none)."""

    __slots__ = ("_codes", "_more", "_password", "_user", "port_number")

    def __init__(self, subscriber: int, port: int, codes: Counter[int]) -> None:
        super().__init__()
        self._user, self._password = f"user{subscriber:06d}".encode(), f"pass{subscriber:06d}".encode()
        self._more, self._codes, self.port_number = line_attributes(subscriber), codes, port

    @property
    def port(self) -> int:
        return self.port_number

    def ask(self, identifier: int) -> bytes:
        return pap_request(identifier, self._user, self._password, self._more, SECRET.encode())

    def answered(self, reply: bytes, at: float) -> None:
        self._codes[reply[0]] += 1

    def given_up(self) -> None:
        self._codes[0] += 1


def accounting_lines(count: int, port: int, ledger: Ledger) -> list[Line]:
    """Half of them meters, half closings."""
    return [(Meter if number % 2 else Closings)(number, port, ledger) for number in range(1, count + 1)]


def shortened(disagreements: Iterable[str]) -> str:
    """For a message: the first of them, and how many there are."""
    wrong = list(disagreements)
    return "\n".join([f"{len(wrong)} disagreements", *wrong[:_SHOWN]])


def _request(identifier: int, status: int, session: str, subscriber: int, octets: Octets, seconds: int) -> bytes:
    user = f"user{subscriber:06d}".encode()
    own = session_attributes(status, session.encode(), user, int(time.time()), octets, seconds)
    return accounting_request(identifier, own + line_attributes(subscriber), SECRET.encode())
