"""The firewall's menus, leases, bindings, routes and pools. Sources as in menus_ppp."""

from __future__ import annotations

from lab.routeros import notation as n
from lab.routeros.schema import (
    COMMENT,
    DISABLED,
    DISABLED_IF_SAID,
    DYNAMIC,
    INVALID,
    NAMED,
    ROWS,
    RULES,
    Field,
    MenuSpec,
    Unique,
)

_V7 = (7, 0, 0)
_ADDRESS = Field(n.optional(n.matched_address))
_INTERFACE = Field(n.optional(n.name_in("/interface", "all-ppp", "all-ethernet", argument="interface")))
_MATCHERS = {
    "src-address": _ADDRESS,
    "dst-address": _ADDRESS,
    "src-address-list": Field(),
    "dst-address-list": Field(),
    "protocol": Field(),
    "src-port": Field(),
    "dst-port": Field(),
    "port": Field(),
    "in-interface": _INTERFACE,
    "out-interface": _INTERFACE,
    "in-interface-list": Field(),
    "out-interface-list": Field(),
    "connection-state": Field(),
    "connection-nat-state": Field(),
    "connection-mark": Field(),
    "packet-mark": Field(),
    "routing-mark": Field(),
    "src-mac-address": Field(n.optional(n.mac)),
    "dst-address-type": Field(),
    "src-address-type": Field(),
    "content": Field(),
    "tls-host": Field(),
    "limit": Field(),
    "dscp": Field(),
    "packet-size": Field(),
    "tcp-flags": Field(),
    "hotspot": Field(),
    "time": Field(),
}
_RULE_END = {
    "jump-target": Field(),
    "reject-with": Field(),
    "address-list": Field(),
    "address-list-timeout": Field(),
    "log": Field(n.boolean, before_7=b"false"),
    "log-prefix": Field(bare=True),
    "bytes": Field(default=b"0", read_only=True, counter=True),
    "packets": Field(default=b"0", read_only=True, counter=True),
    "invalid": INVALID,
    "dynamic": DYNAMIC,
    "disabled": DISABLED_IF_SAID,
    "comment": COMMENT,
}


def _rules(path: str, thing: str, actions: tuple[str, ...], more: dict[str, Field]) -> MenuSpec:
    begin = {"chain": Field(), "action": Field(n.one_of(*actions), b"accept")}
    return MenuSpec(path, thing, {**begin, **more, **_MATCHERS, **_RULE_END}, required=("chain",), verbs=RULES)


_COMMON = ("accept", "passthrough", "jump", "return", "log", "add-src-to-address-list", "add-dst-to-address-list")
FILTER = _rules(
    "/ip/firewall/filter", "filter rule", (*_COMMON, "drop", "reject", "tarpit", "fasttrack-connection"), {}
)
NAT = _rules(
    "/ip/firewall/nat",
    "nat rule",
    (*_COMMON, "dst-nat", "src-nat", "masquerade", "redirect", "netmap", "same"),
    {"to-addresses": Field(n.optional(n.matched_address)), "to-ports": Field()},
)
MANGLE = _rules(
    "/ip/firewall/mangle",
    "mangle rule",
    (*_COMMON, "mark-packet", "mark-connection", "mark-routing", "change-mss", "change-ttl", "change-dscp"),
    {
        "new-packet-mark": Field(),
        "new-connection-mark": Field(),
        "new-routing-mark": Field(),
        "new-mss": Field(),
        "new-dscp": Field(),
        "passthrough": Field(n.boolean),
    },
)


def _address_list(path: str) -> MenuSpec:
    return MenuSpec(
        path,
        "address list entry",
        {
            "list": Field(),
            "address": Field(n.list_address),
            "creation-time": Field(counter=True, read_only=True),
            "timeout": Field(n.optional(n.duration)),
            "dynamic": DYNAMIC,
            "disabled": DISABLED,
            "comment": COMMENT,
        },
        required=("address", "list"),
        unique=(Unique(("list", "address"), "already have such entry", enabled_only=True),),
    )


LEASE = MenuSpec(
    "/ip/dhcp-server/lease",
    "dhcp lease",
    {
        "address": Field(n.ipv4_or_name_in("/ip/pool")),
        "mac-address": Field(n.optional(n.mac)),
        "client-id": Field(),
        "address-lists": Field(default=b"", bare=True),
        "server": Field(n.name_in("/ip/dhcp-server", "all"), refers="/ip/dhcp-server"),
        "dhcp-option": Field(default=b"", bare=True),
        "lease-time": Field(n.optional(n.duration)),
        "rate-limit": Field(n.optional(n.rate_limit)),
        "block-access": Field(n.boolean),
        "always-broadcast": Field(n.boolean),
        "use-src-mac": Field(n.boolean),
        "status": Field(default=b"waiting", read_only=True, counter=True),
        "last-seen": Field(default=b"never", read_only=True, counter=True),
        "active-address": Field(read_only=True, counter=True),
        "active-mac-address": Field(read_only=True, counter=True),
        "host-name": Field(read_only=True, counter=True),
        "radius": Field(n.boolean, b"false", read_only=True),
        "dynamic": DYNAMIC,
        "blocked": Field(n.boolean, b"false", read_only=True),
        "disabled": DISABLED,
        "comment": COMMENT,
    },
    required=("address",),
    unique=(
        Unique(("server", "mac-address"), "already have static lease for this client", enabled_only=True),
        Unique(("address",), "already have static lease with this IP address", enabled_only=True),
    ),
    verbs=ROWS | {"make-static"},
)

HOTSPOT_BINDING = MenuSpec(
    "/ip/hotspot/ip-binding",
    "hotspot ip binding",
    {
        "mac-address": Field(n.optional(n.mac)),
        "address": Field(n.optional(n.list_address)),
        "to-address": Field(n.optional(n.list_address)),
        "server": Field(n.name_in("/ip/hotspot", "all"), refers="/ip/hotspot"),
        "type": Field(n.one_of("regular", "bypassed", "blocked"), b"regular"),
        "bypassed": Field(n.boolean, b"false", read_only=True),
        "blocked": Field(n.boolean, b"false", read_only=True),
        "disabled": DISABLED,
        "comment": COMMENT,
    },
    verbs=RULES,
)

IPV6_BINDING = MenuSpec(
    "/ipv6/dhcp-server/binding",
    "dhcpv6 binding",
    {
        "address": Field(n.ipv6_prefix),
        "duid": Field(n.optional(n.duid)),
        "iaid": Field(n.optional(n.whole(0, (1 << 32) - 1))),
        "ia-type": Field(n.one_of("na", "pd"), b"pd", since=(7, 17, 0)),
        "server": Field(n.name_in("/ipv6/dhcp-server", "all"), refers="/ipv6/dhcp-server"),
        "prefix-pool": Field(n.optional(n.name_in("/ipv6/pool")), refers="/ipv6/pool"),
        "life-time": Field(n.duration, b"3d"),
        "rate-limit": Field(n.optional(n.rate_limit)),
        "address-lists": Field(default=b"", bare=True, since=_V7),
        "dhcp-option": Field(default=b"", bare=True),
        "status": Field(default=b"waiting", read_only=True, counter=True),
        "last-seen": Field(default=b"never", read_only=True, counter=True, since=_V7),
        "radius": Field(n.boolean, b"false", read_only=True),
        "dynamic": DYNAMIC,
        "disabled": DISABLED,
        "comment": COMMENT,
    },
    required=("address",),
    unique=(Unique(("address",), "already have such entry", enabled_only=True),),
)

ROUTE = MenuSpec(
    "/ip/route",
    "route",
    {
        "dst-address": Field(n.network, b"0.0.0.0/0"),
        "routing-table": Field(default=b"main", since=_V7),
        "routing-mark": Field(until=_V7),
        "pref-src": Field(),
        "gateway": Field(n.gateway),
        "immediate-gw": Field(default=b"", read_only=True, since=_V7, counter=True),
        "gateway-status": Field(default=b"", read_only=True, until=_V7, counter=True),
        "check-gateway": Field(n.optional(n.one_of("none", "arp", "ping", "bfd"))),
        "type": Field(default=b"unicast", until=_V7),
        "blackhole": Field(since=_V7, bare=True),
        "distance": Field(n.whole(1, 255), b"1"),
        "scope": Field(n.whole(0, 255), b"30"),
        "target-scope": Field(n.whole(0, 255), b"10"),
        "suppress-hw-offload": Field(n.boolean, since=_V7),
        "dynamic": DYNAMIC,
        "connect": Field(n.boolean, read_only=True),
        "inactive": Field(n.boolean, b"false", read_only=True, since=_V7),
        "active": Field(n.boolean, b"true", read_only=True),
        "static": Field(n.boolean, read_only=True),
        "disabled": DISABLED_IF_SAID,
        "comment": COMMENT,
    },
    required=(),
    first_number=0x80000001,
)


def _served(path: str, thing: str, first: bytes, more: dict[str, Field], given: dict[str, bytes]) -> MenuSpec:
    """A server that rows elsewhere name; every emulated router has one."""
    fields = {"name": Field(), "interface": Field(n.name_in("/interface"))}
    end = {"invalid": INVALID, "disabled": DISABLED, "comment": COMMENT}
    return MenuSpec(
        path,
        thing,
        {**fields, **more, **end},
        required=("interface",),
        unique=(Unique(("name",), "server with such name already exists"),),
        built_in=({"name": first, "interface": b"bridge", **given},),
    )


DHCP_SERVER = _served(
    "/ip/dhcp-server",
    "dhcp server",
    b"dhcp1",
    {"address-pool": Field(default=b"static-only"), "lease-time": Field(n.duration, b"30m")},
    {},
)
HOTSPOT = _served("/ip/hotspot", "hotspot server", b"hotspot1", {"address-pool": Field(default=b"none")}, {})
DHCPV6_SERVER = _served("/ipv6/dhcp-server", "dhcpv6 server", b"dhcpv6-1", {"address-pool": Field(default=b"")}, {})


def _pool(path: str, thing: str, fields: dict[str, Field], first: dict[str, bytes]) -> MenuSpec:
    return MenuSpec(
        path,
        thing,
        {"name": Field(), **fields, "comment": COMMENT},
        required=("name", *fields),
        unique=(Unique(("name",), "pool with such name exists"),),
        verbs=NAMED,
        built_in=(first,),
    )


POOL = _pool("/ip/pool", "pool", {"ranges": Field()}, {"name": b"pool1", "ranges": b"100.64.0.2-100.64.255.254"})
POOL6 = _pool(
    "/ipv6/pool",
    "ipv6 pool",
    {"prefix": Field(n.ipv6_prefix), "prefix-length": Field(n.whole(1, 128))},
    {"name": b"pool6", "prefix": b"2001:db8:8000::/33", "prefix-length": b"56"},
)
IP_MENUS = (
    FILTER,
    NAT,
    MANGLE,
    _address_list("/ip/firewall/address-list"),
    _address_list("/ipv6/firewall/address-list"),
    LEASE,
    HOTSPOT_BINDING,
    IPV6_BINDING,
    ROUTE,
    DHCP_SERVER,
    HOTSPOT,
    DHCPV6_SERVER,
    POOL,
    POOL6,
    MenuSpec(
        "/ip/address",
        "address",
        {
            "address": Field(n.interface_address),
            "network": Field(),
            "interface": Field(n.name_in("/interface")),
            "invalid": INVALID,
            "dynamic": DYNAMIC,
            "disabled": DISABLED,
            "comment": COMMENT,
        },
        required=("address", "interface"),
        unique=(Unique(("address", "interface"), "already have such address"),),
        verbs=ROWS,
    ),
)
