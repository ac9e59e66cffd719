"""Who is connected: what is packed is what a worker reads, and whom the limit refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.line import Line, same_line
from radius.presence import (
    HEARD_SECONDS,
    MOST_SESSIONS,
    in_the_way,
    is_current,
    pack_heard,
    pack_presence,
    presence_key,
    tells_caller,
    unpack_presence,
)

octets = st.binary(max_size=255)
lines = st.builds(Line, st.integers(0, 2**63 - 1), octets, octets)


@given(st.lists(lines, max_size=5))
def test_lines_come_back_as_they_were(given_lines: list[Line]) -> None:
    assert unpack_presence(pack_presence(given_lines)) == given_lines


@given(st.lists(lines, max_size=5), octets)
def test_a_caller_is_found_among_the_packed_lines(given_lines: list[Line], other: bytes) -> None:
    value = pack_presence(given_lines)
    assert all(tells_caller(value, line.caller) for line in given_lines)
    assert tells_caller(value, other) == any(line.caller == other for line in given_lines)


def test_an_entry_has_a_bound_and_keeps_the_newest() -> None:
    many = [Line(number) for number in range(MOST_SESSIONS + 5)]
    assert unpack_presence(pack_presence(many)) == many[5:]
    long = unpack_presence(pack_presence([Line(1, bytes(300), bytes(300)), Line(2)]))
    assert long == [Line(1, bytes(255), bytes(255)), Line(2)]


def test_another_version_says_nothing() -> None:
    later = b"\x02" + pack_presence([Line(1, b"caller")])[1:]
    assert unpack_presence(later) == []
    assert not tells_caller(later, b"caller")


def test_the_key_is_the_subscription() -> None:
    assert presence_key(258) == b"s\0\0\0\0\0\0\1\2"


A, B = b"02:00:5E:00:00:0A", b"02:00:5E:00:00:0B"
SAME = {
    "the same caller": (Line(1, A, b"1"), Line(1, A, b"1"), True),
    "at another NAS": (Line(1, A, b"1"), Line(2, A, b"2"), True),
    "spelled otherwise": (Line(1, A), Line(1, b"1:2:0:5e:0:0:a"), True),
    "no MAC address": (Line(1, b"+5519"), Line(1, b"+5519"), True),
    "another caller": (Line(1, A, b"1"), Line(1, B, b"1"), False),
    "another caller at a port that is shared": (Line(1, A, b"ether2"), Line(1, B, b"ether2"), False),
    "another caller, no MAC address": (Line(1, b"+5519"), Line(1, b"+5520"), False),
    "caller untold before, the same port": (Line(1, b"", b"7"), Line(1, A, b"7"), True),
    "caller untold now, the same port": (Line(1, A, b"7"), Line(1, b"", b"7"), True),
    "callers untold, another port": (Line(1, b"", b"7"), Line(1, b"", b"8"), False),
    "callers untold, the same port of another NAS": (Line(1, b"", b"7"), Line(2, b"", b"7"), False),
    "nothing told": (Line(1), Line(1), False),
}


@pytest.mark.parametrize(("one", "other", "same"), SAME.values(), ids=SAME.keys())
def test_which_lines_are_one(one: Line, other: Line, same: bool) -> None:
    assert same_line(one, other) is same
    assert same_line(other, one) is same


HERE, THERE, ELSEWHERE = Line(1, A, b"1"), Line(2, B, b"2"), Line(3, b"02:00:5E:00:00:0C", b"3")
ROOM = {
    "nobody": ([], 1, HERE, None),
    "the line itself": ([HERE], 1, HERE, None),
    "the line itself, and another": ([HERE, THERE], 1, HERE, None),
    "another": ([THERE], 1, HERE, THERE),
    "two others: the newest is named": ([THERE, ELSEWHERE], 1, HERE, ELSEWHERE),
    "another, of two that may be": ([THERE], 2, HERE, None),
    "two others, of two that may be": ([THERE, ELSEWHERE], 2, HERE, ELSEWHERE),
    "any number": ([THERE, ELSEWHERE], 0, HERE, None),
}


@pytest.mark.parametrize(("live", "limit", "line", "expected"), ROOM.values(), ids=ROOM.keys())
def test_whom_the_limit_refuses(live: list[Line], limit: int, line: Line, expected: Line | None) -> None:
    assert in_the_way(live, limit, line) == expected


@given(st.lists(lines, max_size=4), st.integers(0, 3), lines)
def test_a_line_that_has_a_session_is_never_refused(others: list[Line], limit: int, line: Line) -> None:
    if line.caller or line.port:
        assert in_the_way([*others, line], limit, line) is None


@pytest.mark.parametrize(
    ("age", "current"),
    [(0.0, True), (HEARD_SECONDS, True), (HEARD_SECONDS + 0.01, False), (-HEARD_SECONDS - 0.01, False)],
)
def test_old_news_refuses_nobody(age: float, current: bool) -> None:
    now = 1_772_452_800.0
    assert is_current(pack_heard(now - age), now) is current
    assert not is_current(None, now)
