"""CGNAT rules: which ones can stand beside each other, and which one held at an instant."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from core.audit import AuditEntry
from core.database import Database
from core.errors import CatracaError, Conflict, InvalidInput, NotAllowed, NotFound
from ipam.cgnat_rules import add_rule, close_rule, list_rules, mapping_of, rules_inside, rules_outside
from ipam.models import CgnatRule
from tests.factories_ipam import race
from tests.ticking import START, FakeClock

BASE: dict[str, Any] = {
    "name": "pop-1",
    "inside_first": "100.64.0.0",
    "inside_last": "100.64.7.255",
    "outside_first": "203.0.113.0",
    "outside_last": "203.0.113.31",
    "block_size": 1008,
}


def add(database: Database, **values: Any) -> int:
    with database.transaction() as tx:
        return add_rule(tx, **{**BASE, **values}).id


def days(count: float) -> datetime:
    return START + timedelta(days=count)


def test_a_rule_says_what_routers_do_from_now_on(database: Database) -> None:
    number = add(database)
    with database.reading() as tx:
        [rule] = list_rules(tx)
        assert (rule.id, rule.since, rule.until, rule.layout) == (number, START, None, "sequential")
        assert mapping_of(rule).capacity == 2048
        [entry] = tx.session.scalars(select(AuditEntry))
        assert (entry.action, entry.entity, entry.after and entry.after["inside"]) == (
            "add",
            "cgnat_rule",
            "100.64.0.0–100.64.7.255",
        )


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "outside too small": ({"outside_last": "203.0.113.30"}, "outside_last", "31 outside addresses × 64 blocks"),
    "one too many": ({"inside_last": "100.64.8.0"}, "outside_last", "there are 2049: 1 too many"),
    "a block larger than the ports": ({"block_size": 64_513}, "block_size", "does not fit into the 64512 ports"),
    "no block": ({"block_size": 0}, "block_size", "at least 1"),
    "ports that there are not": ({"last_port": 65_536}, "last_port", "1024 to 65535"),
    "port 0": ({"first_port": 0}, "first_port", "1 to 65535"),
    "ports the wrong way round": ({"first_port": 5000, "last_port": 4999}, "last_port", "5000 to 65535"),
    "inside the wrong way round": ({"inside_last": "100.63.255.255"}, "inside_last", "first address"),
    "IPv6": ({"outside_first": "2001:db8::1"}, "outside_first", "IPv4"),
    "no address": ({"inside_first": "pop"}, "inside_first", "IPv4"),
    "loopback": ({"outside_first": "127.0.0.1", "outside_last": "127.0.0.32"}, "outside_first", "hosts can use"),
    "inside and outside the same": (
        {"outside_first": "100.64.0.0", "outside_last": "100.64.0.31"},
        "outside_first",
        "",
    ),
    "another layout": ({"layout": "random"}, "layout", "sequential, netmap"),
    "over before it begins": ({"until": START}, "until", "after"),
    "without a name": ({"name": " "}, "name", ""),
    "larger than any": ({"inside_last": "100.255.255.255"}, "inside_last", "at most"),
}


@pytest.mark.parametrize(("values", "field", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_rule_that_cannot_be_is_refused(database: Database, values: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        add(database, **values)
    assert caught.value.field == field
    assert words in caught.value.detail


OTHER_INSIDE = {"inside_first": "100.65.0.0", "inside_last": "100.65.7.255"}
OTHER_OUTSIDE = {"outside_first": "198.51.100.0", "outside_last": "198.51.100.31"}
BESIDE: dict[str, tuple[dict[str, Any], str | None]] = {
    "the same": ({}, "outside addresses and ports"),
    "the same inside": (OTHER_OUTSIDE, "inside addresses"),
    "the same outside": (OTHER_INSIDE, "outside addresses and ports"),
    "both other": ({**OTHER_INSIDE, **OTHER_OUTSIDE}, None),
    "one inside address shared": (
        {"inside_first": "100.64.7.255", "inside_last": "100.64.7.255", **OTHER_OUTSIDE},
        "inside addresses",
    ),
    "the same outside on other ports": ({**OTHER_INSIDE, "first_port": 60_001, "block_size": 80}, None),
    "the same outside on one shared port": (
        {**OTHER_INSIDE, "first_port": 60_000, "block_size": 80},
        "outside addresses and ports",
    ),
    "before it": ({"since": days(-5), "until": START}, None),
    "into it": ({"since": days(-5), "until": days(0.1)}, "outside addresses and ports"),
    "after it": ({"since": days(9)}, None),
    "from its last moment": ({"since": days(8.9)}, "outside addresses and ports"),
}


@pytest.mark.parametrize(("values", "meets"), BESIDE.values(), ids=BESIDE.keys())
def test_rules_of_one_time_never_meet(database: Database, values: dict[str, Any], meets: str | None) -> None:
    first = add(database, last_port=60_000, block_size=921, until=days(9))
    if meets is None:
        add(database, **values)
        return
    with pytest.raises(Conflict, match=meets) as caught:
        add(database, **values)
    assert caught.value.extras["rule_id"] == first


def test_of_two_that_are_added_at_once_one_stands(database: Database) -> None:
    outcomes = race(2, lambda _: add(database))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "int"]


def test_a_rule_that_was_closed_held_until_then(database: Database, clock: FakeClock) -> None:
    first = add(database)
    clock.now = days(10)
    with database.transaction() as tx:
        close_rule(tx, rule_id=first)
    second = add(database, block_size=2016, outside_last="203.0.113.63")
    outside, inside = ip_address("203.0.113.7"), ip_address("100.64.0.9")
    with database.reading() as tx:
        for when, expected in ((-1, []), (0, [first]), (9.9, [first]), (10, [second]), (400, [second])):
            assert [rule.id for rule in rules_outside(tx, outside, days(when), days(when))] == expected
            assert [rule.id for rule in rules_inside(tx, inside, days(when), days(when))] == expected
            assert [rule.id for rule in list_rules(tx, at=days(when))] == expected
        assert [rule.id for rule in rules_outside(tx, outside, days(0), days(20))] == [first, second]
        assert rules_outside(tx, ip_address("203.0.112.255"), days(5), days(5)) == []
        assert rules_outside(tx, ip_address("2001:db8::1"), days(5), days(5)) == ()
        assert [rule.id for rule in list_rules(tx, before=second)] == [first]


CLOSING: dict[str, tuple[dict[str, Any], float | None, type[CatracaError] | None]] = {
    "now": ({}, None, None),
    "in the past": ({"since": days(-5)}, -3, None),
    "at its beginning": ({}, 0, None),
    "in the future": ({}, 30, None),
    "before it began": ({}, -1, InvalidInput),
    "earlier than planned": ({"until": days(9)}, 5, None),
    "later than planned": ({"until": days(9)}, 10, InvalidInput),
    "one that has not begun": ({"since": days(5)}, None, None),
    "one that is over": ({"since": days(-5), "until": days(-1)}, None, NotAllowed),
}


@pytest.mark.parametrize(("values", "until", "error"), CLOSING.values(), ids=CLOSING.keys())
def test_closing(
    database: Database, values: dict[str, Any], until: float | None, error: type[CatracaError] | None
) -> None:
    number = add(database, **values)
    end = None if until is None else days(until)
    with database.transaction() as tx:
        if error is None:
            rule = close_rule(tx, rule_id=number, until=end)
            assert rule.until == (end or max(START, rule.since))
        else:
            with pytest.raises(error):
                close_rule(tx, rule_id=number, until=end)


def test_a_rule_that_never_held_is_in_nobody_s_way(database: Database) -> None:
    wrong = add(database, since=days(5))
    with database.transaction() as tx:
        close_rule(tx, rule_id=wrong)
    add(database, since=days(4))


def test_no_rule_of_that_number(database: Database) -> None:
    with database.transaction() as tx, pytest.raises(NotFound):
        close_rule(tx, rule_id=1)


SPANS = st.tuples(st.integers(0, 6), st.integers(1, 4), st.integers(0, 6), st.integers(1, 4), st.integers(0, 6))


@settings(max_examples=30)
@given(st.lists(SPANS, min_size=1, max_size=12))
def test_whatever_is_added_an_instant_has_one_rule_for_an_address(
    database: Database, drawn: list[tuple[int, int, int, int, int]]
) -> None:
    for inside, count, outside, length, since in drawn:
        first, there = ip_address(f"100.64.0.{inside}"), ip_address(f"203.0.113.{outside}")
        values = {"inside_first": str(first), "inside_last": str(first + count - 1)}
        values |= {"outside_first": str(there), "outside_last": str(there)}
        try:
            add(database, **values, since=days(since), until=days(since + length))
        except Conflict:
            continue
    try:
        with database.reading() as tx:
            for day in range(12):
                at = days(day + 0.5)
                for number in range(12):
                    assert len(rules_outside(tx, ip_address(f"203.0.113.{number}"), at, at)) <= 1
                    assert len(rules_inside(tx, ip_address(f"100.64.0.{number}"), at, at)) <= 1
    finally:
        with database.transaction() as tx:
            tx.session.execute(delete(CgnatRule))
