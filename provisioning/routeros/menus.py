"""The menus that are held: which fields are ours, how each is read, compared, and cleared. Pure.

A field that a table does not name belongs to the people at the router and is left alone: bursts, priorities and parents
of queues, a profile's DNS servers, a lease's options. A field marked `once` gets a value when the row is added and is
theirs from then on. Sources: the RouterOS manual; the Ansible collection community.routeros's table of fields for
defaults and for which fields can only be cleared by `unset`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from provisioning.routeros import notation as n
from provisioning.routeros.connection import RouterVersion
from provisioning.routeros.mark import key_of
from provisioning.routeros.rows import SENSITIVE, Menu, ObservedRow
from provisioning.routeros.versions import has


@dataclass(frozen=True, slots=True)
class Column:
    """A field that is ours. `default`: what it is where the router shows none, in our spelling.

    `unset`: no value can be written for "", it takes `unset`. `once`: written when a row is added, never compared.
    """

    name: str
    read: Callable[[str], str] = n.text
    default: str = ""
    unset: bool = False
    once: bool = False


@dataclass(frozen=True, slots=True)
class MenuTable:
    """A menu: the fields that are ours and those that are only looked at, and by what rows are unique there.

    `targets`: of these fields at least one names somebody, and none names everybody. `ordered`: the first row counts.
    """

    columns: tuple[Column, ...]
    naturals: tuple[tuple[str, ...], ...] = ()
    targets: tuple[str, ...] = ()
    looked_at: tuple[Column, ...] = ()
    ordered: bool = False


_DISABLED = Column("disabled", n.yes_no, "no")
_DYNAMIC = Column("dynamic", n.yes_no, "no")
_NAME = Column("name")
_RULE = (
    Column("chain"),
    Column("action"),
    Column("src-address-list", unset=True),
    Column("dst-address-list", unset=True),
    Column("protocol", unset=True),
    Column("dst-port", unset=True),
)

MENUS: Mapping[Menu, MenuTable] = {
    Menu.PPP_PROFILE: MenuTable(
        (
            _NAME,
            Column("rate-limit", n.rate_limit, unset=True),
            Column("address-list"),
            Column("local-address", n.address, unset=True),
            Column("remote-address", n.address, unset=True),
            Column("remote-ipv6-prefix-pool", n.optional, unset=True),
            Column("dhcpv6-pd-pool", n.optional, unset=True),
            Column("only-one", n.yes_no, "default"),
        ),
        naturals=(("name",),),
        targets=("name",),
    ),
    Menu.PPP_SECRET: MenuTable(
        (
            _NAME,
            Column("password"),
            Column("service", default="any"),
            Column("profile", default="default"),
            Column("remote-address", n.address, unset=True),
            Column("remote-ipv6-prefix", n.network, unset=True),
            Column("routes", n.networks, unset=True),
            Column("ipv6-routes", n.networks),
            Column("caller-id", n.mac),
            _DISABLED,
        ),
        naturals=(("name",),),
        targets=("name",),
    ),
    Menu.PPP_ACTIVE: MenuTable(
        (),
        looked_at=(
            _NAME,
            Column("service"),
            Column("address", n.address),
            Column("caller-id", n.mac),
            Column("radius", n.yes_no, "no"),
            Column("uptime", n.time),
            Column("session-id"),
        ),
    ),
    Menu.SIMPLE_QUEUE: MenuTable(
        (_NAME, Column("target", n.targets), Column("max-limit", n.limits, "0/0"), _DISABLED),
        naturals=(("name",),),
        targets=("target",),
        looked_at=(_DYNAMIC,),
    ),
    Menu.QUEUE_TREE: MenuTable(
        (
            _NAME,
            Column("packet-mark"),
            Column("parent", once=True),
            Column("max-limit", n.limits, "0"),
            _DISABLED,
        ),
        naturals=(("name",),),
        targets=("packet-mark",),
    ),
    Menu.MANGLE: MenuTable(
        (
            Column("chain"),
            Column("action"),
            Column("src-address", n.address, unset=True),
            Column("dst-address", n.address, unset=True),
            Column("new-packet-mark", unset=True),
            Column("passthrough", n.yes_no, "yes"),
            _DISABLED,
        ),
        targets=("src-address", "dst-address"),
        looked_at=(_DYNAMIC,),
    ),
    Menu.ADDRESS_LIST: MenuTable(
        (Column("list"), Column("address", n.address), _DISABLED),
        naturals=(("list", "address"),),
        targets=("address",),
        looked_at=(_DYNAMIC, Column("timeout", n.time)),
    ),
    Menu.FILTER: MenuTable((*_RULE, _DISABLED), targets=("src-address-list",), looked_at=(_DYNAMIC,), ordered=True),
    Menu.NAT: MenuTable(
        (*_RULE, Column("to-addresses", n.address, unset=True), Column("to-ports", unset=True), _DISABLED),
        targets=("src-address-list",),
        looked_at=(_DYNAMIC,),
        ordered=True,
    ),
    Menu.DHCP_LEASE: MenuTable(
        (Column("address", n.address), Column("mac-address", n.mac), Column("server", default="all"), _DISABLED),
        naturals=(("server", "address"), ("server", "mac-address")),
        targets=("address",),
        looked_at=(_DYNAMIC,),
    ),
    Menu.IP_BINDING: MenuTable(
        (
            Column("mac-address", n.mac, unset=True),
            Column("address", n.address, unset=True),
            Column("server", default="all"),
            Column("type", default="regular"),
            _DISABLED,
        ),
        naturals=(("server", "mac-address"), ("server", "address")),
        targets=("mac-address", "address"),
        looked_at=(_DYNAMIC,),
    ),
    Menu.IPV6_BINDING: MenuTable(
        (Column("address", n.network), Column("duid", n.duid), Column("server", default="all"), _DISABLED),
        naturals=(("address",),),
        targets=("address",),
        looked_at=(_DYNAMIC,),
    ),
    Menu.ROUTE: MenuTable(
        (Column("dst-address", n.network), Column("gateway", n.address), _DISABLED),
        naturals=(("dst-address", "gateway"),),
        targets=("dst-address",),
        looked_at=(_DYNAMIC,),
    ),
}


def proplist(menu: Menu, version: RouterVersion) -> tuple[str, ...]:
    """The fields to ask the router for: ours, those that are looked at, and the comment."""
    named = tuple(column.name for column in _shown(menu, version))
    return (*named, "comment") if MENUS[menu].columns else named


def observed_row(menu: Menu, raw: Mapping[str, str], position: int, version: RouterVersion) -> ObservedRow:
    """A row in our spelling, with the defaults of what the router does not show.

    A field that this release does not have, and a secret one that was not shown, is missing. A dynamic row has no key.
    """
    fields = dict(raw)
    identity = fields.pop(".id", "")
    for name, read, default, hideable in _readers(menu, version):
        value = fields.get(name)
        if value:
            fields[name] = read(value)
        elif not hideable or value is not None:
            fields[name] = default
    comment = fields.setdefault("comment", "")
    key = key_of(comment) if comment and fields.get("dynamic") != "yes" else None
    return ObservedRow(menu, identity, fields, key, position)


def columns_of(menu: Menu, version: RouterVersion) -> tuple[Column, ...]:
    """The fields of a menu that are ours and that this release has."""
    return tuple(column for column in MENUS[menu].columns if has(version, f"{menu} {column.name}"))


def _shown(menu: Menu, version: RouterVersion) -> tuple[Column, ...]:
    return (*columns_of(menu, version), *MENUS[menu].looked_at)


Reader = tuple[str, Callable[[str], str], str, bool]


@lru_cache(maxsize=256)
def _readers(menu: Menu, version: RouterVersion) -> tuple[Reader, ...]:
    return tuple((one.name, one.read, one.default, one.name in SENSITIVE) for one in _shown(menu, version))
