"""What a router's rows say of a session that was told another rate."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from provisioning.routeros.readback.rules import (
    PATIENCE,
    SETTLING,
    Question,
    active_query,
    is_final,
    queue_query,
    read_rate,
    tells,
    verdict,
)
from radius.policy import Policy

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ASKED = Question(7, "maria", "100.64.0.9", "f.-", (1_000_000, 2_000_000), NOW)
OPEN = replace(ASKED, rate=(0, 0))


def active(login: str = "maria", service: str = "pppoe") -> dict[str, str]:
    return {"name": login, "service": service, "address": "100.64.0.9"}


def queue(name: str = "<pppoe-maria>", limit: str = "1000000/2000000", **fields: str) -> dict[str, str]:
    return {"name": name, "target": name, "max-limit": limit, "dynamic": "true", **fields}


@pytest.mark.parametrize(
    ("question", "calls", "queues", "said"),
    [
        pytest.param(ASKED, [active()], [queue()], True, id="it runs"),
        pytest.param(ASKED, [active()], [queue(limit="1M/2M")], True, id="in other notation"),
        pytest.param(ASKED, [active()], [queue(limit="2M/1M")], False, id="the wrong way round"),
        pytest.param(ASKED, [active()], [queue(limit="250M/500M")], False, id="the old rate"),
        pytest.param(ASKED, [active()], [], False, id="no queue, so no limit"),
        pytest.param(OPEN, [active()], [], True, id="no limit was asked for"),
        pytest.param(OPEN, [active()], [queue(limit="0/0")], True, id="a queue without a limit"),
        pytest.param(OPEN, [active()], [queue()], False, id="a limit that has to go"),
        pytest.param(ASKED, [active(service="l2tp")], [queue("<l2tp-maria>")], True, id="l2tp"),
        pytest.param(ASKED, [active(service="l2tp")], [queue(limit="3M/3M")], False, id="another service's queue"),
        pytest.param(ASKED, [], [queue("<hotspot-maria>")], True, id="hotspot"),
        pytest.param(ASKED, [], [queue("dhcp-ds<1>", target="100.64.0.9/32")], True, id="DHCP"),
        pytest.param(ASKED, [], [queue("dhcp-ds<1>", target="100.64.0.8/32")], None, id="somebody else's lease"),
        pytest.param(ASKED, [], [], None, id="not there"),
        pytest.param(ASKED, [active(), active()], [queue()], None, id="two lines of one login"),
        pytest.param(ASKED, [active()], [queue(dynamic="false")], None, id="a queue that somebody made"),
        pytest.param(ASKED, [active()], [queue(), queue("x", target="100.64.0.9/32")], True, id="PPP by name alone"),
        pytest.param(ASKED, [active()], [queue(limit="fast")], None, id="a limit that nobody can read"),
        pytest.param(ASKED, [active("mario")], [queue()], None, id="another login"),
    ],
)
def test_what_the_rows_say(
    question: Question, calls: list[dict[str, str]], queues: list[dict[str, str]], said: bool | None
) -> None:
    assert verdict(question, calls, queues) is said


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1000000/2000000", (1_000_000, 2_000_000)),
        ("1500k/1G", (1_500_000, 1_000_000_000)),
        ("5M", (5_000_000, 5_000_000)),
        ("", (0, 0)),
        ("0/0", (0, 0)),
        ("1M/", None),
        ("quick/slow", None),
    ],
)
def test_rates_of_queues(text: str, rate: tuple[int, int] | None) -> None:
    assert read_rate(text) == rate


FAST, SLOW = Policy(50_000_000, 20_000_000), Policy(2_000_000, 1_000_000)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(FAST, SLOW, True, id="another rate"),
        pytest.param(SLOW, SLOW, True, id="there and back again"),
        pytest.param(None, SLOW, False, id="nothing is known of before"),
        pytest.param(FAST, replace(SLOW, group="late"), False, id="another profile too"),
        pytest.param(FAST, replace(FAST, interim_seconds=600), False, id="the same rate"),
    ],
)
def test_what_a_rate_can_prove(before: Policy | None, after: Policy, told: bool) -> None:
    assert tells(before, after) is told


@pytest.mark.parametrize(
    ("runs", "age", "final"),
    [
        (True, timedelta(0), True),
        (False, timedelta(0), False),
        (False, SETTLING, True),
        (None, SETTLING, False),
        (None, PATIENCE, True),
    ],
)
def test_when_a_reading_stands(runs: bool | None, age: timedelta, final: bool) -> None:
    assert is_final(ASKED, runs, NOW + age) is final


def test_only_the_rows_in_question_are_asked_for() -> None:
    other = replace(ASKED, session_id=8, login="jose", address="")
    assert active_query([ASKED, other, ASKED]) == ["?name=maria", "?name=jose", "?#|"]
    assert queue_query([ASKED, other], [active()]) == ["?name=<pppoe-maria>", "?name=<hotspot-jose>", "?#|"]
    assert queue_query([ASKED], []) == ["?name=<hotspot-maria>", "?target=100.64.0.9/32", "?#|"]
