"""When a clock has jumped, by two marks of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock_guard import TOLERANCE, Mark, clock_jump, jump_in_words

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def after(wall: timedelta, uptime: timedelta, boot: str = "one") -> Mark:
    """The mark that follows one at noon with an uptime of 1000 s."""
    return Mark(NOON + wall, boot, 1000 + uptime.total_seconds())


@pytest.mark.parametrize(
    ("now", "jump"),
    [
        pytest.param(after(timedelta(0), timedelta(0)), None, id="the same moment"),
        pytest.param(after(30 * SECOND, 30 * SECOND), None, id="half a minute"),
        pytest.param(after(timedelta(days=400), timedelta(days=400)), None, id="a long sleep, counted"),
        pytest.param(after(30 * SECOND + HOUR, 30 * SECOND), None, id="an hour forward is tolerated"),
        pytest.param(after(31 * SECOND + HOUR, 30 * SECOND), HOUR + SECOND, id="a second more is a jump"),
        pytest.param(after(30 * SECOND - HOUR, 30 * SECOND), None, id="an hour back is tolerated"),
        pytest.param(after(29 * SECOND - HOUR, 30 * SECOND), -HOUR - SECOND, id="a second more back is a jump"),
        pytest.param(after(timedelta(days=30), SECOND), timedelta(days=30) - SECOND, id="a month forward"),
        pytest.param(after(timedelta(days=-3650), SECOND), timedelta(days=-3650) - SECOND, id="back to the epoch"),
        pytest.param(after(timedelta(0), timedelta(days=2)), timedelta(days=-2), id="it stood still"),
        pytest.param(
            after(timedelta(days=30), timedelta(0), "two"), None, id="another boot: who knows how long it was"
        ),
        pytest.param(after(-HOUR, timedelta(0), "two"), None, id="another boot, an hour back"),
        pytest.param(
            after(-HOUR - SECOND, timedelta(0), "two"), -HOUR - SECOND, id="another boot, more than that back"
        ),
    ],
)
def test_a_jump(now: Mark, jump: timedelta | None) -> None:
    assert clock_jump(Mark(NOON, "one", 1000), now) == jump


@pytest.mark.parametrize(
    ("moved", "jump"),
    [
        pytest.param(timedelta(days=365), None, id="forward is no jump"),
        pytest.param(-HOUR, None, id="an hour back"),
        pytest.param(-2 * HOUR, -2 * HOUR, id="two hours back"),
    ],
)
def test_a_clock_without_a_counter_only_goes_back(moved: timedelta, jump: timedelta | None) -> None:
    assert clock_jump(Mark(NOON), Mark(NOON + moved)) == jump


@pytest.mark.parametrize(
    ("jump", "words"),
    [
        pytest.param(timedelta(days=3), "forward by 3 d", id="days"),
        pytest.param(-timedelta(hours=2, minutes=5), "back by 2 h 5 min", id="hours and minutes, back"),
        pytest.param(timedelta(days=1, hours=1, minutes=1), "forward by 1 d 1 h 1 min", id="all of them"),
    ],
)
def test_the_words(jump: timedelta, words: str) -> None:
    assert jump_in_words(jump) == words


SECONDS = st.integers(-(10**8), 10**8).map(lambda seconds: timedelta(seconds=seconds))


@given(passed=st.integers(0, 10**8), jump=SECONDS)
def test_what_was_put_in_is_found(passed: int, jump: timedelta) -> None:
    now = after(passed * SECOND + jump, passed * SECOND)
    assert clock_jump(Mark(NOON, "one", 1000), now) == (jump if abs(jump) > TOLERANCE else None)
