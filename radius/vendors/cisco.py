"""Cisco IOS XE on ASR 1000 and its kin, with the Intelligent Services Gateway (enterprise 9).

A rate is the name of a policy map, one for each direction, after `RATE_POLICY`: `ip:sub-qos-policy-in` and
`ip:sub-qos-policy-out` in Cisco-AVPair, from the router's side, so **in is the subscriber's upload**. They may be
applied and replaced without ending the session ("Define Interface Policy-Map AV Pairs AAA"; "ISG RADIUS CoA Interface
Guide", Feature Push).

Group and address list are ISG services that log on with the session (Cisco-Account-Info `A…`); the walled garden is a
service with a redirect to the payment page. A CoA could activate services too, by command codes (Cisco VSA 252), but
nothing says that one CoA may carry both a command and features, so they wait for a new session. ISG also knows a
session by `audit-session-id`; that is not stored, Acct-Session-Id and User-Name find it.
"""

from __future__ import annotations

from radius.attributes import (
    ACCT_SESSION_ID,
    CISCO_ACCOUNT_INFO,
    CISCO_AVPAIR,
    DELEGATED_IPV6_PREFIX_POOL,
    FRAMED_IPV6_POOL,
    USER_NAME,
    VENDOR_CISCO,
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

RATE_POLICY = "catraca-{rate}"
"""The policy map of a rate: `catraca-50M`, `catraca-1500k`."""
_SERVICE = "not confirmed: a CoA with both a command code (VSA 252) and features is nowhere documented"
_POOL = "not confirmed: no document says that a CoA moves a session to another pool"


def _rate(policy: Policy) -> tuple[Attribute, ...]:
    directions = (("in", policy.upload_bps), ("out", policy.download_bps))
    return tuple(
        own(VENDOR_CISCO, CISCO_AVPAIR, f"ip:sub-qos-policy-{way}={RATE_POLICY.format(rate=short_rate(bps))}")
        for way, bps in directions
        if bps is not None
    )


CISCO = Vendor(
    name="cisco",
    title="Cisco ASR (IOS XE, ISG)",
    rows={
        Aspect.INTERIM: interim("not confirmed: no document says that a CoA changes it"),
        Aspect.POOL: Row(
            "Cisco-AVPair `ip:addr-pool=…`",
            Change.SESSION,
            Change.SESSION,
            _POOL,
            vendor_text(VENDOR_CISCO, CISCO_AVPAIR, "pool", "ip:addr-pool="),
        ),
        Aspect.IPV6_POOL: Row(
            "Framed-IPv6-Pool", Change.SESSION, Change.SESSION, _POOL, text(FRAMED_IPV6_POOL, "ipv6_pool")
        ),
        Aspect.DELEGATED_IPV6_POOL: Row(
            "Delegated-IPv6-Prefix-Pool",
            Change.SESSION,
            Change.SESSION,
            _POOL,
            text(DELEGATED_IPV6_PREFIX_POOL, "delegated_ipv6_pool"),
        ),
        Aspect.RATE: Row(
            f"Cisco-AVPair `ip:sub-qos-policy-in={RATE_POLICY}`, `…-out={RATE_POLICY}`",
            Change.COA,
            Change.SESSION,
            "Cisco, Define Interface Policy-Map AV Pairs AAA: replaced without ending the session",
            _rate,
        ),
        Aspect.ADDRESS_LIST: Row(
            "Cisco-Account-Info `A…` (service)",
            Change.SESSION,
            Change.SESSION,
            _SERVICE,
            vendor_text(VENDOR_CISCO, CISCO_ACCOUNT_INFO, "address_list", "A"),
        ),
        Aspect.GROUP: Row(
            "Cisco-Account-Info `A…` (service)",
            Change.SESSION,
            Change.SESSION,
            _SERVICE,
            vendor_text(VENDOR_CISCO, CISCO_ACCOUNT_INFO, "group", "A"),
        ),
        **subscription_rows("not confirmed: no document says that a CoA changes it"),
    },
    identified_by=(USER_NAME, ACCT_SESSION_ID),
    walled_garden="The ISG service `catraca-suspended`, with a traffic class and a layer 4 redirect in it.",
    coa_port=1700,
    set_up="""\
```
aaa server radius dynamic-author
 client 198.51.100.10 server-key SECRET
 port 1700
 auth-type any

policy-map catraca-50M
 class class-default
  police cir 50000000

redirect server-group catraca
 server ip 198.51.100.20 port 80
policy-map type service catraca-suspended
 service local
 class type traffic catraca-web
  redirect to group catraca
```

One policy map for each rate that is sold, and for the reduced and suspended rates of the settings.
""",
)
