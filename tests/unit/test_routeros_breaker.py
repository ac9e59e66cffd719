"""When a router that failed is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.routeros.cycle.breaker import MOST_SECONDS, after_failure, may_try, pause_seconds

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)

PAUSES = {1: 2, 2: 4, 3: 8, 4: 16, 5: 32, 6: 64, 7: 128, 8: 256, 9: 300, 10: 300, 100_000: 300}


@pytest.mark.parametrize(("failures", "seconds"), PAUSES.items())
def test_each_failure_doubles_the_pause_up_to_five_minutes(failures: int, seconds: int) -> None:
    assert pause_seconds(failures) == seconds
    assert after_failure(failures, NOW, 1.0) == NOW + timedelta(seconds=seconds)
    assert after_failure(failures, NOW, 0.0) == NOW + timedelta(seconds=seconds / 2)


@given(st.integers(1, 10**6), st.floats(-5, 5))
def test_a_pause_is_never_longer_than_the_longest_nor_over_at_once(failures: int, jitter: float) -> None:
    pause = after_failure(failures, NOW, jitter) - NOW
    assert timedelta(seconds=1) <= pause <= timedelta(seconds=MOST_SECONDS)


def test_routers_that_failed_together_come_back_spread() -> None:
    times = [after_failure(5, NOW, jitter / 10) for jitter in range(11)]
    assert times == sorted(set(times))


def test_the_failure_that_happened_counts() -> None:
    with pytest.raises(ValueError, match="counts"):
        after_failure(0, NOW, 0.5)


TRIES = {
    "no failure": (None, True),
    "in the pause": (NOW + timedelta(microseconds=1), False),
    "the pause ends now": (NOW, True),
    "long over": (NOW - timedelta(days=1), True),
}


@pytest.mark.parametrize(("retry_at", "may"), TRIES.values(), ids=TRIES)
def test_a_try_waits_for_the_pause_to_end(retry_at: datetime | None, may: bool) -> None:
    assert may_try(retry_at, NOW) is may
