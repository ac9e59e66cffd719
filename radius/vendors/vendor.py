"""What a vendor is: data and three small pure functions.

Adding a vendor is adding a module with one `Vendor` and a line in the table of `radius.vendors`; nothing else in
the product asks which vendor a NAS is of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from radius.attributes import ACCT_INTERIM_INTERVAL, FRAMED_POOL
from radius.codec import Attribute, integer
from radius.policy import Policy


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """What accounting told about a live session, in the NAS's own octets."""

    user_name: bytes
    acct_session_id: bytes
    framed_ip_address: IPv4Address | None = None
    nas_ip_address: IPv4Address | None = None
    """NAS-IP-Address as the NAS itself reports it, which may differ from where its packets come from."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """How one kind of NAS is spoken to.

    `reply(policy)`: encoded attributes of an Access-Accept. `coa_changes(old, new)`: the attributes of a
    CoA-Request that takes a live session from one policy to the other; () when the NAS need not be told; None when
    only a Disconnect (and the new session) brings it there. `identification(session)`: the attributes that find the
    session in a CoA or Disconnect request (RFC 5176 §3).
    """

    name: str
    reply: Callable[[Policy], bytes]
    coa_changes: Callable[[Policy, Policy], tuple[Attribute, ...] | None]
    identification: Callable[[SessionIdentity], tuple[Attribute, ...]]


def standard_attributes(policy: Policy) -> list[Attribute]:
    """Attributes of a policy that RFC 2869 has for every vendor."""
    attributes: list[Attribute] = [(ACCT_INTERIM_INTERVAL, integer(policy.interim_seconds))]
    if policy.pool:
        attributes.append((FRAMED_POOL, policy.pool.encode()))
    return attributes
