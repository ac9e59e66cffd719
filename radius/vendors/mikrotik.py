"""MikroTik RouterOS (enterprise 14988): PPPoE, hotspot and DHCP.

Mikrotik-Rate-Limit is `rx/tx` from the router's side, so **rx is the subscriber's upload**; 0 is no limit in that
direction, as in the queues that it makes (RouterOS manual, Queues: `max-limit` is 0 by default and 0 is ignored).
What a CoA may change is a list in the RouterOS manual, RADIUS, "Change of Authorization"; the address list is not on
it, and address, pool and routes are excluded in so many words.
"""

from __future__ import annotations

from radius.attributes import (
    ACCT_SESSION_ID,
    FRAMED_IP_ADDRESS,
    FRAMED_IPV6_POOL,
    FRAMED_POOL,
    MIKROTIK_ADDRESS_LIST,
    MIKROTIK_DELEGATED_IPV6_POOL,
    MIKROTIK_GROUP,
    MIKROTIK_RATE_LIMIT,
    NAS_IP_ADDRESS,
    USER_NAME,
    VENDOR_MIKROTIK,
)
from radius.codec import Attribute
from radius.policy import Policy
from radius.vendors.aspects import (
    Aspect,
    Change,
    Row,
    interim,
    own,
    short_rate,
    subscription_rows,
    text,
    vendor_text,
)
from radius.vendors.vendor import Vendor

_COA = "RouterOS manual, RADIUS, Change of Authorization"


def _rate(policy: Policy) -> tuple[Attribute, ...]:
    if policy.download_bps is None and policy.upload_bps is None:
        return ()
    limit = f"{short_rate(policy.upload_bps or 0)}/{short_rate(policy.download_bps or 0)}"
    return (own(VENDOR_MIKROTIK, MIKROTIK_RATE_LIMIT, limit),)


MIKROTIK = Vendor(
    name="mikrotik",
    title="MikroTik RouterOS",
    rows={
        Aspect.INTERIM: interim(f"{_COA}: not in the list"),
        Aspect.POOL: Row(
            "Framed-Pool", Change.SESSION, Change.SESSION, f"{_COA}: no pool that way", text(FRAMED_POOL, "pool")
        ),
        Aspect.IPV6_POOL: Row(
            "Framed-IPv6-Pool",
            Change.SESSION,
            Change.SESSION,
            "not confirmed: the manual lists no attribute for it, only `remote-ipv6-prefix-pool` of a PPP profile",
            text(FRAMED_IPV6_POOL, "ipv6_pool"),
        ),
        Aspect.DELEGATED_IPV6_POOL: Row(
            "Mikrotik-Delegated-IPv6-Pool",
            Change.SESSION,
            Change.SESSION,
            f"{_COA}: no pool that way",
            vendor_text(VENDOR_MIKROTIK, MIKROTIK_DELEGATED_IPV6_POOL, "delegated_ipv6_pool"),
        ),
        Aspect.RATE: Row(
            "Mikrotik-Rate-Limit `up/down`", Change.COA, Change.SESSION, f"{_COA}: in the list; only replaced", _rate
        ),
        Aspect.ADDRESS_LIST: Row(
            "Mikrotik-Address-List",
            Change.SESSION,
            Change.SESSION,
            f"{_COA}: not in the list",
            vendor_text(VENDOR_MIKROTIK, MIKROTIK_ADDRESS_LIST, "address_list"),
        ),
        Aspect.GROUP: Row(
            "Mikrotik-Group (PPP profile)",
            Change.COA,
            Change.SESSION,
            f"{_COA}: in the list; only replaced",
            vendor_text(VENDOR_MIKROTIK, MIKROTIK_GROUP, "group"),
        ),
        **subscription_rows(f"{_COA}: no address, pool or route that way"),
    },
    identified_by=(USER_NAME, ACCT_SESSION_ID, FRAMED_IP_ADDRESS, NAS_IP_ADDRESS),
    walled_garden="The address list `catraca-suspended`, which firewall and NAT rules of the router close in.",
    probe=Aspect.RATE,
    set_up="""\
```
/radius add service=ppp,dhcp,hotspot address=198.51.100.10 secret=SECRET require-message-auth=yes-for-request-resp
/radius incoming set accept=yes port=3799
/ppp aaa set use-radius=yes accounting=yes interim-update=5m

# The walled garden. Whoever is in the list reaches name servers and the addresses in `catraca-allowed`.
/ip firewall address-list add list=catraca-allowed address=198.51.100.20 comment="payment page"
/ip firewall nat add chain=dstnat src-address-list=catraca-suspended dst-address-list=!catraca-allowed \\
    protocol=tcp dst-port=80 action=dst-nat to-addresses=198.51.100.20
/ip firewall filter add chain=forward src-address-list=catraca-suspended protocol=udp dst-port=53 action=accept \\
    place-before=0
/ip firewall filter add chain=forward src-address-list=catraca-suspended dst-address-list=!catraca-allowed \\
    action=drop place-before=1
```

Both filter rules stand above `fasttrack`: connections on the fast path pass no rules. An older RouterOS sends no
Message-Authenticator for PPP; if its requests meet silence, set `require_message_authenticator = false` for it.
""",
)
