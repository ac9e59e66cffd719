"""The facts that a subscription's service follows from, and the rules of the company.

Everything here is immutable and knows no database. Intervals are half-open: a fact holds from `since` on and no
longer at `until`. `None` as `until` means "until something else is written".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network


class ServiceState(StrEnum):
    """What a subscription is, by the words of `domain.md`."""

    PENDING_INSTALL = "PENDING_INSTALL"
    PENDING_MIGRATION = "PENDING_MIGRATION"
    ACTIVE = "ACTIVE"
    REDUCED = "REDUCED"
    SUSPENDED = "SUSPENDED"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"


class Level(StrEnum):
    """How much an order restricts: TOTAL suspends, PARTIAL reduces the speed."""

    TOTAL = "total"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Speed:
    """Bits per second, from the subscriber's side."""

    download_bps: int
    upload_bps: int


@dataclass(frozen=True, slots=True)
class TrustUnblock:
    """A promise to pay: service as if nothing were owed, until an instant that is always set."""

    since: datetime
    until: datetime
    note: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class SpeedOverride:
    """A custom speed on top of the plan."""

    since: datetime
    until: datetime | None
    speed: Speed
    id: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """Service stopped at the subscriber's own request; `ended_by`: who ended it before its time, "" for nobody."""

    since: datetime
    until: datetime | None
    note: str = ""
    id: int = 0
    return_note: str = ""
    ended_by: str = ""


@dataclass(frozen=True, slots=True)
class RestrictionOrder:
    """A guarded run's or a person's decision to restrict; it lapses when the debt that justified it is gone."""

    level: Level
    since: datetime
    lapsed_at: datetime | None
    invoice_ids: tuple[int, ...]
    rule: str = ""
    run: str = ""
    id: int = 0

    @property
    def until(self) -> datetime | None:
        return self.lapsed_at


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one subscription's service."""

    plan_speed: Speed
    reduced_speed: Speed | None = None
    pool: str = ""
    group: str = ""
    address_list: str = ""
    ipv6_pool: str = ""
    delegated_ipv6_pool: str = ""
    framed_ip_address: IPv4Address | None = None
    framed_ipv6_prefix: IPv6Network | None = None
    delegated_ipv6_prefix: IPv6Network | None = None
    routes: tuple[IPv4Network | IPv6Network, ...] = ()
    installed_at: datetime | None = None
    cancelled_at: datetime | None = None
    awaits_migration: bool = False
    migrates_from_id: int | None = None
    pauses: tuple[Pause, ...] = ()
    trusts: tuple[TrustUnblock, ...] = ()
    orders: tuple[RestrictionOrder, ...] = ()
    overrides: tuple[SpeedOverride, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceRules:
    """What the company gives in the restricted states."""

    reduced: Speed = field(default=Speed(1_000_000, 1_000_000))
    suspended: Speed = field(default=Speed(256_000, 256_000))
    suspended_address_list: str = "catraca-suspended"
    paused_address_list: str = "catraca-paused"
    interim_seconds: int = 300


Cause = Pause | TrustUnblock | RestrictionOrder | None
