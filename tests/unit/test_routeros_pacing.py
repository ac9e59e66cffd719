"""How many rows a second may be written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.routeros.driver.pacing import Bucket, cost_of, full_bucket, seconds_until, spent


def carried_out(bucket: Bucket, costs: list[int], now: float) -> list[float]:
    """When each command goes, if the shell sleeps exactly as long as it is told."""
    times = []
    for cost in costs:
        now += seconds_until(bucket, cost, now)
        assert seconds_until(bucket, cost, now) == 0
        bucket = spent(bucket, cost, now)
        times.append(now)
    return times


def test_unbounded_never_waits() -> None:
    assert carried_out(full_bucket(0, 5.0), [1, 50, 5000], 5.0) == [5.0, 5.0, 5.0]


def test_a_tenth_of_a_second_goes_at_once_and_the_rest_at_the_rate() -> None:
    times = carried_out(full_bucket(20, 0.0), [1] * 6, 0.0)
    assert times == pytest.approx([0, 0, 0.05, 0.1, 0.15, 0.2])


def test_a_batch_larger_than_the_bucket_goes_and_is_paid_off_afterwards() -> None:
    assert carried_out(full_bucket(100, 0.0), [50, 50, 1], 0.0) == pytest.approx([0, 0.5, 0.91])


def test_idling_fills_it_no_further_than_full() -> None:
    bucket = spent(full_bucket(100, 0.0), 10, 0.0)
    assert bucket.tokens_at(0.05) == pytest.approx(5)
    assert bucket.tokens_at(3600.0) == bucket.capacity == 10


def test_a_clock_that_steps_back_gives_nothing_twice() -> None:
    bucket = spent(full_bucket(10, 100.0), 1, 100.0)
    bucket = spent(bucket, 0, 50.0)
    assert bucket.tokens_at(100.0) == 0


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="unbounded"):
        full_bucket(-1, 0.0)


COSTS = {
    "a new row": ({"name": "maria,jose"}, 1),
    "one row": ({".id": "*1"}, 1),
    "three rows by id": ({".id": "*1,*2,*A"}, 3),
    "three rows by number": ({"numbers": "*1,*2,*A", "comment": "a,b,c,d,e"}, 3),
}


@pytest.mark.parametrize(("words", "cost"), COSTS.values(), ids=COSTS)
def test_a_command_costs_the_rows_that_it_touches(words: dict[str, str], cost: int) -> None:
    assert cost_of(words) == cost


@given(st.integers(1, 500), st.lists(st.integers(1, 60), min_size=1, max_size=60))
def test_no_stretch_of_time_gets_more_than_its_share(rate: int, costs: list[int]) -> None:
    bucket = full_bucket(rate, 0.0)
    times = carried_out(bucket, costs, 0.0)
    for first in range(len(costs)):
        for last in range(first, len(costs)):
            rows = sum(costs[first:last])  # the last one's own debt is paid off after it
            assert rows <= bucket.capacity + rate * (times[last] - times[first]) + max(costs) + 1e-6
