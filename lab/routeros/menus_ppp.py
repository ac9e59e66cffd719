"""PPP's menus and the queues: who may dial, what a profile gives, who is online, and how fast.

Fields, defaults and versions are facts of RouterOS 6.49 and 7.x as its documentation, the Ansible collection
community.routeros and surveys of real routers give them.
"""

from __future__ import annotations

from lab.routeros import notation as n
from lab.routeros.schema import COMMENT, DISABLED, DYNAMIC, INVALID, NAMED, READ, ROWS, RULES, Field, MenuSpec, Unique

_V7 = (7, 0, 0)
_SERVICES = ("any", "async", "l2tp", "ovpn", "pppoe", "pptp", "sstp")
_YES_NO_DEFAULT = n.one_of("yes", "no", "default")

PROFILE = MenuSpec(
    "/ppp/profile",
    "ppp profile",
    {
        "name": Field(),
        "local-address": Field(n.optional(n.ipv4_or_name_in("/ip/pool"))),
        "remote-address": Field(n.optional(n.ipv4_or_name_in("/ip/pool"))),
        "remote-ipv6-prefix-pool": Field(n.optional(n.name_in("/ipv6/pool", "none"))),
        "dhcpv6-pd-pool": Field(n.optional(n.name_in("/ipv6/pool", "none"))),
        "bridge-learning": Field(_YES_NO_DEFAULT, b"default"),
        "session-timeout": Field(n.optional(n.duration)),
        "idle-timeout": Field(n.optional(n.duration)),
        "use-mpls": Field(_YES_NO_DEFAULT, b"default"),
        "use-compression": Field(_YES_NO_DEFAULT, b"default"),
        "use-encryption": Field(n.one_of("yes", "no", "default", "required"), b"default"),
        "use-upnp": Field(_YES_NO_DEFAULT, b"default", since=_V7),
        "use-ipv6": Field(n.one_of("yes", "no", "default", "required"), b"yes"),
        "only-one": Field(_YES_NO_DEFAULT, b"default"),
        "change-tcp-mss": Field(_YES_NO_DEFAULT, b"default"),
        "rate-limit": Field(n.optional(n.rate_limit)),
        "queue-type": Field(),
        "insert-queue-before": Field(),
        "parent-queue": Field(),
        "dns-server": Field(),
        "wins-server": Field(),
        "incoming-filter": Field(),
        "outgoing-filter": Field(),
        "interface-list": Field(),
        "address-list": Field(default=b"", bare=True),
        "on-up": Field(default=b"", bare=True),
        "on-down": Field(default=b"", bare=True),
        "default": Field(n.boolean, b"false", read_only=True),
        "comment": COMMENT,
    },
    required=("name",),
    unique=(Unique(("name",), "profile with the same name already exists"),),
    verbs=NAMED,
    kept=frozenset({"default", "default-encryption"}),
    built_in=(
        {"name": b"default", "default": b"true", "change-tcp-mss": b"yes"},
        {"name": b"default-encryption", "default": b"true", "change-tcp-mss": b"yes", "use-encryption": b"yes"},
    ),
)

SECRET = MenuSpec(
    "/ppp/secret",
    "ppp secret",
    {
        "name": Field(),
        "service": Field(n.one_of(*_SERVICES), b"any"),
        "caller-id": Field(default=b"", bare=True),
        "password": Field(default=b"", bare=True),
        "profile": Field(n.name_in("/ppp/profile"), b"default", refers="/ppp/profile"),
        "local-address": Field(n.optional(n.ipv4_or_name_in("/ip/pool"))),
        "remote-address": Field(n.optional(n.ipv4_or_name_in("/ip/pool"))),
        "remote-ipv6-prefix": Field(n.optional(n.ipv6_prefix)),
        "routes": Field(default=b"", bare=True),
        "ipv6-routes": Field(default=b"", bare=True, since=_V7),
        "limit-bytes-in": Field(n.whole(0, 1 << 64), b"0"),
        "limit-bytes-out": Field(n.whole(0, 1 << 64), b"0"),
        "last-logged-out": Field(
            default=b"1970-01-01 00:00:00", before_7=b"jan/01/1970 00:00:00", read_only=True, counter=True
        ),
        "last-caller-id": Field(default=b"", read_only=True, counter=True, since=_V7),
        "last-disconnect-reason": Field(default=b"", read_only=True, counter=True, since=_V7),
        "disabled": DISABLED,
        "comment": COMMENT,
    },
    required=("name",),
    unique=(Unique(("name",), "secret with the same name already exists"),),
)

ACTIVE = MenuSpec(
    "/ppp/active",
    "ppp session",
    {
        "name": Field(),
        "service": Field(),
        "caller-id": Field(default=b"", bare=True),
        "address": Field(),
        "uptime": Field(counter=True),
        "encoding": Field(default=b"", bare=True),
        "session-id": Field(),
        "limit-bytes-in": Field(default=b"0"),
        "limit-bytes-out": Field(default=b"0"),
        "radius": Field(n.boolean, b"false"),
        "comment": COMMENT,
    },
    verbs=READ | {"remove"},
    first_number=0x80000001,
)

SIMPLE = MenuSpec(
    "/queue/simple",
    "simple queue",
    {
        "name": Field(),
        "target": Field(n.targets),
        "dst": Field(n.optional(n.targets)),
        "parent": Field(n.name_in("/queue/simple", "none"), b"none", refers="/queue/simple"),
        "packet-marks": Field(default=b"", bare=True),
        "priority": Field(n.pair(n.whole(1, 8)), b"8/8"),
        "queue": Field(n.pair(n.name_in("/queue/type", argument="queue")), b"default-small/default-small"),
        "limit-at": Field(n.pair(n.rate), b"0/0"),
        "max-limit": Field(n.pair(n.rate), b"0/0"),
        "burst-limit": Field(n.pair(n.rate), b"0/0"),
        "burst-threshold": Field(n.pair(n.rate), b"0/0"),
        "burst-time": Field(n.pair(n.duration), b"0s/0s"),
        "bucket-size": Field(n.pair(n.text), b"0.1/0.1"),
        "time": Field(),
        "total-max-limit": Field(n.optional(n.rate)),
        "total-queue": Field(),
        "bytes": Field(default=b"0/0", read_only=True, counter=True),
        "packets": Field(default=b"0/0", read_only=True, counter=True),
        "dropped": Field(default=b"0/0", read_only=True, counter=True),
        "rate": Field(default=b"0/0", read_only=True, counter=True),
        "invalid": INVALID,
        "dynamic": DYNAMIC,
        "disabled": DISABLED,
        "comment": COMMENT,
    },
    required=("target",),
    unique=(Unique(("name",), "already have such name"),),
    verbs=RULES,
)

TREE = MenuSpec(
    "/queue/tree",
    "queue tree",
    {
        "name": Field(),
        "parent": Field(n.name_in("/queue/tree", "global", "global-in", "global-out", "none", "ether1", "ether2")),
        "packet-mark": Field(default=b"", bare=True),
        "limit-at": Field(n.rate, b"0"),
        "queue": Field(n.name_in("/queue/type"), b"default-small"),
        "priority": Field(n.whole(1, 8), b"8"),
        "max-limit": Field(n.rate, b"0"),
        "burst-limit": Field(n.rate, b"0"),
        "burst-threshold": Field(n.rate, b"0"),
        "burst-time": Field(n.duration, b"0s"),
        "bucket-size": Field(default=b"0.1"),
        "bytes": Field(default=b"0", read_only=True, counter=True),
        "packets": Field(default=b"0", read_only=True, counter=True),
        "rate": Field(default=b"0", read_only=True, counter=True),
        "invalid": INVALID,
        "disabled": DISABLED,
        "comment": COMMENT,
    },
    required=("parent",),
    unique=(Unique(("name",), "already have such name"),),
)

QUEUE_TYPE = MenuSpec(
    "/queue/type",
    "queue type",
    {"name": Field(), "kind": Field(default=b"pfifo"), "default": Field(n.boolean, b"false", read_only=True)},
    required=("name",),
    unique=(Unique(("name",), "already have such name"),),
    verbs=NAMED - {"comment"},
    built_in=(
        {"name": b"default", "default": b"true"},
        {"name": b"ethernet-default", "default": b"true"},
        {"name": b"wireless-default", "kind": b"sfq", "default": b"true"},
        {"name": b"default-small", "default": b"true"},
        {"name": b"pcq-upload-default", "kind": b"pcq", "default": b"true"},
        {"name": b"pcq-download-default", "kind": b"pcq", "default": b"true"},
    ),
)

PPPOE_SERVER = MenuSpec(
    "/interface/pppoe-server/server",
    "pppoe server",
    {
        "service-name": Field(default=b"", bare=True),
        "interface": Field(n.name_in("/interface")),
        "default-profile": Field(n.name_in("/ppp/profile"), b"default", refers="/ppp/profile"),
        "invalid": INVALID,
        "disabled": DISABLED,
        "comment": COMMENT,
    },
    required=("interface",),
    verbs=ROWS,
)

PPP_MENUS = (PROFILE, SECRET, ACTIVE, SIMPLE, TREE, QUEUE_TYPE, PPPOE_SERVER)
