"""Huawei BRAS (enterprise 2011): NE40E, ME60, NetEngine 8000.

Rates are bits per second, input from the subscriber; the peak rate counts only beside the committed one ("RADIUS
Attributes, HW-Input-Peak-Information-Rate (3)", NetEngine 8000), so both are sent, equal. The user group is Filter-Id,
the profile HW-QOS-Profile-Name, which must exist: by default a user whose profile is unknown goes offline ("RADIUS
Attributes, HW-QOS-Profile-Name (31)").

That a CoA changes them is in the command reference, `radius-server authorization error-reply`: it says how the router
answers a CoA whose Filter-ID or HW-QOS-Profile-Name is empty or unknown (NAK, 404), which is also why none can be
taken away by an empty one. Rates by CoA: Huawei's knowledge base, ETC0001084741, an ME60.
"""

from __future__ import annotations

from radius.attributes import (
    ACCT_SESSION_ID,
    FILTER_ID,
    FRAMED_IPV6_POOL,
    FRAMED_POOL,
    HUAWEI_DELEGATED_IPV6_PREFIX_POOL,
    HUAWEI_INPUT_AVERAGE_RATE,
    HUAWEI_INPUT_PEAK_RATE,
    HUAWEI_OUTPUT_AVERAGE_RATE,
    HUAWEI_OUTPUT_PEAK_RATE,
    HUAWEI_QOS_PROFILE_NAME,
    USER_NAME,
    VENDOR_HUAWEI,
)
from radius.codec import Attribute, integer, vendor_attribute
from radius.policy import Policy
from radius.vendors.aspects import (
    HIGHEST_INTEGER,
    Aspect,
    Change,
    Row,
    interim,
    subscription_rows,
    text,
    vendor_text,
)
from radius.vendors.vendor import Vendor

_REPLY = "Huawei command reference, `radius-server authorization error-reply`: CoA; an empty one is refused"
_POOL = "not confirmed: no document says that a CoA moves a session to another pool"


def _rate(policy: Policy) -> tuple[Attribute, ...]:
    kinds = (
        (HUAWEI_INPUT_AVERAGE_RATE, policy.upload_bps),
        (HUAWEI_INPUT_PEAK_RATE, policy.upload_bps),
        (HUAWEI_OUTPUT_AVERAGE_RATE, policy.download_bps),
        (HUAWEI_OUTPUT_PEAK_RATE, policy.download_bps),
    )
    return tuple(
        vendor_attribute(VENDOR_HUAWEI, kind, integer(min(bps, HIGHEST_INTEGER)))
        for kind, bps in kinds
        if bps is not None
    )


HUAWEI = Vendor(
    name="huawei",
    title="Huawei NE40E, ME60, NetEngine",
    rows={
        Aspect.INTERIM: interim("not confirmed: no document says that a CoA changes it"),
        Aspect.POOL: Row("Framed-Pool", Change.SESSION, Change.SESSION, _POOL, text(FRAMED_POOL, "pool")),
        Aspect.IPV6_POOL: Row(
            "Framed-IPv6-Pool", Change.SESSION, Change.SESSION, _POOL, text(FRAMED_IPV6_POOL, "ipv6_pool")
        ),
        Aspect.DELEGATED_IPV6_POOL: Row(
            "Huawei-Delegated-IPv6-Prefix-Pool",
            Change.SESSION,
            Change.SESSION,
            _POOL,
            vendor_text(VENDOR_HUAWEI, HUAWEI_DELEGATED_IPV6_PREFIX_POOL, "delegated_ipv6_pool"),
        ),
        Aspect.RATE: Row(
            "Huawei-Input-Average-Rate, -Input-Peak-Rate, -Output-Average-Rate, -Output-Peak-Rate",
            Change.COA,
            Change.SESSION,
            "Huawei knowledge base ETC0001084741 (ME60, PPP): CoA, though a lower peak rate failed there",
            _rate,
        ),
        Aspect.ADDRESS_LIST: Row(
            "Filter-Id (user group)", Change.COA, Change.SESSION, _REPLY, text(FILTER_ID, "address_list")
        ),
        Aspect.GROUP: Row(
            "Huawei-Qos-Profile-Name",
            Change.COA,
            Change.SESSION,
            _REPLY,
            vendor_text(VENDOR_HUAWEI, HUAWEI_QOS_PROFILE_NAME, "group"),
        ),
        **subscription_rows("not confirmed: no document says that a CoA changes it"),
    },
    identified_by=(USER_NAME, ACCT_SESSION_ID),
    walled_garden="The user group `catraca-suspended`, to which ACLs and a traffic policy permit little.",
    probe=Aspect.RATE,
    set_up="""\
```
radius-server group catraca
 radius-server authentication 198.51.100.10 1812
 radius-server accounting 198.51.100.10 1813
 radius-server shared-key-cipher SECRET
 radius-server class-as-car disable
quit
radius-server authorization 198.51.100.10 shared-key-cipher SECRET server-group catraca

user-group catraca-suspended
acl number 6001
 rule 5 permit ip source user-group catraca-suspended destination ip-address 198.51.100.20 0
 rule 10 permit udp source user-group catraca-suspended destination-port eq dns
acl number 6002
 rule 5 permit ip source user-group catraca-suspended
traffic classifier catraca-allowed
 if-match acl 6001
traffic classifier catraca-closed
 if-match acl 6002
traffic behavior catraca-allowed
 permit
traffic behavior catraca-closed
 deny
traffic policy catraca
 classifier catraca-allowed behavior catraca-allowed
 classifier catraca-closed behavior catraca-closed
traffic-policy catraca inbound

aaa
 authentication-scheme catraca
  authentication-mode radius
 accounting-scheme catraca
  accounting-mode radius
  accounting interim interval 5
 domain assinantes
  authentication-scheme catraca
  accounting-scheme catraca
  radius-server group catraca
```

A plan's address list is a user group too; every name that is sent must exist on the router. A plan that has an address
list lets a suspension be lifted by CoA, one that has none needs a new session: a user group can be replaced, not
taken away. Commands differ between releases: check them against yours.
""",
)
