"""A RouterOS router that speaks the API's real wire protocol, for rehearsals and tests.

It keeps rows as a router does, answers as RouterOS 6.49 or 7.x would, and fails when told to. Octets stay octets; where
text is given it goes in as UTF-8. Its users are the operators' (`by_hand`, told in the log) and those of the API.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Self

from lab.routeros.commands import carry_out
from lab.routeros.core import Core
from lab.routeros.dhcp import bind
from lab.routeros.dump import foreign_rows, readable
from lab.routeros.faults import Faults
from lab.routeros.listener import Listener
from lab.routeros.notation import mac as as_mac
from lab.routeros.own_rows import resolve_again
from lab.routeros.ppp import Sessions
from lab.routeros.schema import Version
from lab.routeros.sentences import Asked
from lab.routeros.state import Author, Clock, RouterState, utc_now
from lab.routeros.traps import Refusal

API_USERS = {"catraca": "catraca-secret"}
OPERATOR = Author("admin", "winbox", "192.0.2.7")
_BOARDS = {6: "RB1100AHx4", 7: "CCR2116-12G-4S+"}


class EmulatedRouter:
    """A running router; a context manager. `version` as RouterOS writes it; `latency` in seconds for each exchange.

    `sensitive`: the API's users have that policy and are shown passwords. `redials`: subscribers' routers dial again
    when their session is ended at this router. `clock` gives aware times; the router shows them in São Paulo's.
    `lacks`: menus (`/ipv6`) whose package is not there.
    """

    def __init__(
        self,
        version: str = "7.20.4",
        identity: str = "borda-api-1",
        users: Mapping[str, str] = API_USERS,
        tls: ssl.SSLContext | None = None,
        latency: float = 0.0,
        *,
        port: int = 0,
        sensitive: bool = True,
        redials: bool = True,
        clock: Clock = utc_now,
        lacks: Collection[str] = (),
    ) -> None:
        self.version, self.identity = version, identity
        self._clock = clock
        self.state = RouterState(_version(version), clock, lacks)
        self.core = Core(self.state, dict(users), tls, latency, sensitive, self._refuse)
        self.core.restart = self.power_cut
        self._sessions = Sessions(self.state, redials=redials)
        self._describe()
        self._listener = Listener("127.0.0.1", port, self.core.came)
        self.host, self.port = self._listener.host, self._listener.port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._listener.close()
        self.core.stop()

    # Looking

    @property
    def faults(self) -> Faults:
        """What can go wrong, to be armed; see `lab.routeros.faults`."""
        return self.core.faults

    @property
    def connections_now(self) -> int:
        return self.core.connections_now

    @property
    def most_connections(self) -> int:
        """The most that there were at one time."""
        return self.core.most_connections

    @property
    def sentences(self) -> Counter[str]:
        """How often each command came over the API, by its path (`/ppp/secret/print`)."""
        return self.core.sentences

    def rows(self, path: str) -> list[dict[str, str]]:
        """What a menu shows, in its order, with `.id`."""
        with self.state.lock:
            table = self.state.tables[path]
            return [{k: readable(v) for k, v in table.shown(row).items()} for row in table.rows.values()]

    def foreign_bytes(self) -> bytes:
        """All static rows that do not bear our mark, one a line, the same octets as long as nobody touches them."""
        with self.state.lock:
            return foreign_rows(self.state)

    # Doing

    def by_hand(self, command: str, **words: str | bytes) -> str:
        """A command (`/queue/simple/set`) as the operator would give it in Winbox; what it returns, or "".

        Names with a dash are written with an underscore (`max_limit`), and `id` stands for `.id`. ValueError with the
        router's words where it refuses.
        """
        return self._as(OPERATOR, command, words)

    def stock(self, path: str, rows: Iterable[Mapping[str, str | bytes]]) -> int:
        """Many rows at once, checked, but without a line in the log for each; how many. Where nobody can add any, as
        to the connections, they are the router's own, from its traffic."""
        given = list(rows)
        with self.state.lock:
            self.state.quiet = True
            try:
                for row in given:
                    if "add" in self.state.specs[path].verbs:
                        self._as(OPERATOR, f"{path}/add", row)
                    else:
                        self._appear(path, row)
            finally:
                self.state.quiet = False
        return len(given)

    def _appear(self, path: str, row: Mapping[str, str | bytes]) -> None:
        table = self.state.tables[path]
        fields = {_name(name): _octets(value) for name, value in row.items()}
        if strange := fields.keys() - table.spec.fields.keys():
            raise ValueError(f"unknown parameter {min(strange)}")
        self.state.add(table, {**fields, "dynamic": b"true"})

    def _as(self, author: Author, command: str, words: Mapping[str, str | bytes]) -> str:
        path, _, verb = command.rpartition("/")
        asked = Asked(path, verb, {_name(name): _octets(value) for name, value in words.items()})
        try:
            with self.state.lock:
                answer = carry_out(self.state, asked, author)
        except Refusal as refused:
            raise ValueError(refused.message) from None
        self.core.tell_listeners()
        return (answer.ret or b"").decode()

    def dial(
        self, login: str, password: str = "", *, caller_id: str = "", radius: Mapping[str, str] | None = None
    ) -> dict[str, str] | None:
        """A subscriber dials: its row of /ppp/active, or None when it is not let in.

        `radius`: RADIUS lets it in and gives `rate` (rx/tx), `address` and `address_list` (comma-separated).
        """
        with self.state.lock:
            row = self._sessions.dial(login, password.encode(), caller_id, radius)
            shown = self.state.tables["/ppp/active"].shown(row) if row is not None else None
        self.core.tell_listeners()
        return {name: readable(value) for name, value in shown.items()} if shown else None

    def hang_up(self, login: str) -> int:
        """The subscriber ends its sessions and stays away; how many there were."""
        with self.state.lock:
            return self._sessions.hang_up(login)

    def lease(self, mac: str, *, server: str = "dhcp1", host_name: str = "") -> dict[str, str] | None:
        """A DHCP client asks: its lease, dynamic where it has no static one; None when it is blocked."""
        octets = as_mac("mac-address", mac.encode(), self.state.has_name)
        with self.state.lock:
            row = bind(self.state, octets, server.encode(), host_name)
            shown = self.state.tables["/ip/dhcp-server/lease"].shown(row) if row is not None else None
        self.core.tell_listeners()
        return {name: readable(value) for name, value in shown.items()} if shown else None

    def reboot(self) -> None:
        """Connections drop, sessions and dynamic rows go, static rows stay."""
        self._restart(0)

    def power_cut(self, lost_writes: int = 0) -> None:
        """A reboot that also forgets the last static writes."""
        self._restart(lost_writes)

    def _restart(self, lost_writes: int) -> None:
        with self.state.lock:
            self.core.starts += 1  # nothing that is still on its way is carried out from here on
            self._sessions.drop_all()
            self.state.forget_writes(lost_writes)
            for table in self.state.tables.values():
                for row in [row for row in table.rows.values() if row.dynamic]:
                    self.state.remove(table, row)
            resolve_again(self.state)
            self.state.clear_log()
            self.state.booted_at = self._clock()
            self.state.note("system,error,critical" if lost_writes else "system,info", "router rebooted")
        self.core.end_all()

    def _refuse(self, refuse: bool) -> None:
        self._listener.refuse(refuse)
        if refuse:
            self.core.drop_all()

    def _describe(self) -> None:
        board, version = _BOARDS[self.state.version[0]], f"{self.version} (stable)"
        described = {
            "/system/identity": {"name": self.identity},
            "/system/resource": {"version": version, "board-name": board},
            "/system/routerboard": {"model": board, "serial-number": "HEX0000LAB", "current-firmware": self.version},
            "/system/clock": {},
            "/ppp/aaa": {},
        }
        for path, fields in described.items():
            self.state.tables[path].add({name: value.encode() for name, value in fields.items()})
        for user in ("admin", *self.core.users):
            self.state.tables["/user"].add({"name": user.encode()})


def _version(words: str) -> Version:
    parts = [int(part) for part in words.split(".")]
    major, minor, patch = [*parts, 0, 0][:3]
    return major, minor, patch


def _name(word: str) -> str:
    return ".id" if word in ("id", ".id") else word if word.startswith(".") else word.replace("_", "-")


def _octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
