"""The aspects of a session that a policy decides, and a row of a vendor's table for one of them.

A row is data: in which attributes the vendor hears the aspect, what it takes to change it on a live session, what to
take it away, and on whose word we believe that. `radius.vendors.vendor` draws every decision from these rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from radius.attributes import ACCT_INTERIM_INTERVAL
from radius.codec import MAX_VALUE, Attribute, integer, vendor_attribute
from radius.policy import Policy

HIGHEST_INTEGER = 2**32 - 1
_LONGEST_VENDOR_TEXT = MAX_VALUE - 6

Words = Callable[[Policy], tuple[Attribute, ...]]
"""The attributes that say an aspect of a policy; () when the policy leaves it open."""


class Aspect(StrEnum):
    """What can differ between two sessions. The last three are the subscription's own and stand in its record."""

    RATE = "rate"
    ADDRESS_LIST = "address list or filter"
    GROUP = "group or profile"
    POOL = "IPv4 pool"
    IPV6_POOL = "IPv6 pool"
    DELEGATED_IPV6_POOL = "delegated IPv6 pool"
    INTERIM = "interim interval"
    FIXED_ADDRESS = "fixed IPv4 address"
    IPV6_PREFIXES = "IPv6 prefixes"
    ROUTES = "routes"


class Change(StrEnum):
    """What it takes until a live session follows."""

    COA = "CoA"
    SESSION = "new session"
    LATER = "later"
    """The next session has it; nobody is disconnected for it, and nothing is sent."""
    NEVER = "—"
    """This vendor has no word for it."""


FIELDS: dict[Aspect, tuple[str, ...]] = {
    Aspect.RATE: ("download_bps", "upload_bps"),
    Aspect.ADDRESS_LIST: ("address_list",),
    Aspect.GROUP: ("group",),
    Aspect.POOL: ("pool",),
    Aspect.IPV6_POOL: ("ipv6_pool",),
    Aspect.DELEGATED_IPV6_POOL: ("delegated_ipv6_pool",),
    Aspect.INTERIM: ("interim_seconds",),
}
"""The fields of `Policy` that an aspect is made of."""


def nothing(_policy: Policy) -> tuple[Attribute, ...]:
    """The words of an aspect that no policy holds or that the vendor does not know."""
    return ()


@dataclass(frozen=True, slots=True)
class Row:
    """One aspect at one vendor.

    `shown` names the attributes for people. `change`: the aspect gets another value, or one where it had none;
    `removal`: a value that it had is gone. `undo` are the attributes that end what `words` of the former policy
    began, at a vendor where a change by CoA has to say both. `source` says where it is written; it begins with "not
    confirmed" where it is not.
    """

    shown: str
    change: Change
    removal: Change
    source: str
    words: Words = nothing
    undo: Words = nothing


def text(kind: int, field: str, before: str = "") -> Words:
    """A standard attribute with a name of the policy as its text, after the fixed words `before`."""
    return lambda policy: ((kind, f"{before}{name}".encode()),) if (name := getattr(policy, field)) else ()


def vendor_text(vendor: int, kind: int, field: str, before: str = "") -> Words:
    """The same as an attribute of a vendor."""
    return lambda policy: (own(vendor, kind, before + name),) if (name := getattr(policy, field)) else ()


def own(vendor: int, kind: int, words: str) -> Attribute:
    """A vendor's text, cut at what fits into an attribute: no router has a name that long."""
    return vendor_attribute(vendor, kind, words.encode()[:_LONGEST_VENDOR_TEXT])


def interim(source: str) -> Row:
    """Acct-Interim-Interval (RFC 2869 §5.16): no vendor of the table is known to take another one by CoA."""
    return Row("Acct-Interim-Interval", Change.LATER, Change.LATER, source, interim_words)


def interim_words(policy: Policy) -> tuple[Attribute, ...]:
    return ((ACCT_INTERIM_INTERVAL, integer(policy.interim_seconds)),)


def subscription_rows(source: str) -> dict[Aspect, Row]:
    """The rows of what stands in a subscription's own record, in standard attributes at every vendor."""
    return {
        Aspect.FIXED_ADDRESS: Row("Framed-IP-Address", Change.SESSION, Change.SESSION, source),
        Aspect.IPV6_PREFIXES: Row("Framed-IPv6-Prefix, Delegated-IPv6-Prefix", Change.SESSION, Change.SESSION, source),
        Aspect.ROUTES: Row("Framed-Route, Framed-IPv6-Route", Change.SESSION, Change.SESSION, source),
    }


def short_rate(bps: int) -> str:
    """Bits per second as routers write them: `50M`, `1500k`, `999`; the largest unit that leaves no fraction."""
    for suffix, unit in (("M", 1_000_000), ("k", 1_000)):
        if bps and not bps % unit:
            return f"{bps // unit}{suffix}"
    return str(bps)
