"""Subscriptions that a router serves, its rules, and a router on paper: rows, and the words of the API for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any

from provisioning.facts import ServiceState
from provisioning.routeros.commands import commands
from provisioning.routeros.connection import Command, RouterVersion
from provisioning.routeros.desired.state import Garden, RouterRules, Served, desired, menus_of
from provisioning.routeros.mark import key_of
from provisioning.routeros.menus import MENUS, observed_row, proplist
from provisioning.routeros.plan.smallest import plan
from provisioning.routeros.rows import Access, Desired, Menu, Observed, Plan, SpeedBy, Step
from radius.policy import Denial, Grant, Policy

V6, V7 = RouterVersion(6, 49, 18), RouterVersion(7, 20, 4)
EVERYTHING = frozenset({"ppp", "queues", "address-lists", "leases", "ip-bindings", "ipv6-bindings", "routes"})
GARDEN = Garden("192.0.2.20", 80, ("192.0.2.0/28", "pix.bank.example"))
SUSPENDED, PAUSED = "catraca-suspended", "catraca-paused"
_YES = {"yes": "true", "no": "false"}


def policy(
    down: int | None = 500_000_000, up: int | None = 250_000_000, address_list: str = "", pool: str = "", **more: Any
) -> Policy:
    return Policy(download_bps=down, upload_bps=up, address_list=address_list, pool=pool, **more)


def grant(
    given: Policy | None = None,
    address: str = "",
    routes: Iterable[str] = (),
    framed: str = "",
    delegated: str = "",
) -> Grant:
    return Grant(
        given or policy(),
        IPv4Address(address) if address else None,
        IPv6Network(framed) if framed else None,
        IPv6Network(delegated) if delegated else None,
        tuple(IPv6Network(one) if ":" in one else IPv4Network(one) for one in routes),
    )


def served(
    number: int = 42,
    access: Access = Access.PPP,
    answer: Grant | Denial | None = None,
    state: ServiceState = ServiceState.ACTIVE,
    **fields: Any,
) -> Served:
    """A subscription; of a suspended or paused one the answer is in that list."""
    names = {ServiceState.SUSPENDED: SUSPENDED, ServiceState.PAUSED: PAUSED}
    answer = answer or grant(policy(256_000, 256_000, names[state]) if state in names else policy())
    given = {"login": f"user{number}", "password": f"secret{number}", "mac": "", **fields}
    return Served(number, access, answer=answer, state=state, **given)


def rules(speed_by: SpeedBy = SpeedBy.PROFILE, manages: Iterable[str] = EVERYTHING, **fields: Any) -> RouterRules:
    return RouterRules(speed_by=speed_by, manages=frozenset(manages), **fields)


class Refused(Exception):
    """What a real router would answer with `!trap`."""


class PaperRouter:
    """Menus of rows in their order; says no where RouterOS does, and prints its own way."""

    def __init__(self, version: RouterVersion = V7) -> None:
        self.version = version
        self.menus: dict[Menu, list[dict[str, str]]] = {menu: [] for menu in Menu}
        self.last = 0
        self.sent: list[Command] = []

    def put(self, menu: Menu, **fields: str) -> str:
        """A row as somebody at the router makes it; underscores stand for hyphens. Gives its `.id`."""
        return self._insert(menu, {name.replace("_", "-"): value for name, value in fields.items()})

    def _insert(self, menu: Menu, fields: Mapping[str, str], place: int | None = None) -> str:
        self.last += 1
        row = {".id": f"*{self.last:X}", **fields}
        rows = self.menus[menu]
        rows.insert(len(rows) if place is None else place, row)
        return row[".id"]

    def row(self, menu: Menu, row_id: str) -> dict[str, str]:
        found = [row for row in self.menus[menu] if row[".id"] == row_id]
        if not found:
            raise Refused("no such item")
        return found[0]

    def by_key(self, menu: Menu, key: str) -> dict[str, str]:
        return next(row for row in self.menus[menu] if key_of(row.get("comment", "")) == key)

    def keys(self, menu: Menu) -> list[str | None]:
        return [key_of(row.get("comment", "")) for row in self.menus[menu]]

    def foreign(self) -> list[tuple[Menu, tuple[tuple[str, str], ...]]]:
        """All rows without our mark, in their order."""
        return [
            (menu, tuple(sorted(row.items())))
            for menu, rows in self.menus.items()
            for row in rows
            if key_of(row.get("comment", "")) is None
        ]

    def observe(self, menus: Iterable[Menu] = tuple(Menu), scope: frozenset[int] | None = None) -> Observed:
        rows = [
            observed_row(menu, self._printed(menu, row), position, self.version)
            for menu in menus
            for position, row in enumerate(self.menus[menu])
        ]
        return Observed(tuple(rows), frozenset(menus), scope)

    def _printed(self, menu: Menu, row: Mapping[str, str]) -> dict[str, str]:
        names = (".id", *proplist(menu, self.version))
        return {name: _YES.get(row[name], row[name]) for name in names if name in row}

    def run(self, wanted: Command) -> None:
        """Carry out one sentence; Refused as the router would."""
        self.sent.append(wanted)
        menu, _, verb = wanted.path.rpartition("/")
        words = dict(wanted.words)
        {"add": self._add, "set": self._set, "unset": self._unset, "remove": self._remove, "move": self._move}[verb](
            Menu(menu), words
        )

    def do(self, steps: Iterable[Step]) -> None:
        for sent in commands(tuple(steps), self.version):
            self.run(sent.command)

    def apply(self, made: Plan) -> None:
        for stage in made.stages:
            self.do(stage)

    def _add(self, menu: Menu, words: dict[str, str]) -> None:
        before = words.pop("place-before", None)
        rows = self.menus[menu]
        place = None if before is None else rows.index(self.row(menu, before))
        self._check(menu, self._insert(menu, words, place))

    def _set(self, menu: Menu, words: dict[str, str]) -> None:
        for row_id in words.pop(".id").split(","):
            self.row(menu, row_id).update(words)
            self._check(menu, row_id)

    def _unset(self, menu: Menu, words: dict[str, str]) -> None:
        for row_id in words[".id"].split(","):
            self.row(menu, row_id).pop(words["value-name"], None)

    def _remove(self, menu: Menu, words: dict[str, str]) -> None:
        for row_id in words[".id"].split(","):
            row = self.row(menu, row_id)
            used = [one.get("profile", "default") for one in self.menus[Menu.PPP_SECRET]]
            if menu is Menu.PPP_PROFILE and row.get("name") in used:
                raise Refused("profile in use")
            self.menus[menu].remove(row)

    def _move(self, menu: Menu, words: dict[str, str]) -> None:
        row, rows = self.row(menu, words["numbers"]), self.menus[menu]
        rows.remove(row)
        rows.insert(rows.index(self.row(menu, words["destination"])) if "destination" in words else len(rows), row)

    def _check(self, menu: Menu, row_id: str) -> None:
        """Unique names and addresses; a secret's profile is there."""
        row = self.row(menu, row_id)
        for names in MENUS[menu].naturals:
            values = [tuple(self._read(menu, one, name) for name in names) for one in self.menus[menu]]
            own = tuple(self._read(menu, row, name) for name in names)
            if own[-1] and Counter(values)[own] > 1:
                raise Refused(f"{menu} already has {own}")
        if menu is Menu.PPP_SECRET and row.get("profile", "default") not in self._profiles():
            raise Refused("input does not match any value of profile")

    def _read(self, menu: Menu, row: Mapping[str, str], name: str) -> str:
        return observed_row(menu, row, 0, self.version).fields.get(name, "")

    def _profiles(self) -> set[str]:
        return {"default", *(one.get("name", "") for one in self.menus[Menu.PPP_PROFILE])}


def plan_for(router: PaperRouter, wanted: Desired, held_by: RouterRules | None = None, cap: int | None = None) -> Plan:
    """The plan of a full read."""
    return plan(wanted, router.observe(menus_of(held_by or rules())), removal_cap=cap)


def settled(
    everybody: Iterable[Served], held_by: RouterRules | None = None, version: RouterVersion = V7
) -> PaperRouter:
    """A router on which the plan for everybody was carried out."""
    router = PaperRouter(version)
    router.apply(plan_for(router, desired(everybody, held_by or rules()), held_by))
    return router
