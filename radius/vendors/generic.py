"""A NAS of no known vendor: RFC attributes, and WISPr (enterprise 14122) for rates, which most understand.

Group and address list both go out as Filter-Id, the standard's name for "a filter that the NAS knows". No change
is trusted to a CoA, because nothing says what such a NAS applies and what it merely acknowledges.
"""

from __future__ import annotations

from radius.attributes import (
    ACCT_SESSION_ID,
    FILTER_ID,
    NAS_IP_ADDRESS,
    USER_NAME,
    VENDOR_WISPR,
    WISPR_BANDWIDTH_MAX_DOWN,
    WISPR_BANDWIDTH_MAX_UP,
)
from radius.codec import Attribute, encode_attributes, integer, vendor_attribute
from radius.policy import Policy
from radius.vendors.vendor import SessionIdentity, Vendor, standard_attributes

_HIGHEST_RATE = 2**32 - 1


def reply(policy: Policy) -> bytes:
    attributes = standard_attributes(policy)
    for kind, bps in (
        (WISPR_BANDWIDTH_MAX_UP, policy.upload_bps),
        (WISPR_BANDWIDTH_MAX_DOWN, policy.download_bps),
    ):
        if bps is not None:
            attributes.append(vendor_attribute(VENDOR_WISPR, kind, integer(min(bps, _HIGHEST_RATE))))
    attributes += [(FILTER_ID, name.encode()) for name in (policy.group, policy.address_list) if name]
    return encode_attributes(attributes)


def coa_changes(old: Policy, new: Policy) -> tuple[Attribute, ...] | None:
    """Nothing to tell when the replies are equal but for the interim interval, else a Disconnect."""
    return () if _enforced(old) == _enforced(new) else None


def _enforced(policy: Policy) -> tuple[int | None, int | None, str, str, str]:
    return policy.download_bps, policy.upload_bps, policy.address_list, policy.pool, policy.group


def identification(session: SessionIdentity) -> tuple[Attribute, ...]:
    """All that are sent must match (RFC 5176 §3), so only what every NAS keeps."""
    found: list[Attribute] = [
        (USER_NAME, session.user_name),
        (ACCT_SESSION_ID, session.acct_session_id),
    ]
    if session.nas_ip_address is not None:
        found.append((NAS_IP_ADDRESS, session.nas_ip_address.packed))
    return tuple(found)


GENERIC = Vendor("generic", reply, coa_changes, identification)
