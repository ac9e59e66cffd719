"""What an export holds: the records of connections of an address (and port) or of a subscription in a span of time.

A record of connection is, by law, the date and hour of its beginning and end, its duration and the address (Lei
12.965/2014, art. 5, VI). Beside them stand whose it was, from where, and, under CGNAT, which public address and ports
it had. A connection that a CGNAT rule's beginning or end falls into makes one record for each rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address

from sqlalchemy import select

from core.columns import Address
from core.database import Transaction
from core.errors import InvalidInput, NotFound
from ipam.cgnat import PortBlock
from ipam.cgnat_rules import block_of, list_rules_between, mapping_of, rules_outside
from ipam.models import AddressTenure, CgnatRule
from provisioning.address_trace import Person, check_port, check_reason, people_of, refuse_shared
from provisioning.models import Subscription
from radius.history import AddressUse, uses_of_address, uses_of_subscription

ACCOUNTING, FIXED = "accounting", "fixed address"


@dataclass(frozen=True, slots=True)
class Question:
    """What an order asks for: an address (with a port, where CGNAT shares it) or a subscription, and the span."""

    since: datetime
    until: datetime
    reason: str
    address: Address | None = None
    port: int | None = None
    subscription_id: int | None = None


@dataclass(frozen=True, slots=True)
class PublicSide:
    """What the connection looked like from the Internet, from when to when (within the connection; None: still)."""

    block: PortBlock
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Record:
    """One record of connection, or of a fixed address being somebody's. `until` None: it goes on."""

    source: str
    network: str
    since: datetime
    until: datetime | None
    subscription_id: int | None
    person: Person | None
    public: PublicSide | None = None
    use: AddressUse | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """In this part of the span the question is about `address`; `rule` is the CGNAT rule that says so."""

    address: Address
    since: datetime
    until: datetime
    rule: CgnatRule | None = None


def checked(tx: Transaction, question: Question) -> Question:
    """The question, if it can be answered.

    InvalidInput: both or neither of address and subscription, a span that is none, no reason, a port that is missing;
    NotFound: no such subscription.
    """
    check_reason(question.reason)
    if (question.address is None) == (question.subscription_id is None):
        raise InvalidInput("address", "either an address or a subscription, not both", "203.0.113.7")
    if not question.since < question.until:
        raise InvalidInput("until", "an instant after `since`", "2026-04-01T00:00:00-03:00")
    if question.port is not None:
        check_port(question.port)
        if question.address is None:
            raise InvalidInput("port", "an address with it", "203.0.113.7")
    if question.subscription_id is not None and tx.session.get(Subscription, question.subscription_id) is None:
        raise NotFound("subscription", question.subscription_id)
    if question.address is not None and question.port is None:
        refuse_shared(rules_outside(tx, question.address, question.since, question.until), question.address)
    return question


def records(tx: Transaction, question: Question) -> Iterator[Record]:
    """The answer to a checked question, streamed: connections by their end, those that go on, then fixed addresses."""
    known: dict[int, Person | None] = {}

    def person(subscription_id: int | None) -> Person | None:
        if subscription_id is None:
            return None
        if subscription_id not in known:
            known[subscription_id] = people_of(tx, [subscription_id]).get(subscription_id)
        return known[subscription_id]

    for use, publics in _uses(tx, question):
        for public in publics or (None,):
            found = person(use.subscription_id)
            yield Record(ACCOUNTING, use.network, use.since, use.until, use.subscription_id, found, public, use)
    for tenure in _tenures(tx, question):
        holder = tenure.subscription_id
        yield Record(FIXED, str(tenure.address), tenure.since, tenure.until, holder, person(holder))


def stretches(question: Question, rules: Sequence[CgnatRule]) -> list[Stretch]:
    """Which address the question is about when: where a rule (by their beginning) shares the port, the inside one.

    Stretches in which nobody had the port are left out.
    """
    address, port = question.address, question.port
    if address is None:
        return []
    found: list[Stretch] = []
    begin = question.since
    for rule in rules:
        if not isinstance(address, IPv4Address) or port is None or not rule.first_port <= port <= rule.last_port:
            continue
        since = max(rule.since, question.since)
        until = question.until if rule.until is None else min(rule.until, question.until)
        if since >= until:
            continue
        if begin < since:
            found.append(Stretch(address, begin, since))
        if (inside := mapping_of(rule).inside_of(address, port)) is not None:
            found.append(Stretch(inside, since, until, rule))
        begin = until
    return [*found, Stretch(address, begin, question.until)] if begin < question.until else found


def public_sides(use: AddressUse, rules: Iterable[CgnatRule]) -> list[PublicSide]:
    """What the use looked like from outside, by each of the rules that held meanwhile."""
    found = []
    for rule in rules:
        since = max(rule.since, use.since)
        until = min((end for end in (rule.until, use.until) if end is not None), default=None)
        block = block_of(rule, use.address)
        if block is not None and (until is None or since < until):
            found.append(PublicSide(block, since, until))
    return found


def _uses(tx: Transaction, question: Question) -> Iterator[tuple[AddressUse, list[PublicSide]]]:
    if question.subscription_id is not None:
        rules = list_rules_between(tx, question.since, question.until)
        for use in uses_of_subscription(tx, question.subscription_id, question.since, question.until):
            yield use, public_sides(use, rules)
    elif question.address is not None:
        around = rules_outside(tx, question.address, question.since, question.until)
        for part in stretches(question, around):
            for use in uses_of_address(tx, part.address, part.since, part.until):
                yield use, public_sides(use, [part.rule] if part.rule else [])


def _tenures(tx: Transaction, question: Question) -> Iterable[AddressTenure]:
    wanted = select(AddressTenure).order_by(AddressTenure.since, AddressTenure.id)
    if question.subscription_id is not None:
        mine = wanted.where(AddressTenure.subscription_id == question.subscription_id)
        found = [(mine, question.since, question.until)]
    else:
        rules = rules_outside(tx, question.address, question.since, question.until) if question.address else ()
        parts = stretches(question, rules)
        found = [(wanted.where(AddressTenure.address == part.address), part.since, part.until) for part in parts]
    for statement, since, until in found:
        for tenure in tx.session.scalars(statement.where(AddressTenure.since < until)):
            if tenure.until is None or tenure.until > since:
                yield tenure
