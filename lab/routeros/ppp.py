"""PPP sessions: who dials is checked against the secrets, and gets what the profile says at that moment.

A live session keeps what it got: a changed profile counts from its next dial on. A session that is ended at the router
is dialled again by the subscriber's own router, if it redials and still may.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from lab.routeros.notation import bits_per_second, shown_time
from lab.routeros.state import RouterState
from lab.routeros.table import Row, Table

_MADE_UP_POOL = int(IPv4Address("10.254.0.1"))


@dataclass(slots=True)
class _Line:
    """A subscriber's own router, what it dials with, and the rows that its session made."""

    login: str
    password: bytes
    caller_id: str
    radius: Mapping[str, str] | None
    row: Row
    made: list[tuple[str, Row]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Given:
    """What a session gets. `rate` as rx/tx."""

    service: bytes
    address: bytes
    rate: str
    lists: tuple[bytes, ...]
    routes: tuple[bytes, ...] = ()


class Sessions:
    """The live sessions of one router; under its state's lock."""

    def __init__(self, state: RouterState, *, redials: bool) -> None:
        self._state = state
        self._redials = redials
        self._lines: dict[int, _Line] = {}
        self._numbers = itertools.count(0x81000001)
        state.on_remove["/ppp/active"] = self.end

    def dial(self, login: str, password: bytes, caller_id: str, radius: Mapping[str, str] | None) -> Row | None:
        """The new row of /ppp/active; None: not let in."""
        given = self._by_radius(login, radius) if radius is not None else self._by_secret(login, password, caller_id)
        if given is None:
            self._state.note("pppoe,ppp,error", f"<{login}>: user {login} authentication failed")
            return None
        row = self._open(login, caller_id, given, radius is not None)
        line = _Line(login, password, caller_id, radius, row)
        self._lines[row.number] = line
        self._make(line, given)
        self._state.note("pppoe,ppp,info", f"<pppoe-{login}>: connected")
        return row

    def end(self, row: Row) -> None:
        """At the router: the subscriber's router dials again."""
        line = self._close(row)
        if line is not None and self._redials:
            self.dial(line.login, line.password, line.caller_id, line.radius)

    def hang_up(self, login: str) -> int:
        """By the subscriber: it stays away. How many sessions ended."""
        theirs = [line for line in self._lines.values() if line.login == login]
        for line in theirs:
            self._close(line.row)
        return len(theirs)

    def drop_all(self) -> None:
        """A router that starts again knows none."""
        for line in list(self._lines.values()):
            self._close(line.row)

    def _close(self, row: Row) -> _Line | None:
        state = self._state
        line = self._lines.pop(row.number, None)
        for path, made in line.made if line else ():
            if made.number in state.tables[path].rows:
                state.remove(state.tables[path], made)
        state.remove(state.tables["/ppp/active"], row)
        name = row.fields["name"].decode()
        self._remember(name)
        state.note("pppoe,ppp,info", f"<pppoe-{name}>: disconnected")
        return line

    def _remember(self, login: str) -> None:
        secrets = self._state.tables["/ppp/secret"]
        if "last-logged-out" in secrets.spec.fields:
            for number in secrets.where("name", login.encode()):
                secrets.change(secrets.rows[number], {"last-logged-out": self._state.stamp()})

    def _by_secret(self, login: str, password: bytes, caller_id: str) -> _Given | None:
        secrets = self._state.tables["/ppp/secret"]
        secret = next((secrets.rows[number] for number in secrets.where("name", login.encode())), None)
        if secret is None or not _lets_in(secrets, secret, password, caller_id):
            return None
        profiles = self._state.tables["/ppp/profile"]
        named = profiles.where("name", secrets.value(secret, "profile") or b"")
        profile = next((profiles.rows[number] for number in named), None)
        if profile is None or (profile.fields.get("only-one") == b"yes" and self._online(login)):
            return None
        listed = profile.fields.get("address-list")
        service = secrets.value(secret, "service") or b"any"
        return _Given(
            b"pppoe" if service == b"any" else service,
            self._address(secret.fields.get("remote-address") or profile.fields.get("remote-address")),
            profile.fields.get("rate-limit", b"").decode(),
            (listed,) if listed else (),
            tuple(each for each in secret.fields.get("routes", b"").split(b",") if each),
        )

    def _by_radius(self, login: str, words: Mapping[str, str]) -> _Given:
        listed = words.get("address_list", "")
        address = self._address(words.get("address", "").encode() or None)
        lists = tuple(each.encode() for each in listed.split(",") if each)
        return _Given(words.get("service", "pppoe").encode(), address, words.get("rate", ""), lists)

    def _online(self, login: str) -> bool:
        return bool(self._state.tables["/ppp/active"].where("name", login.encode()))

    def _address(self, said: bytes | None) -> bytes:
        """What is fixed, or the first free one of the pool that is named."""
        pools = self._state.tables["/ip/pool"]
        pool = next((pools.rows[number] for number in pools.where("name", said or b"")), None)
        if said and pool is None:
            return said
        first = int(IPv4Address(pool.fields["ranges"].decode().split("-")[0])) if pool else _MADE_UP_POOL
        taken = self._state.tables["/ppp/active"].index("address")
        return next(text for at in itertools.count(first) if (text := str(IPv4Address(at)).encode()) not in taken)

    def _open(self, login: str, caller_id: str, given: _Given, radius: bool) -> Row:
        fields = {
            "name": login.encode(),
            "service": given.service,
            "caller-id": caller_id.encode(),
            "address": given.address,
            "uptime": shown_time(0).encode(),
            "began": str(self._state.seconds_up()).encode(),
            "session-id": f"0x{next(self._numbers):X}".encode(),
            "radius": b"true" if radius else b"false",
        }
        return self._state.add(self._state.tables["/ppp/active"], fields)

    def _make(self, line: _Line, given: _Given) -> None:
        """The rows that last as long as the session: an interface, a queue, routes, entries of lists."""
        interface = self._interface_name(line, given.service.decode()).encode()
        self._made(line, "/interface", {"name": interface, "type": given.service + b"-in"})
        if given.rate:
            queue = {"name": interface, "target": interface, **_queue_rates(given.rate)}
            self._made(line, "/queue/simple", queue)
        self._made(line, "/ip/route", {"dst-address": given.address + b"/32", "gateway": interface, "connect": b"true"})
        for route in given.routes:
            self._made(line, "/ip/route", {"dst-address": route.split()[0], "gateway": given.address})
        lists = self._state.tables["/ip/firewall/address-list"]
        for listed in given.lists:
            taken = set(lists.where("address", given.address)) & set(lists.where("list", listed))
            if not taken:  # RouterOS adds none beside one that is there
                entry = {"list": listed, "address": given.address, "creation-time": self._state.stamp()}
                self._made(line, "/ip/firewall/address-list", entry)

    def _made(self, line: _Line, path: str, fields: dict[str, bytes]) -> None:
        table: Table = self._state.tables[path]
        line.made.append((path, self._state.add(table, {**fields, "dynamic": b"true"})))

    def _interface_name(self, line: _Line, service: str) -> str:
        taken = self._state.tables["/interface"].index("name")
        names = (f"<{service}-{line.login}{f'-{again}' if again else ''}>" for again in itertools.count())
        return next(name for name in names if name.encode() not in taken)


def _lets_in(secrets: Table, secret: Row, password: bytes, caller_id: str) -> bool:
    bound = secret.fields.get("caller-id", b"").decode("latin-1")
    return (
        secret.fields.get("disabled") != b"true"
        and (secrets.value(secret, "password") or b"") == password
        and (not bound or bound.upper() == caller_id.upper())
    )


def _queue_rates(words: str) -> dict[str, bytes]:
    """A rate limit's words as a queue has them: rate, burst, threshold, times, priority, guaranteed."""
    names = ("max-limit", "burst-limit", "burst-threshold", "burst-time", "priority", "limit-at")
    fields: dict[str, bytes] = {}
    for name, word in zip(names, words.split(), strict=False):
        up, _, down = word.partition("/")
        fields[name] = f"{_shown(name, up)}/{_shown(name, down or up)}".encode()
    return fields


def _shown(name: str, word: str) -> str:
    if name == "burst-time":
        return word if word.endswith("s") else f"{word}s"
    number = bits_per_second(word)
    return word if number is None else str(number)
