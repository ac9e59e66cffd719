"""All menus of the emulated router; `menus_ppp` and `menus_ip` hold the big ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from lab.routeros import notation as n
from lab.routeros.menus_ip import IP_MENUS
from lab.routeros.menus_ppp import PPP_MENUS
from lab.routeros.schema import COMMENT, DISABLED, DYNAMIC, READ, SINGLE, Field, MenuSpec, Unique, Version

INTERFACE = MenuSpec(
    "/interface",
    "interface",
    {
        "name": Field(),
        "type": Field(default=b"ether"),
        "mtu": Field(default=b"1500"),
        "dynamic": DYNAMIC,
        "running": Field(n.boolean, b"true", read_only=True),
        "disabled": DISABLED,
        "comment": COMMENT,
    },
    unique=(Unique(("name",), "already have interface with such name"),),
    verbs=READ | {"set", "enable", "disable", "comment"},
    built_in=({"name": b"ether1"}, {"name": b"ether2"}, {"name": b"bridge", "type": b"bridge"}),
)
LOG = MenuSpec(
    "/log",
    "log",
    {"time": Field(), "topics": Field(), "message": Field(), "extra-info": Field(default=b"", since=(7, 18, 0))},
    verbs=READ,
    first_number=0,
)
USER = MenuSpec(
    "/user",
    "user",
    {"name": Field(), "group": Field(default=b"full"), "address": Field(default=b""), "disabled": DISABLED},
    verbs=READ,
)
IDENTITY = MenuSpec("/system/identity", "identity", {"name": Field()}, verbs=SINGLE)
RESOURCE = MenuSpec(
    "/system/resource",
    "resource",
    {
        "uptime": Field(counter=True),
        "version": Field(),
        "build-time": Field(default=b"2025-10-01 08:00:00"),
        "free-memory": Field(default=b"873463808", counter=True),
        "total-memory": Field(default=b"1073741824"),
        "cpu": Field(default=b"ARM64"),
        "cpu-count": Field(default=b"4"),
        "cpu-load": Field(default=b"3", counter=True),
        "free-hdd-space": Field(default=b"93241344", counter=True),
        "total-hdd-space": Field(default=b"134479872"),
        "architecture-name": Field(default=b"arm64"),
        "board-name": Field(),
        "platform": Field(default=b"MikroTik"),
    },
    verbs=READ - {"listen"},
)
ROUTERBOARD = MenuSpec(
    "/system/routerboard",
    "routerboard",
    {
        "routerboard": Field(n.boolean, b"true"),
        "model": Field(),
        "serial-number": Field(),
        "current-firmware": Field(),
        "upgrade-firmware": Field(),
    },
    verbs=READ - {"listen"},
)
CLOCK = MenuSpec(
    "/system/clock",
    "clock",
    {
        "time": Field(counter=True),
        "date": Field(counter=True),
        "time-zone-name": Field(default=b"America/Sao_Paulo"),
        "gmt-offset": Field(default=b"-03:00"),
    },
    verbs=READ - {"listen"},
)
AAA = MenuSpec(
    "/ppp/aaa",
    "ppp aaa",
    {
        "use-radius": Field(n.boolean, b"false"),
        "accounting": Field(n.boolean, b"true"),
        "interim-update": Field(n.duration, b"0s"),
    },
    verbs=SINGLE,
)
CONNECTION = MenuSpec(
    "/ip/firewall/connection",
    "connection",
    {
        "protocol": Field(default=b"tcp"),
        "src-address": Field(),
        "dst-address": Field(),
        "reply-src-address": Field(),
        "reply-dst-address": Field(),
        "tcp-state": Field(),
        "timeout": Field(),
        "connection-mark": Field(),
        "seen-reply": Field(n.boolean, b"true"),
        "assured": Field(n.boolean, b"true"),
        "confirmed": Field(n.boolean, b"true"),
        "fasttrack": Field(n.boolean, b"false"),
    },
    verbs=READ | {"remove"},
)
"""What passes through the router; the rows come and go with the traffic."""

SINGLE_MENUS = frozenset({"/system/identity", "/system/resource", "/system/routerboard", "/system/clock", "/ppp/aaa"})
"""One row without an `.id`."""

MENUS = (*PPP_MENUS, *IP_MENUS, INTERFACE, LOG, USER, IDENTITY, RESOURCE, ROUTERBOARD, CLOCK, AAA, CONNECTION)


@cache
def menus_of(version: Version) -> Mapping[str, MenuSpec]:
    """Path → menu of a version."""
    mine = {spec.path: spec.of(version) for spec in MENUS}
    referring: dict[str, list[tuple[str, str]]] = {}
    for path, spec in mine.items():
        for name, each in spec.fields.items():
            if each.refers:
                referring.setdefault(each.refers, []).append((path, name))
    return {path: replace(spec, references=tuple(referring.get(path, ()))) for path, spec in mine.items()}
