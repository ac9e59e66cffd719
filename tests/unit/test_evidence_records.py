"""Which address a question is about when, and what a connection looked like from outside. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from ipam.models import CgnatRule
from provisioning.evidence.records import Question, public_sides, stretches
from tests.factories_history import make_use
from tests.ticking import START

PUBLIC = ip_address("203.0.113.7")
PORT = 1024 + 9 * 4032


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def rule(since: float, until: float | None, **values: Any) -> CgnatRule:
    given: dict[str, Any] = {
        "id": 1,
        "name": "pop-1",
        "inside_first": ip_address("100.64.0.0"),
        "inside_last": ip_address("100.64.0.15"),
        "outside_first": PUBLIC,
        "outside_last": PUBLIC,
        "first_port": 1024,
        "last_port": 65_535,
        "block_size": 4032,
        "layout": "sequential",
        "since": at(since),
        "until": None if until is None else at(until),
        **values,
    }
    return CgnatRule(**given)


def asked(since: float, until: float, **values: Any) -> Question:
    return Question(at(since), at(until), "Ofício 1", **{"address": PUBLIC, "port": PORT, **values})


HALF: dict[str, Any] = {"block_size": 2016}
"""The port is inside address number 18's then, of which there is none in the rule."""
SHIFTED: dict[str, Any] = {"inside_first": ip_address("100.64.1.0"), "inside_last": ip_address("100.64.1.15")}
STRETCHES: dict[str, tuple[Question, list[CgnatRule], list[tuple[str, float, float]]]] = {
    "no rule": (asked(0, 10), [], [("203.0.113.7", 0, 10)]),
    "a rule all the time": (asked(0, 10), [rule(-5, None)], [("100.64.0.9", 0, 10)]),
    "a rule that begins": (asked(0, 10), [rule(4, None)], [("203.0.113.7", 0, 4), ("100.64.0.9", 4, 10)]),
    "a rule that ends": (asked(0, 10), [rule(-1, 4)], [("100.64.0.9", 0, 4), ("203.0.113.7", 4, 10)]),
    "one after the other": (
        asked(0, 10),
        [rule(-1, 4), rule(4, None, **SHIFTED)],
        [("100.64.0.9", 0, 4), ("100.64.1.9", 4, 10)],
    ),
    "with a gap": (
        asked(0, 10),
        [rule(1, 3), rule(5, 8, **SHIFTED)],
        [
            ("203.0.113.7", 0, 1),
            ("100.64.0.9", 1, 3),
            ("203.0.113.7", 3, 5),
            ("100.64.1.9", 5, 8),
            ("203.0.113.7", 8, 10),
        ],
    ),
    "a rule by which nobody has the port": (
        asked(0, 10),
        [rule(2, 6, **HALF)],
        [("203.0.113.7", 0, 2), ("203.0.113.7", 6, 10)],
    ),
    "a rule for other ports": (asked(0, 10, port=80), [rule(0, None)], [("203.0.113.7", 0, 10)]),
    "a rule that never held": (asked(0, 10), [rule(4, 4)], [("203.0.113.7", 0, 10)]),
    "a rule that begins with the end": (asked(0, 10), [rule(10, None)], [("203.0.113.7", 0, 10)]),
    "a subscription": (asked(0, 10, address=None, port=None, subscription_id=7), [], []),
    "IPv6": (asked(0, 1, address=ip_address("2001:db8::7"), port=None), [], [("2001:db8::7", 0, 1)]),
}


@pytest.mark.parametrize(("question", "rules", "expected"), STRETCHES.values(), ids=STRETCHES.keys())
def test_the_address_that_a_port_meant(
    question: Question, rules: list[CgnatRule], expected: list[tuple[str, float, float]]
) -> None:
    found = [(str(part.address), part.since, part.until) for part in stretches(question, rules)]
    assert found == [(address, at(since), at(until)) for address, since, until in expected]


SIDES: dict[str, tuple[float, float | None, list[CgnatRule], list[tuple[float, float | None]]]] = {
    "a rule all the time": (0, 10, [rule(-5, None)], [(0, 10)]),
    "a rule that began meanwhile": (0, 10, [rule(3, None)], [(3, 10)]),
    "two": (0, 10, [rule(-5, 4), rule(4, None, **HALF)], [(0, 4), (4, 10)]),
    "a connection that goes on": (0, None, [rule(-5, None)], [(0, None)]),
    "one that goes on, by a rule that ended": (0, None, [rule(-5, 4)], [(0, 4)]),
    "a rule that was over": (5, 10, [rule(-5, 5)], []),
    "a rule for others": (0, 10, [rule(-5, None, **SHIFTED)], []),
}


@pytest.mark.parametrize(("since", "until", "rules", "expected"), SIDES.values(), ids=SIDES.keys())
def test_what_a_connection_looked_like_from_outside(
    since: float, until: float | None, rules: list[CgnatRule], expected: list[tuple[float, float | None]]
) -> None:
    use = make_use("100.64.0.9", since=at(since), until=None if until is None else at(until))
    found = [(side.since, side.until) for side in public_sides(use, rules)]
    assert found == [(at(begin), None if end is None else at(end)) for begin, end in expected]


def test_the_ports_are_those_of_the_rule() -> None:
    [side] = public_sides(make_use("100.64.0.9"), [rule(-5, None)])
    assert (side.block.outside, side.block.first_port, side.block.last_port) == (PUBLIC, PORT, PORT + 4031)
    assert public_sides(make_use("2001:db8::/56"), [rule(-5, None)]) == []
