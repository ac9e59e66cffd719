"""Who changed a row by hand, as far as the router's own log tells. Pure: rows of `/log` in, words out.

RouterOS 6 writes `simple queue changed by admin`; 7 names the row and where from:
`ppp secret <maria> changed by winbox-3.41/tcp-msg(winbox):admin@192.0.2.7/action:12 (/ppp secret set …)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provisioning.routeros.rows import Menu

FIELDS = ("time", "topics", "message")
_ENTRY = re.compile(r"^(?P<what>.+?) (?P<verb>added|changed|removed|moved|enabled|disabled) by (?P<who>.+)$", re.S)
_FROM = re.compile(r"^(?P<tool>[^/\s:]+)/.*?:(?P<user>[^@/\s]+)@(?P<address>[^/\s]+)")
_WHAT: Mapping[Menu, tuple[str, ...]] = {
    Menu.PPP_PROFILE: ("ppp", "profile"),
    Menu.PPP_SECRET: ("ppp", "secret"),
    Menu.SIMPLE_QUEUE: ("simple", "queue"),
    Menu.QUEUE_TREE: ("queue", "tree"),
    Menu.MANGLE: ("mangle",),
    Menu.ADDRESS_LIST: ("address", "list"),
    Menu.FILTER: ("filter",),
    Menu.NAT: ("nat",),
    Menu.DHCP_LEASE: ("lease",),
    Menu.IP_BINDING: ("binding",),
    Menu.IPV6_BINDING: ("binding",),
    Menu.ROUTE: ("route",),
}
_KINDS: Mapping[str, frozenset[str]] = {
    "removed": frozenset({"removed"}),
    "added": frozenset({"added"}),
    "changed": frozenset({"changed", "moved", "enabled", "disabled"}),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One change that the log tells: when (the router's own words), what, how, who."""

    time: str
    what: str
    verb: str
    user: str
    where: str

    @property
    def words(self) -> str:
        return f"{self.user}{self.where}, {self.time}" if self.time else f"{self.user}{self.where}"


def entries_of(rows: Iterable[Mapping[str, str]], our_login: str) -> list[Entry]:
    """The changes that the log tells, newest first, without what we did ourselves."""
    found = [entry for row in rows if (entry := _entry(row)) and entry.user != our_login]
    return found[::-1]


def who_changed(entries: Iterable[Entry], menu: Menu, kind: str, name: str) -> str:
    """Who did that to this row, when and where from; the newest that names it, else the newest in that menu; or ""."""
    fitting = [entry for entry in entries if entry.verb in _KINDS[kind] and _is_of(entry.what, menu)]
    naming = [entry for entry in fitting if f"<{name}>" in entry.what]
    unnamed = [entry for entry in fitting if "<" not in entry.what]
    return next((entry.words for entry in (*naming, *unnamed)), "")


def _is_of(what: str, menu: Menu) -> bool:
    words = set(re.split(r"[^a-z0-9]+", what.partition("<")[0].lower()))
    return words.issuperset(_WHAT.get(menu, ("?",)))


def _entry(row: Mapping[str, str]) -> Entry | None:
    match = _ENTRY.match(row.get("message", ""))
    if match is None:
        return None
    who = _FROM.match(match["who"])
    if who is None:
        return Entry(row.get("time", ""), match["what"], match["verb"], match["who"].split(" ")[0], "")
    where = f" from {who['address']} by {who['tool']}"
    return Entry(row.get("time", ""), match["what"], match["verb"], who["user"], where)
