"""Which services a router can be asked for: descriptions and refusals, no database. Pure.

Facts that may come later, such as a fixed address, are no reason to refuse: until then the convergence record says what
is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from core.errors import InvalidInput
from provisioning.routeros.rows import Access, SpeedBy

MOST_IDS = 20_000
LONGEST_DUID = 128
"""Octets (RFC 8415 §11.1: 130 with the type)."""
_NEEDS = {
    Access.PPP: "ppp",
    Access.DHCP: "leases",
    Access.HOTSPOT: "ip-bindings",
}
"""What of the router has to be ours to give this access at all."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a subscription is to be served. `dhcp_server` "": the router's own; `duid` "" or 0x and lower hex."""

    access: Access
    dhcp_server: str = ""
    duid: str = ""

    @classmethod
    def of(cls, access: str, dhcp_server: str = "", duid: str = "") -> Self:
        """From what somebody wrote. InvalidInput names the field."""
        if access not in set(Access):
            raise InvalidInput("access", f"one of {', '.join(Access)}", Access.PPP.value)
        made = cls(Access(access), _server(dhcp_server), _duid(duid))
        if made.dhcp_server and made.access is not Access.DHCP:
            raise InvalidInput("dhcp_server", f"only with access dhcp, not {access}", "")
        if made.duid and made.access is Access.RADIUS:
            raise InvalidInput("duid", "not with access radius: RADIUS gives the prefix then", "")
        return made

    @property
    def stored(self) -> dict[str, str]:
        return {**asdict(self), "access": self.access.value}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subscription that might be served; `here`: by this router already, `elsewhere`: by another."""

    subscription_id: int
    login: str | None
    mac: str | None
    cancelled: bool = False
    here: bool = False
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """All conditions together; cancelled subscriptions only where `subscription_ids` names them."""

    subscription_ids: tuple[int, ...] = ()
    plan_id: int | None = None
    city: str = ""
    unplaced: bool = False

    @classmethod
    def of(cls, subscription_ids: Sequence[int] | None, plan_id: int | None, city: str | None, unplaced: bool) -> Self:
        """InvalidInput for a selection of everything, and for an empty list, which is no way to say "all"."""
        if subscription_ids is not None and not 1 <= len(subscription_ids) <= MOST_IDS:
            raise InvalidInput("subscription_ids", f"1 to {MOST_IDS} ids, or leave it out", [12, 13])
        made = cls(tuple(sorted(set(subscription_ids or ()))), plan_id, (city or "").strip(), unplaced)
        if made == cls():
            raise InvalidInput(
                "unplaced", "at least one condition: ids, a plan, a city, or all that no router serves", True
            )
        return made


def refusal(candidate: Candidate, access: Access) -> str:
    """Why it can never be served so; "" for no reason."""
    if candidate.cancelled:
        return "cancelled"
    if access is Access.PPP and candidate.login is None:
        return "without a login, which ppp needs"
    return ""


def service_advice(
    wanted: Wanted, candidate: Candidate, router: Mapping[str, Any], *, fixed: bool, nas_answers: bool
) -> list[str]:
    """What is missing until the service can be held, and who owns the speed. `fixed`: it has a fixed address."""
    access, manages, found = wanted.access, router["manages"], []
    if access is Access.RADIUS:
        return [] if nas_answers else [f"router {router['name']} is no NAS that RADIUS answers"]
    if (needed := _NEEDS.get(access)) and needed not in manages:
        found.append(f"router {router['name']} does not manage {needed}: nothing gives this access")
    if access is Access.DHCP and candidate.mac is None:
        found.append("a lease needs a MAC address: the subscription has none yet")
    if not fixed and access in (Access.DHCP, Access.STATIC):
        found.append("it needs a fixed address: the subscription has none yet")
    if not fixed and access is Access.HOTSPOT and candidate.mac is None:
        found.append("a binding needs a MAC address or a fixed address: the subscription has neither yet")
    if not fixed and access is Access.PPP and router["speed_by"] in (SpeedBy.SIMPLE_QUEUE, SpeedBy.QUEUE_TREE):
        found.append("its queue needs a fixed address: the subscription has none yet")
    if nas_answers and router["speed_by"] != SpeedBy.NONE:
        found.append("this router asks RADIUS too: while RADIUS has a session of it, no queue is put beside that one's")
    return found


def _server(text: str) -> str:
    name = text.strip()
    if len(name) > 64 or not name.isprintable():
        raise InvalidInput("dhcp_server", "a DHCP server's name, or empty: the router's own", "dhcp-clientes")
    return name


def _duid(text: str) -> str:
    digits = text.strip().lower().removeprefix("0x").replace(":", "").replace("-", "")
    if not digits:
        return ""
    if set(digits) - set("0123456789abcdef") or len(digits) % 2 or len(digits) > 2 * LONGEST_DUID:
        raise InvalidInput(
            "duid", f"a DHCPv6 DUID: 1 to {LONGEST_DUID} octets in hexadecimal", "0x00030001d4ca6d010203"
        )
    return f"0x{digits}"
