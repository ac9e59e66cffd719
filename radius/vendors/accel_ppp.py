"""accel-ppp (and VyOS, whose PPPoE and IPoE servers are accel-ppp): Linux BRAS.

All of this is read in accel-ppp's own source. The shaper takes its rate from Filter-Id unless told otherwise
(`[shaper] attr`), as `down/up` in kbit/s, and applies it by CoA; but a direction that is 0 keeps its former rate, so
a limit is not taken away that way (shaper.c). Pools are Framed-Pool, Delegated-IPv6-Prefix-Pool and, for the link
itself, Stateful-IPv6-Address-Pool (ippool.c, ipv6pool.c). A CoA that carries Class makes the session report that
Class from then on (dm_coa.c): `coa_echoes_class` may be set for such a NAS.

It knows no address lists or groups. They are sent in MikroTik's attributes, which its dictionary has, and `pppd_compat`
writes them into the file that `ip-up` reads. `ip-change` would see a CoA, but not every installation has that script.
"""

from __future__ import annotations

from radius.attributes import (
    ACCT_SESSION_ID,
    DELEGATED_IPV6_PREFIX_POOL,
    FILTER_ID,
    FRAMED_IP_ADDRESS,
    FRAMED_POOL,
    MIKROTIK_ADDRESS_LIST,
    MIKROTIK_GROUP,
    STATEFUL_IPV6_ADDRESS_POOL,
    USER_NAME,
    VENDOR_MIKROTIK,
)
from radius.codec import Attribute
from radius.policy import Policy
from radius.vendors.aspects import Aspect, Change, Row, interim, subscription_rows, text, vendor_text
from radius.vendors.vendor import Vendor

_SCRIPT = "accel-ppp source, pppd_compat.c: for the `ip-up` script"


def _rate(policy: Policy) -> tuple[Attribute, ...]:
    if policy.download_bps is None and policy.upload_bps is None:
        return ()
    return ((FILTER_ID, f"{_kbit(policy.download_bps)}/{_kbit(policy.upload_bps)}".encode()),)


def _kbit(bps: int | None) -> int:
    """0 is no limit in that direction, so that a limit is never rounded down to it."""
    return 0 if bps is None else max(1, bps // 1000)


ACCEL_PPP = Vendor(
    name="accel-ppp",
    title="accel-ppp, VyOS",
    rows={
        Aspect.INTERIM: interim("accel-ppp source, dm_coa.c: not looked at"),
        Aspect.POOL: Row(
            "Framed-Pool",
            Change.SESSION,
            Change.SESSION,
            "accel-ppp source, ippool.c: read when the session begins",
            text(FRAMED_POOL, "pool"),
        ),
        Aspect.IPV6_POOL: Row(
            "Stateful-IPv6-Address-Pool",
            Change.SESSION,
            Change.SESSION,
            "accel-ppp source, ipv6pool.c: read when the session begins",
            text(STATEFUL_IPV6_ADDRESS_POOL, "ipv6_pool"),
        ),
        Aspect.DELEGATED_IPV6_POOL: Row(
            "Delegated-IPv6-Prefix-Pool",
            Change.SESSION,
            Change.SESSION,
            "accel-ppp source, ipv6pool.c: read when the session begins",
            text(DELEGATED_IPV6_PREFIX_POOL, "delegated_ipv6_pool"),
        ),
        Aspect.RATE: Row(
            "Filter-Id `down/up` in kbit/s",
            Change.COA,
            Change.SESSION,
            "accel-ppp source, shaper.c: a CoA replaces the rate; 0 leaves the former one",
            _rate,
        ),
        Aspect.ADDRESS_LIST: Row(
            "Mikrotik-Address-List",
            Change.SESSION,
            Change.SESSION,
            _SCRIPT,
            vendor_text(VENDOR_MIKROTIK, MIKROTIK_ADDRESS_LIST, "address_list"),
        ),
        Aspect.GROUP: Row(
            "Mikrotik-Group",
            Change.SESSION,
            Change.SESSION,
            _SCRIPT,
            vendor_text(VENDOR_MIKROTIK, MIKROTIK_GROUP, "group"),
        ),
        **subscription_rows("accel-ppp source, dm_coa.c: not looked at"),
    },
    identified_by=(USER_NAME, ACCT_SESSION_ID, FRAMED_IP_ADDRESS),
    walled_garden="`ip-up` puts the address into the ipset that Mikrotik-Address-List names; nftables closes it in.",
    probe=Aspect.RATE,
    set_up="""\
`/etc/accel-ppp.conf`, what concerns RADIUS:

```ini
[modules]
radius
ippool
ipv6pool
shaper
pppd_compat

[radius]
dictionary=/usr/share/accel-ppp/radius/dictionary
nas-identifier=bras-1
server=198.51.100.10,SECRET,auth-port=1812,acct-port=1813,req-limit=0,fail-time=0
dae-server=203.0.113.1:3799,SECRET
dae-allowed=198.51.100.10
acct-interim-interval=300

[shaper]
attr=Filter-Id

[pppd-compat]
ip-up=/etc/ppp/ip-up
ip-down=/etc/ppp/ip-down
radattr-prefix=/run/radattr
```

`/etc/ppp/ip-up`, and the set that it fills (accel-ppp gives the peer's address as the fifth argument):

```sh
#!/bin/sh
# nft add table inet catraca
# nft add set inet catraca catraca-suspended '{ type ipv4_addr; }'
# nft add chain inet catraca forward '{ type filter hook forward priority -10; }'
# nft add rule inet catraca forward ip saddr @catraca-suspended ip daddr != 198.51.100.20 udp dport != 53 drop
list=$(sed -n 's/^Mikrotik-Address-List //p' "/run/radattr.$1")
[ -n "$list" ] && nft add element inet catraca "$list" "{ $5 }"
```

`ip-down` deletes the element again. accel-ppp sends no Message-Authenticator: give it
`require_message_authenticator = false`. It adopts the Class of a CoA: set `coa_echoes_class = true`, and its accounting
proves each change.
""",
)
