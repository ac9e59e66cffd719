"""Rows of a router: as the facts demand them, as the router shows them, and the steps between the two.

A row of ours is known by its mark, the first word of its comment: `catraca:` and a key that says what it is for, such
as `s42:secret` or `garden:filter:03`. Whatever follows the first space belongs to the people at the router. A row
without our mark is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SENSITIVE = frozenset({"password"})
"""Fields that are never shown, logged or hashed into a fingerprint."""


class Menu(StrEnum):
    """The menus that the product reads; the value is the API's path."""

    PPP_PROFILE = "/ppp/profile"
    PPP_SECRET = "/ppp/secret"  # noqa: S105
    PPP_ACTIVE = "/ppp/active"
    SIMPLE_QUEUE = "/queue/simple"
    QUEUE_TREE = "/queue/tree"
    MANGLE = "/ip/firewall/mangle"
    ADDRESS_LIST = "/ip/firewall/address-list"
    FILTER = "/ip/firewall/filter"
    NAT = "/ip/firewall/nat"
    DHCP_LEASE = "/ip/dhcp-server/lease"
    IP_BINDING = "/ip/hotspot/ip-binding"
    IPV6_BINDING = "/ipv6/dhcp-server/binding"
    ROUTE = "/ip/route"


class Access(StrEnum):
    """How a router serves a subscription; `RADIUS`: RADIUS gives it everything, the router is only read."""

    RADIUS = "radius"
    PPP = "ppp"
    DHCP = "dhcp"
    STATIC = "static"
    HOTSPOT = "hotspot"


class SpeedBy(StrEnum):
    """Who owns the speed on a router: one owner for each subscriber.

    PROFILE: the PPP profile's rate-limit (PPP alone; others get a simple queue); NONE: nobody.
    """

    PROFILE = "profile"
    SIMPLE_QUEUE = "queue-simple"
    QUEUE_TREE = "queue-tree"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DesiredRow:
    """A row that has to be there. `fields` in the router's own notation, without `comment` and `.id`.

    `key` is unique on the router. `subscription_id` None: the router's own (profiles, the walled garden).
    """

    menu: Menu
    key: str
    fields: Mapping[str, str] = field(repr=False)
    subscription_id: int | None = None


@dataclass(frozen=True, slots=True)
class ObservedRow:
    """A row as the router gave it: `id` its `.id`, `fields` the rest as text, `position` its place in the menu.

    `key` None: it bears no mark of ours.
    """

    menu: Menu
    id: str
    fields: Mapping[str, str] = field(repr=False)
    key: str | None = None
    position: int = 0

    @property
    def dynamic(self) -> bool:
        """Made by the router itself for as long as something lasts; never ours to change."""
        return self.fields.get("dynamic") in ("true", "yes")

    @property
    def name(self) -> str:
        """How people at the router call it."""
        return next(
            (self.fields[name] for name in ("name", "address", "dst-address", "chain") if self.fields.get(name)),
            self.id,
        )


@dataclass(frozen=True, slots=True)
class DesiredSession:
    """What a live PPP session of this login has to show: its queue's max-limit and its address lists.

    `max_limit` as RouterOS shows it, "upload/download" in bits per second from the router's side (rx/tx); None: the
    session's queue is not ours to judge. `allowed` False: no session of this login may live. `other_lists`: lists of
    ours; its address may be in none of them as far as they are not in `address_lists`.
    """

    subscription_id: int
    login: str
    allowed: bool = True
    max_limit: str | None = None
    address_lists: frozenset[str] = frozenset()
    other_lists: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a subscription cannot be held on this router as it is; the words say how to mend it."""

    subscription_id: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Desired:
    """All that a router should have. `absent`: subscriptions whose rows must go because the facts say so.

    `served`: all subscriptions that these facts were of, also those that need no row; what else is there of theirs
    goes.
    """

    rows: tuple[DesiredRow, ...] = ()
    sessions: tuple[DesiredSession, ...] = ()
    absent: frozenset[int] = frozenset()
    problems: tuple[Problem, ...] = ()
    served: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Observed:
    """What was read. `menus`: those that were; a menu that was not read is not planned.

    `scope` None: whole menus were read; else only the rows of these subscriptions (and the router's own rows).
    """

    rows: tuple[ObservedRow, ...] = ()
    menus: frozenset[Menu] = frozenset()
    scope: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Add:
    """Put a row there; `before` is the key of the row of ours, or the `.id`, that it has to stand before."""

    row: DesiredRow
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Set `fields` of a row of ours; `was` has the same names with what they are now ("" where unset)."""

    row: DesiredRow
    id: str
    fields: Mapping[str, str] = field(repr=False)
    was: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a row of ours away. `orphan`: nobody asked for that, it is of nothing that the product knows here."""

    row: ObservedRow
    subscription_id: int | None = None
    orphan: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """Bring a row of ours in front of the row with the `.id` `before` (None: to the end)."""

    row: DesiredRow
    id: str
    before: str | None


@dataclass(frozen=True, slots=True)
class EndSession:
    """End a live PPP session (`/ppp/active/remove`), so that its next one gets what the facts demand."""

    id: str
    login: str
    subscription_id: int | None
    reason: str


Step = Add | Change | Remove | Move | EndSession


@dataclass(frozen=True, slots=True)
class Plan:
    """What brings a router from observed to desired, in the order in which it must be done.

    `stages`: steps of one stage may be done at once; the next begins when it is over. `held`: removals beyond the
    guard, left out of the stages. `problems`: what cannot be done, and why.
    """

    stages: tuple[tuple[Step, ...], ...] = ()
    held: tuple[Remove, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for stage in self.stages for step in stage)

    def __bool__(self) -> bool:
        return any(self.stages)
