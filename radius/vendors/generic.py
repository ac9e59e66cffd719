"""A NAS of no known vendor: RFC attributes, and WISPr (enterprise 14122) for rates, which most understand.

Group and address list both go out as Filter-Id, the standard's name for "a filter that the NAS knows". No change
is trusted to a CoA, because nothing says what such a NAS applies and what it merely acknowledges.
"""

from __future__ import annotations

from radius.attributes import (
    ACCT_SESSION_ID,
    DELEGATED_IPV6_PREFIX_POOL,
    FILTER_ID,
    FRAMED_IPV6_POOL,
    FRAMED_POOL,
    NAS_IP_ADDRESS,
    USER_NAME,
    VENDOR_WISPR,
    WISPR_BANDWIDTH_MAX_DOWN,
    WISPR_BANDWIDTH_MAX_UP,
)
from radius.codec import Attribute, integer, vendor_attribute
from radius.policy import Policy
from radius.vendors.aspects import HIGHEST_INTEGER, Aspect, Change, Row, Words, interim, subscription_rows, text
from radius.vendors.vendor import Vendor

_UNKNOWN = "not confirmed: nothing says what such a NAS applies"


def wispr_rate(policy: Policy) -> tuple[Attribute, ...]:
    """WISPr-Bandwidth-Max-Up and -Down, bits per second in 32 bits."""
    pairs = ((WISPR_BANDWIDTH_MAX_UP, policy.upload_bps), (WISPR_BANDWIDTH_MAX_DOWN, policy.download_bps))
    return tuple(
        vendor_attribute(VENDOR_WISPR, kind, integer(min(bps, HIGHEST_INTEGER)))
        for kind, bps in pairs
        if bps is not None
    )


def _row(shown: str, words: Words) -> Row:
    return Row(shown, Change.SESSION, Change.SESSION, _UNKNOWN, words)


GENERIC = Vendor(
    name="generic",
    title="Any other",
    rows={
        Aspect.INTERIM: interim(_UNKNOWN),
        Aspect.POOL: _row("Framed-Pool", text(FRAMED_POOL, "pool")),
        Aspect.IPV6_POOL: _row("Framed-IPv6-Pool", text(FRAMED_IPV6_POOL, "ipv6_pool")),
        Aspect.DELEGATED_IPV6_POOL: _row(
            "Delegated-IPv6-Prefix-Pool", text(DELEGATED_IPV6_PREFIX_POOL, "delegated_ipv6_pool")
        ),
        Aspect.RATE: _row("WISPr-Bandwidth-Max-Up, WISPr-Bandwidth-Max-Down", wispr_rate),
        Aspect.GROUP: _row("Filter-Id", text(FILTER_ID, "group")),
        Aspect.ADDRESS_LIST: _row("Filter-Id", text(FILTER_ID, "address_list")),
        **subscription_rows(_UNKNOWN),
    },
    identified_by=(USER_NAME, ACCT_SESSION_ID, NAS_IP_ADDRESS),
    walled_garden="A filter named `catraca-suspended`, if the NAS takes Filter-Id; else only the low speed.",
)
