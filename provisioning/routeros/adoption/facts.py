"""What adoption compares: what the product knows, what stands together on the router, and what came of it. Pure.

A candidate is one subscriber as the router knows it: a secret, lease or ip-binding with the queue and the list entries
of the same name or address. Rates are (upload, download) in bits per second, as RouterOS orders them; MAC addresses are
lower case with colons; addresses are single IPv4 addresses as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network

from core.secrets import Secret
from provisioning.routeros.rows import Access, Menu, ObservedRow

Rate = tuple[int, int]


class Verdict(StrEnum):
    """How a candidate compares with what the product knows.

    MATCHED: one subscription, and nothing differs; DIFFERS: one, and something does; NEW: nobody has it;
    CONFLICT: two may be meant, or it has what is somebody else's; IGNORED: no subscriber's, as it stands.
    """

    MATCHED = "matched"
    DIFFERS = "differs"
    NEW = "new"
    CONFLICT = "conflict"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that a person should know: a code of `adoption_words.WORDS` and its values. Never a secret."""

    code: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def stored(self) -> dict[str, str]:
        return {"code": self.code, **self.values}


@dataclass(frozen=True, slots=True)
class KnownSubscription:
    """A subscription that is not cancelled. `restricted`: the facts have it suspended or paused."""

    id: int
    subscriber_id: int
    subscriber_name: str
    plan_id: int
    rate: Rate
    state: str
    login: str = ""
    password: Secret | None = None
    mac: str = ""
    bound_mac: str = ""
    address: str = ""
    pool: str = ""
    restricted: bool = False
    other_routers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownPlan:
    id: int
    name: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class KnownSubscriber:
    id: int
    name: str
    document: str


@dataclass(frozen=True, slots=True)
class Known:
    """All that a router's rows are compared with. `restricting`: names of lists whose addresses are suspended.

    `local_address`: what our own PPP profiles will have as the router's end, "" for none.
    """

    subscriptions: tuple[KnownSubscription, ...] = ()
    plans: tuple[KnownPlan, ...] = ()
    subscribers: tuple[KnownSubscriber, ...] = ()
    subnets: tuple[IPv4Network, ...] = ()
    restricting: frozenset[str] = frozenset()
    local_address: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one subscriber, the one that names the access first.

    `pool`: what a secret's remote-address names instead of an address. `rate` None: no row says a speed.
    """

    access: Access
    rows: tuple[ObservedRow, ...]
    login: str = ""
    mac: str = ""
    address: str = ""
    pool: str = ""
    profile: str = ""
    dhcp_server: str = ""
    rate: Rate | None = None

    @property
    def main(self) -> ObservedRow:
        return self.rows[0]

    @property
    def password(self) -> str:
        """What the secret shows, "" where it shows none; not to be shown further."""
        return self.main.fields.get("password", "") if self.main.menu is Menu.PPP_SECRET else ""

    @property
    def comments(self) -> tuple[str, ...]:
        return tuple(row.fields["comment"] for row in self.rows if row.fields.get("comment"))

    @property
    def name(self) -> str:
        """How people at the router would call it."""
        return self.login or self.main.fields.get("name", "") or self.mac or self.address


@dataclass(frozen=True, slots=True)
class Left:
    """A row that belongs to no candidate, and why."""

    row: ObservedRow
    why: Remark


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group with what is known of it.

    `differs`: field → (on the router, by the facts), a password as "•••". `guess_name`: how a new subscriber may be
    called. `suspended`: the router has it suspended.
    """

    group: Group
    verdict: Verdict
    subscription_id: int | None = None
    differs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
    plan_id: int | None = None
    subscriber_id: int | None = None
    guess_document: str = ""
    guess_name: str = ""
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What a router has, compared with what is known."""

    candidates: tuple[Candidate, ...] = ()
    left: tuple[Left, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many candidates have each verdict; rows that belong to none count as ignored."""
        found = {verdict.value: 0 for verdict in Verdict}
        for candidate in self.candidates:
            found[candidate.verdict.value] += 1
        return found
