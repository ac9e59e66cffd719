"""CGNAT rules: which mapping held from when to when. A rule is closed, never changed or deleted, because whoever asks
"who had this address and port then?" needs the rule of that time.

Two rules that hold at one time never meet: neither on an outside address's ports nor on an inside address. A rule may
begin, or be closed, in the past, since it describes what routers did; the audit trail says when that was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Address
from typing import cast

from sqlalchemy import ColumnElement, and_, or_, select

from core.columns import Address
from core.database import Transaction
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ipam.cgnat import LAYOUTS, PORTS, Layout, Mapping, PortBlock
from ipam.folders import lock_plan
from ipam.models import CgnatRule
from ipam.notation import NO_HOSTS, check_limit, parse_address, parse_name
from ipam.space import Block

LARGEST_RANGE = 1 << 22
"""Inside addresses of a rule: all of 100.64.0.0/10."""


def add_rule(
    tx: Transaction,
    *,
    name: str,
    inside_first: str | IPv4Address,
    inside_last: str | IPv4Address,
    outside_first: str | IPv4Address,
    outside_last: str | IPv4Address,
    block_size: int,
    first_port: int = 1_024,
    last_port: int = 65_535,
    layout: Layout = "sequential",
    since: datetime | None = None,
    until: datetime | None = None,
) -> CgnatRule:
    """From `since` (None: now) until before `until` (None: until it is closed), inside shares outside like this.

    InvalidInput, with the arithmetic where the outside is too small; Conflict with a rule that holds at the same time.
    """
    mapping = Mapping(
        _range("inside", inside_first, inside_last),
        _range("outside", outside_first, outside_last),
        _ports(first_port, last_port),
        block_size,
        layout,
    )
    _check(mapping)
    begin = since or tx.now
    if until is not None and until <= begin:
        raise InvalidInput("until", "an instant after the rule's beginning", "2027-01-01T00:00:00-03:00")
    rule = CgnatRule(
        name=parse_name(name),
        inside_first=IPv4Address(mapping.inside.first),
        inside_last=IPv4Address(mapping.inside.last),
        outside_first=IPv4Address(mapping.outside.first),
        outside_last=IPv4Address(mapping.outside.last),
        first_port=first_port,
        last_port=last_port,
        block_size=block_size,
        layout=layout,
        since=begin,
        until=until,
        created_at=tx.now,
    )
    lock_plan(tx)
    _refuse_meeting(tx, rule)
    tx.session.add(rule)
    tx.session.flush()
    tx.audit("add", "cgnat_rule", rule.id, after=described(rule))
    return rule


def close_rule(tx: Transaction, *, rule_id: int, until: datetime | None = None) -> CgnatRule:
    """The rule holds until before `until`, which may lie in the past or in the future; None: now, and a rule that has
    not begun never will.

    NotFound; NotAllowed when it is over already; InvalidInput when it would end before it began, or later than it does.
    """
    rule = get_rule(tx, rule_id, lock=True)
    end = until or max(tx.now, rule.since)
    if rule.until is not None and rule.until <= tx.now:
        raise NotAllowed(f"rule {rule_id} has been over since {rule.until.isoformat()}", until=rule.until.isoformat())
    if end < rule.since or (rule.until is not None and end > rule.until):
        raise InvalidInput("until", f"between {rule.since} and {rule.until or 'any later instant'}", str(tx.now))
    before, rule.until = rule.until, end
    tx.session.flush()
    tx.audit("close", "cgnat_rule", rule.id, {"until": before}, {"until": end})
    return rule


def get_rule(tx: Transaction, rule_id: int, *, lock: bool = False) -> CgnatRule:
    """The rule of this number; NotFound."""
    rule = tx.session.get(CgnatRule, rule_id, with_for_update=lock or None)
    if rule is None:
        raise NotFound("CGNAT rule", rule_id)
    return rule


def list_rules(
    tx: Transaction, *, at: datetime | None = None, before: int | None = None, limit: int = 100
) -> Sequence[CgnatRule]:
    """Newest first, from before the rule with id `before`; `at`: only those that hold at that instant."""
    wanted = select(CgnatRule).order_by(CgnatRule.id.desc()).limit(check_limit(limit))
    if at is not None:
        wanted = wanted.where(*_holding(at, at))
    if before is not None:
        wanted = wanted.where(CgnatRule.id < before)
    return tx.session.scalars(wanted).all()


def rules_outside(tx: Transaction, address: Address, since: datetime, until: datetime) -> Sequence[CgnatRule]:
    """The rules that shared this outside address at any time from `since` to `until` (both may be one instant)."""
    return _around(tx, CgnatRule.outside_first <= address, CgnatRule.outside_last >= address, since, until, address)


def rules_inside(tx: Transaction, address: Address, since: datetime, until: datetime) -> Sequence[CgnatRule]:
    """The rules that gave this inside address its ports at any time from `since` to `until`."""
    return _around(tx, CgnatRule.inside_first <= address, CgnatRule.inside_last >= address, since, until, address)


def list_rules_between(tx: Transaction, since: datetime, until: datetime) -> Sequence[CgnatRule]:
    """Every rule that held at any time from `since` to `until`, by its beginning."""
    wanted = select(CgnatRule).where(*_holding(since, until))
    return tx.session.scalars(wanted.order_by(CgnatRule.since, CgnatRule.id)).all()


def mapping_of(rule: CgnatRule) -> Mapping:
    """The rule's arithmetic."""
    return Mapping(
        Block(int(rule.inside_first), int(rule.inside_last)),
        Block(int(rule.outside_first), int(rule.outside_last)),
        Block(rule.first_port, rule.last_port),
        rule.block_size,
        cast("Layout", rule.layout),
    )


def block_of(rule: CgnatRule, inside: Address) -> PortBlock | None:
    """What the inside address has outside by this rule."""
    return mapping_of(rule).block_of(inside) if isinstance(inside, IPv4Address) else None


def described(rule: CgnatRule) -> dict[str, object]:
    """The rule for the audit trail."""
    return {
        "name": rule.name,
        "inside": f"{rule.inside_first}–{rule.inside_last}",
        "outside": f"{rule.outside_first}–{rule.outside_last}",
        "ports": f"{rule.first_port}–{rule.last_port}",
        "block_size": rule.block_size,
        "layout": rule.layout,
        "since": rule.since,
        "until": rule.until,
    }


def _around(
    tx: Transaction,
    low: ColumnElement[bool],
    high: ColumnElement[bool],
    since: datetime,
    until: datetime,
    address: Address,
) -> Sequence[CgnatRule]:
    if not isinstance(address, IPv4Address):
        return ()
    wanted = select(CgnatRule).where(low, high, *_holding(since, until))
    return tx.session.scalars(wanted.order_by(CgnatRule.since, CgnatRule.id)).all()


def _holding(since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    return CgnatRule.since <= until, or_(CgnatRule.until.is_(None), CgnatRule.until > since)


def _range(field: str, first: str | IPv4Address, last: str | IPv4Address) -> Block:
    low, high = parse_address(first, f"{field}_first"), parse_address(last, f"{field}_last")
    if high < low:
        raise InvalidInput(f"{field}_last", f"not below the range's first address, {low}", str(low))
    for barred in NO_HOSTS:
        if low <= barred[-1] and high >= barred[0]:
            raise InvalidInput(
                f"{field}_first", f"addresses that hosts can use, which none of {barred} is", "100.64.0.0"
            )
    return Block(int(low), int(high))


def _ports(first: int, last: int) -> Block:
    if first not in PORTS:
        raise InvalidInput("first_port", "1 to 65535", 1_024)
    if last not in PORTS or last < first:
        raise InvalidInput("last_port", f"{first} to 65535", 65_535)
    return Block(first, last)


def _check(mapping: Mapping) -> None:
    if mapping.layout not in LAYOUTS:
        raise InvalidInput("layout", f"one of {', '.join(LAYOUTS)}", LAYOUTS[0])
    if mapping.inside.size > LARGEST_RANGE:
        raise InvalidInput("inside_last", f"at most {LARGEST_RANGE} addresses in one rule", "100.127.255.255")
    if mapping.inside.overlaps(mapping.outside):
        raise InvalidInput("outside_first", "none of the inside addresses", "203.0.113.0")
    if mapping.block_size < 1:
        raise InvalidInput("block_size", "at least 1 port", 1_008)
    if mapping.problem:
        field = "block_size" if not mapping.blocks else "outside_last"
        raise InvalidInput(field, mapping.problem, 1_008 if not mapping.blocks else "203.0.113.255")


def _refuse_meeting(tx: Transaction, rule: CgnatRule) -> None:
    """Under the plan's lock: nobody else adds a rule meanwhile."""
    never_held = CgnatRule.until == CgnatRule.since
    at_its_time = [or_(CgnatRule.until.is_(None), and_(CgnatRule.until > rule.since, ~never_held))]
    if rule.until is not None:
        at_its_time.append(CgnatRule.since < rule.until)
    outside = (CgnatRule.outside_first <= rule.outside_last, CgnatRule.outside_last >= rule.outside_first)
    ports = (CgnatRule.first_port <= rule.last_port, CgnatRule.last_port >= rule.first_port)
    inside = (CgnatRule.inside_first <= rule.inside_last, CgnatRule.inside_last >= rule.inside_first)
    for what, meeting in (("outside addresses and ports", (*outside, *ports)), ("inside addresses", inside)):
        other = tx.session.scalar(select(CgnatRule).where(*meeting, *at_its_time).order_by(CgnatRule.id).limit(1))
        if other is not None:
            span = f"from {other.since.isoformat()} " + (f"until {other.until.isoformat()}" if other.until else "on")
            detail = f"rule {other.id} ({other.name}) has some of these {what} {span}; close it first"
            raise Conflict(detail, rule_id=other.id, rule_name=other.name)
