"""MikroTik RouterOS (enterprise 14988): PPPoE, hotspot and DHCP.

Mikrotik-Rate-Limit is `rx/tx` from the router's side, so **rx is the subscriber's upload**. By its documentation a
CoA may change rate limit and group (PPP profile), but not the address list, and an address or pool only comes with
a new session. A limit cannot be taken away from a live session either, only replaced.
"""

from __future__ import annotations

from radius.attributes import (
    ACCT_SESSION_ID,
    FRAMED_IP_ADDRESS,
    MIKROTIK_ADDRESS_LIST,
    MIKROTIK_GROUP,
    MIKROTIK_RATE_LIMIT,
    NAS_IP_ADDRESS,
    USER_NAME,
    VENDOR_MIKROTIK,
)
from radius.codec import Attribute, encode_attributes, vendor_attribute
from radius.policy import Policy
from radius.vendors.vendor import SessionIdentity, Vendor, standard_attributes


def rate_limit(policy: Policy) -> str:
    """`rx/tx` of Mikrotik-Rate-Limit, "" when the policy sets neither; one that is not set is 0, unlimited."""
    if policy.download_bps is None and policy.upload_bps is None:
        return ""
    return f"{_rate(policy.upload_bps or 0)}/{_rate(policy.download_bps or 0)}"


def _rate(bps: int) -> str:
    for suffix, unit in (("M", 1_000_000), ("k", 1_000)):
        if bps and not bps % unit:
            return f"{bps // unit}{suffix}"
    return str(bps)


def _own(kind: int, text: str) -> Attribute:
    return vendor_attribute(VENDOR_MIKROTIK, kind, text.encode())


def reply(policy: Policy) -> bytes:
    attributes = standard_attributes(policy)
    texts = (
        (MIKROTIK_RATE_LIMIT, rate_limit(policy)),
        (MIKROTIK_ADDRESS_LIST, policy.address_list),
        (MIKROTIK_GROUP, policy.group),
    )
    attributes += [_own(kind, text) for kind, text in texts if text]
    return encode_attributes(attributes)


def coa_changes(old: Policy, new: Policy) -> tuple[Attribute, ...] | None:
    """Rate limit and group; a new interim interval alone waits for the next session."""
    if (old.pool, old.address_list) != (new.pool, new.address_list):
        return None
    changes = []
    for kind, before, after in (
        (MIKROTIK_RATE_LIMIT, rate_limit(old), rate_limit(new)),
        (MIKROTIK_GROUP, old.group, new.group),
    ):
        if before != after:
            if not after:
                return None
            changes.append(_own(kind, after))
    return tuple(changes)


def identification(session: SessionIdentity) -> tuple[Attribute, ...]:
    """User-Name, Acct-Session-Id, Framed-IP-Address (the hotspot needs it), NAS-IP-Address as the router says it."""
    found: list[Attribute] = [
        (USER_NAME, session.user_name),
        (ACCT_SESSION_ID, session.acct_session_id),
    ]
    for kind, address in (
        (FRAMED_IP_ADDRESS, session.framed_ip_address),
        (NAS_IP_ADDRESS, session.nas_ip_address),
    ):
        if address is not None:
            found.append((kind, address.packed))
    return tuple(found)


MIKROTIK = Vendor("mikrotik", reply, coa_changes, identification)
