"""Which changes of state are measured, their buckets, and quantiles of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.latency.buckets import BOUNDS, bucket_of, cumulative, kind_of_change, quantile

EMPTY = (0,) * (len(BOUNDS) + 1)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        pytest.param("SUSPENDED", "ACTIVE", "restored", id="paid"),
        pytest.param("SUSPENDED", "REDUCED", "restored", id="paid in part"),
        pytest.param("PAUSED", "ACTIVE", "restored", id="back from a pause"),
        pytest.param("ACTIVE", "REDUCED", "restricted", id="late"),
        pytest.param("REDUCED", "SUSPENDED", "restricted", id="later still"),
        pytest.param("SUSPENDED", "PAUSED", "restricted", id="another restriction"),
        pytest.param("PENDING_INSTALL", "ACTIVE", None, id="installed"),
        pytest.param("ACTIVE", "CANCELLED", None, id="cancelled"),
        pytest.param("ACTIVE", "ACTIVE", None, id="nothing"),
    ],
)
def test_what_counts_as_a_change_of_service(before: str, after: str, kind: str | None) -> None:
    assert kind_of_change(before, after) == kind


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (0.05, 0), (0.051, 1), (3600.0, len(BOUNDS) - 1), (3600.1, len(BOUNDS)), (1e9, len(BOUNDS))],
)
def test_a_bound_belongs_to_its_bucket(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


@pytest.mark.parametrize(
    ("counts", "share", "estimate"),
    [
        pytest.param({}, 0.5, None, id="nothing was measured"),
        pytest.param({0: 4}, 0.5, 0.025, id="inside the first bucket"),
        pytest.param({4: 10}, 0.5, 0.75, id="in the middle of its bucket"),
        pytest.param({4: 90, 5: 10}, 0.95, 1.5, id="in the tail"),
        pytest.param({4: 1, len(BOUNDS): 9}, 0.99, 3600.0, id="beyond the last bound"),
    ],
)
def test_an_estimate_is_linear_inside_its_bucket(counts: dict[int, int], share: float, estimate: float | None) -> None:
    numbers = [counts.get(bucket, 0) for bucket in range(len(BOUNDS) + 1)]
    assert quantile(share, numbers) == (None if estimate is None else pytest.approx(estimate))


@given(st.lists(st.floats(0, 3600), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 0.99]))
def test_an_estimate_is_never_a_bucket_away(took: list[float], share: float) -> None:
    numbers = list(EMPTY)
    for seconds in took:
        numbers[bucket_of(seconds)] += 1
    estimate = quantile(share, numbers)
    assert estimate is not None
    exact = sorted(took)[max(0, -(-int(share * 100) * len(took) // 100) - 1)]
    low = 0.0 if not bucket_of(exact) else BOUNDS[bucket_of(exact) - 1]
    assert low <= estimate <= BOUNDS[bucket_of(exact)]
    assert cumulative(numbers)[-1] == len(took)
