"""What a session may do, and when: the vendor-neutral answer of the policy engine.

Everything above this layer speaks of rates in bits per second seen from the subscriber (download is towards
them). Only `radius/vendors` knows how a router wants to hear it. A policy is known by its content: two
subscriptions on the same plan share one `policy_id`, which is what a worker caches and what `Class` carries back
in accounting, so that drift is a comparison of two short strings.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from itertools import pairwise

_TEXT_LIMIT = 240
"""Octets of a text: fits a vendor attribute (253 less 6 of header), with room to spare."""
_LATER = frozenset({"ipv6_pool", "delegated_ipv6_pool"})
"""Fields that version 0.1 did not have."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rates in bits per second (None: no limit is sent), names as the router knows them ("": not sent).

    `interim_seconds` is the Acct-Interim-Interval; `pool` is of IPv4 addresses, `ipv6_pool` of the link's own prefixes,
    `delegated_ipv6_pool` of prefixes for the house behind it. ValueError for a value that no reply could carry.
    """

    download_bps: int | None = None
    upload_bps: int | None = None
    address_list: str = ""
    pool: str = ""
    group: str = ""
    interim_seconds: int = 300
    ipv6_pool: str = ""
    delegated_ipv6_pool: str = ""

    def __post_init__(self) -> None:
        for name in ("download_bps", "upload_bps"):
            rate = getattr(self, name)
            if rate is not None and rate <= 0:
                raise ValueError(f"{name} is a positive number of bits per second, or None: {rate}")
        for name in ("address_list", "pool", "group", "ipv6_pool", "delegated_ipv6_pool"):
            if len(getattr(self, name).encode()) > _TEXT_LIMIT:
                raise ValueError(f"{name} is longer than {_TEXT_LIMIT} octets")
        if not 0 < self.interim_seconds < 2**32:
            raise ValueError(f"interim_seconds is a positive 32-bit number: {self.interim_seconds}")

    @property
    def policy_id(self) -> str:
        """16 hexadecimal digits, equal for equal content."""
        return _policy_id(self)

    def to_json(self) -> bytes:
        """Canonical: sorted keys, no spaces, ASCII.

        A field that came later is only there when it says something, so that a policy that needs none of them keeps
        the id under which sessions already run it.
        """
        fields = {name: value for name, value in asdict(self).items() if value or name not in _LATER}
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("ascii")

    def without_pools(self, *, address: bool = False, framed: bool = False, delegated: bool = False) -> Policy:
        """The policy as it is said beside a fixed IPv4 address, framed or delegated prefix: without that pool."""
        return replace(
            self,
            pool="" if address else self.pool,
            ipv6_pool="" if framed else self.ipv6_pool,
            delegated_ipv6_pool="" if delegated else self.delegated_ipv6_pool,
        )

    @classmethod
    def from_json(cls, text: bytes) -> Policy:
        """The policy that `to_json` wrote; ValueError or TypeError for anything else."""
        return cls(**json.loads(text))


@lru_cache(maxsize=4096)
def _policy_id(policy: Policy) -> str:
    return blake2b(policy.to_json(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Grant:
    """An Access-Accept: a policy, and the fixed address, prefixes and routes of this subscription, where it has any."""

    policy: Policy
    framed_ip_address: IPv4Address | None = None
    framed_ipv6_prefix: IPv6Network | None = None
    delegated_ipv6_prefix: IPv6Network | None = None
    routes: tuple[IPv4Network | IPv6Network, ...] = ()

    @property
    def fingerprint(self) -> str:
        """`policy_id.address`, the address as 8 hexadecimal digits, or `-` without a fixed one.

        With prefixes or routes, `~` and 8 hexadecimal digits that stand for them follow.
        """
        address = self.framed_ip_address
        return f"{self.policy.policy_id}.{'-' if address is None else f'{int(address):08x}'}{self._routed()}"

    def _routed(self) -> str:
        routed = (self.framed_ipv6_prefix, self.delegated_ipv6_prefix, *self.routes)
        if not any(routed):
            return ""
        return "~" + blake2b(" ".join(map(str, routed)).encode(), digest_size=4).hexdigest()


@dataclass(frozen=True, slots=True)
class Denial:
    """An Access-Reject, with the reason that counters and logs show, e.g. "cancelled"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Span:
    """One answer over the half-open time [since, until), aware UTC instants; None is without bound."""

    since: datetime | None
    until: datetime | None
    answer: Grant | Denial


def check_spans(spans: tuple[Span, ...]) -> None:
    """Raise ValueError unless the spans are in order, contiguous, and cover all of time."""
    if not spans or spans[0].since is not None or spans[-1].until is not None:
        raise ValueError("spans begin and end without bound")
    for one, following in pairwise(spans):
        if one.until is None or one.until != following.since:
            raise ValueError(f"spans are contiguous: {one.until} is followed by {following.since}")
    for span in spans:
        if span.since is not None and span.until is not None and not span.since < span.until:
            raise ValueError(f"a span ends after it begins: {span.since} to {span.until}")


def answer_at(spans: tuple[Span, ...], now: datetime) -> Grant | Denial:
    """The answer that holds at `now`; `spans` as `check_spans` accepts them."""
    return next(span.answer for span in spans if span.until is None or now < span.until)
