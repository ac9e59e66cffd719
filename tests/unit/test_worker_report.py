"""What workers tell of themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.tally import Tally
from radius.worker_report import LATENCY_BOUNDS, Latency, LatencyCounter, WorkerReport

counts = st.integers(0, 2**53)
reports = st.builds(
    WorkerReport,
    name=st.text(max_size=20),
    counters=st.dictionaries(st.tuples(st.text(max_size=10), st.text(max_size=10)), counts, max_size=5),
    latency=st.builds(Latency, st.tuples(*[counts] * (len(LATENCY_BOUNDS) + 1)), st.floats(0, 1e9, allow_nan=False)),
    sightings=st.dictionaries(st.integers(1, 2**63), st.tuples(counts, counts, counts), max_size=5),
    gauges=st.dictionaries(st.text(max_size=10), st.floats(allow_nan=False, allow_infinity=False), max_size=5),
)


@given(reports)
def test_a_report_survives_its_json_on_one_line(report: WorkerReport) -> None:
    line = report.to_json()
    assert b"\n" not in line
    assert WorkerReport.from_json(line) == report


@pytest.mark.parametrize(
    "line",
    [b"", b"null", b"[]", b"{}", b'{"name": "x"}', WorkerReport("x").to_json().replace(b"[]", b"7"), b"\xff"],
)
def test_anything_else_is_no_report(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"report|Expecting|codec"):
        WorkerReport.from_json(line)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (LATENCY_BOUNDS[0], 0), (0.0004, 1), (1.0, LATENCY_BOUNDS.index(1.0)), (60.0, len(LATENCY_BOUNDS))],
)
def test_answers_are_counted_in_the_bucket_of_their_time(seconds: float, bucket: int) -> None:
    counter = LatencyCounter()
    counter.count(seconds, 64)
    counter.count(seconds, 1)
    latency = counter.latency()
    assert latency.buckets[bucket] == latency.answers == 65
    assert latency.seconds == pytest.approx(65 * seconds)


def test_labels_stay_few_and_nothing_is_lost() -> None:
    tally = Tally(limit=3)
    for number in range(10):
        tally.count("silence", f"kind {number}")
    tally.count("accept", "pap", 5)
    tally.count("silence", "kind 1")
    assert tally.counters() == {
        ("silence", "kind 0"): 1,
        ("silence", "kind 1"): 2,
        ("silence", "kind 2"): 1,
        ("silence", "other"): 7,
        ("accept", "other"): 5,
    }
