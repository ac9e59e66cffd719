"""What the benchmarks' report says of figures."""

from __future__ import annotations

import pytest

from bench.report import OURS, page, quoted, where_it_loses
from bench.results import Measured, Row, Step

MINE = Measured(50_000, 15.0, 2.0, 0.1, 0.5, 0.2, 0.6)


def peer(**said: float | None) -> Measured:
    given: dict[str, float | None] = {
        "rate": 10_000, "cpu": 90.0, "p99_saturated": 9.0, "p50_steady": 0.4, "p99_steady": 1.5, "p50_half": 0.3,
        "p99_half": 2.0, "faster": 5.0, "cheaper": 6.0,
    }  # fmt: skip
    return Measured(**(given | said))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        pytest.param(peer(), "To none of these peers", id="ahead in everything"),
        pytest.param(peer(cheaper=0.5, cpu=7.5), "CPU 15 µs against 8 µs", id="CPU"),
        pytest.param(peer(faster=0.5), "it answers 2.0 × as many", id="rate"),
        pytest.param(peer(p99_steady=0.2), "p99 at 2,000/s 0.50 ms against 0.20 ms", id="latency"),
        pytest.param(peer(cheaper=0.99), "To none of these peers", id="too small a difference"),
        pytest.param(peer(p99_half=0.1), "To none of these peers", id="half of a smaller rate is less work"),
        pytest.param(peer(rate=60_000, p99_half=0.1), "p99 at half of saturation 0.60 ms against 0.10 ms", id="half"),
    ],
)
def test_it_says_where_it_loses(theirs: Measured, said: str) -> None:
    assert said in where_it_loses({"PAP": {OURS: MINE, "Peer": theirs}})


def test_the_page_and_the_readme_show_the_same_figures() -> None:
    steps = {
        "authentication": Step(modes={"PAP+MA": {OURS: MINE, "Peer": peer(p50_steady=None, p99_steady=None)}}),
        "storm": Step(rows=[Row("storm", "all after 9 s", "", "python -m bench.storm")]),
    }
    kept = {name: Step.from_json(step.to_json()) for name, step in steps.items()}
    written = page(kept, "a machine", "2026-03-02", "abc")
    readme = quoted("a\n<!-- benchmarks: begin -->\nyesterday\n<!-- benchmarks: end -->\nz\n", kept)
    for figure in ("50,000", "15.0", "5.0 ×", "cannot hold it", "all after 9 s"):
        assert figure in written
        assert figure in readme
    assert "yesterday" not in readme
    assert (readme[:2], readme[-2:]) == ("a\n", "z\n")


def test_a_readme_without_marks_stays_as_it_is() -> None:
    assert quoted("nothing to see", {}) == "nothing to see"
