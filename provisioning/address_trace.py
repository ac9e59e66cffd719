"""Who had an address, and a port of it, at an instant: from the accounting, beside the addresses that we have fixed.

A public address that a CGNAT rule shared at that instant leads, with the port, to one inside address, and that one is
looked up. Accounting says who used an address, fixed addresses and routed prefixes say whose it was meant to be; both
are told, and whether they agree. Every look-up needs a reason and leaves an audit entry: who asked what, why, and whom
it showed (Decreto 8.771/2016, art. 13, III).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, ip_network

from sqlalchemy import select

from core.among import among
from core.columns import Address
from core.database import Transaction
from core.errors import InvalidInput
from ipam.cgnat import PORTS, PortBlock
from ipam.cgnat_rules import mapping_of, rules_outside
from ipam.history import holder_at
from ipam.models import CgnatRule, RoutedPrefix
from provisioning.documents import Document
from provisioning.models import Subscription
from radius.history import AddressUse, who_had

LONGEST_REASON = 500
FIXED_ADDRESS = "fixed address"


class Verdict(StrEnum):
    """What accounting and the fixed addresses say together."""

    AGREE = "agree"
    DIFFER = "differ"
    SEVERAL = "several"
    ONLY_ACCOUNTING = "only accounting"
    ONLY_FIXED = "only fixed"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Person:
    """Whose a subscription is; `document` as people write it."""

    subscription_id: int
    login: str
    subscriber_id: int
    name: str
    document: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A use of the address, and who that was; None: the session was nobody's that we know."""

    use: AddressUse
    person: Person | None


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose the address was meant to be: a fixed address, or a framed, delegated or routed prefix around it.

    `person` None: the subscription is not there any more.
    """

    kind: str
    network: str
    since: datetime
    until: datetime | None
    subscription_id: int
    person: Person | None


@dataclass(frozen=True, slots=True)
class Shared:
    """How a CGNAT rule shared the public address; `inside` None: nobody had the port by that rule."""

    rule_id: int
    rule_name: str
    inside: IPv4Address | None
    block: PortBlock | None


@dataclass(frozen=True, slots=True)
class Trace:
    """The answer. `looked_up` is the address that accounting was asked for; None where the port was nobody's."""

    address: Address
    port: int | None
    at: datetime
    shared: Shared | None
    looked_up: Address | None
    holders: tuple[Holder, ...]
    claims: tuple[Claim, ...]

    @property
    def verdict(self) -> Verdict:
        used = {holder.use.subscription_id for holder in self.holders}
        meant = {claim.subscription_id for claim in self.claims}
        if not used:
            return Verdict.ONLY_FIXED if meant else Verdict.NOBODY
        if len(used) > 1:
            return Verdict.SEVERAL
        if not meant:
            return Verdict.ONLY_ACCOUNTING
        return Verdict.AGREE if used == meant else Verdict.DIFFER


def trace(tx: Transaction, *, address: Address, at: datetime, reason: str, port: int | None = None) -> Trace:
    """Look up who had the address (and port) at that instant; writes an audit entry.

    InvalidInput: no reason, an instant that has not come, or no port where several shared the address.
    """
    why = check_reason(reason)
    if at > tx.now:
        raise InvalidInput("at", "an instant that has come", tx.now.isoformat())
    shared = _shared(tx, address, port, at)
    looked_up = address if shared is None else shared.inside
    uses = who_had(tx, looked_up, at) if looked_up is not None else []
    meant = _claims(tx, looked_up, at) if looked_up is not None else []
    people = people_of(tx, [*(use.subscription_id for use in uses), *(claim.subscription_id for claim in meant)])
    found = Trace(
        address,
        port,
        at,
        shared,
        looked_up,
        tuple(Holder(use, people.get(use.subscription_id or 0)) for use in uses),
        tuple(replace(claim, person=people.get(claim.subscription_id)) for claim in meant),
    )
    _audit(tx, found, why)
    return found


def check_reason(reason: str) -> str:
    """Why somebody looks: an order's reference or the like. InvalidInput when there is none."""
    why = " ".join(reason.split())
    if not 3 <= len(why) <= LONGEST_REASON:
        raise InvalidInput("reason", f"3 to {LONGEST_REASON} characters: the order, or why you look", "Ofício 123/2026")
    return why


def check_port(port: int) -> None:
    if port not in PORTS:
        raise InvalidInput("port", "1 to 65535", 40_001)


def refuse_shared(rules: Sequence[CgnatRule], address: Address, field: str = "port") -> None:
    """InvalidInput when the address was shared by CGNAT: then the address alone names nobody."""
    if rules:
        mapping = mapping_of(rules[0])
        most = min(mapping.blocks, mapping.inside.size)
        detail = f"{address} is shared by CGNAT rule {rules[0].id} ({rules[0].name}), by up to {most} subscribers: "
        raise InvalidInput(field, detail + "the source port is needed to tell them apart", 40_001)


def people_of(tx: Transaction, subscription_ids: Iterable[int | None]) -> dict[int, Person]:
    """Subscription → whose it is; those that are not there are left out."""
    wanted = {number for number in subscription_ids if number is not None}
    if not wanted:
        return {}
    rows = tx.session.scalars(select(Subscription).where(among(tx.session, Subscription.id, sorted(wanted)))).unique()
    return {row.id: _person(row) for row in rows}


def _person(row: Subscription) -> Person:
    subscriber = row.subscriber
    document = Document(subscriber.kind, subscriber.document).formatted
    return Person(row.id, row.login or row.mac or "", subscriber.id, subscriber.name, document)


def _shared(tx: Transaction, address: Address, port: int | None, at: datetime) -> Shared | None:
    if port is not None:
        check_port(port)
    rules = rules_outside(tx, address, at, at)
    if port is None:
        refuse_shared(rules, address)
        return None
    for rule in rules:
        if rule.first_port <= port <= rule.last_port and isinstance(address, IPv4Address):
            inside = mapping_of(rule).inside_of(address, port)
            block = mapping_of(rule).block_of(inside) if inside else None
            return Shared(rule.id, rule.name, inside, block)
    return None


def _claims(tx: Transaction, address: Address, at: datetime) -> list[Claim]:
    claims = []
    if isinstance(address, IPv4Address) and (tenure := holder_at(tx, address, at)) is not None:
        claims.append(Claim(FIXED_ADDRESS, str(address), tenure.since, tenure.until, tenure.subscription_id, None))
    return claims + [
        Claim(row.purpose, f"{row.first}/{row.prefix_length}", row.created_at, None, row.subscription_id, None)
        for row in _routed_around(tx, address)
        if row.created_at <= at
    ]


def _routed_around(tx: Transaction, address: Address) -> Iterable[RoutedPrefix]:
    """Prefixes routed to somebody now; unlike fixed addresses, they leave no history."""
    bits = range(address.max_prefixlen, 7, -1)
    firsts = {ip_network((address, length), strict=False).network_address for length in bits}
    wanted = select(RoutedPrefix).where(RoutedPrefix.family == address.version, RoutedPrefix.first.in_(firsts))
    rows = tx.session.scalars(wanted.order_by(RoutedPrefix.prefix_length.desc()))
    return [row for row in rows if int(row.first) <= int(address) <= int(row.last)]


def _audit(tx: Transaction, found: Trace, reason: str) -> None:
    place = str(found.address) if found.port is None else f"{found.address} port {found.port}"
    people = [*(holder.person for holder in found.holders), *(claim.person for claim in found.claims)]
    shown = sorted({person.subscription_id for person in people if person is not None})
    after = {"at": found.at, "verdict": found.verdict, "subscriptions_shown": shown}
    tx.audit("trace", "address", place, after=after, note=reason)
