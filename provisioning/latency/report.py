"""The histogram of proofs as it stands: for the API and for Prometheus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from core.database import Transaction
from provisioning.latency.buckets import BOUNDS, KINDS, PATHS, UNCOUNTED, quantile
from provisioning.latency.models import ProofLatency, ProofWait


@dataclass(frozen=True, slots=True)
class Histogram:
    """Proofs of one kind on one path. `counts` has a number for each of `BOUNDS`, and one for what took longer."""

    kind: str
    path: str
    counts: Sequence[int]
    seconds: float

    @property
    def count(self) -> int:
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """An estimate, in seconds; None when nothing was counted."""
        return quantile(share, self.counts)


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """All histograms, also empty ones; how many changes wait, by kind; what ended uncounted, by kind and reason."""

    histograms: Sequence[Histogram]
    waiting: Mapping[str, int]
    uncounted: Mapping[tuple[str, str], int]


def latency_report(tx: Transaction) -> LatencyReport:
    """Two small reads: the histogram has a row for each bucket that anything fell into."""
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * (len(BOUNDS) + 1))
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    for row in tx.session.scalars(select(ProofLatency)):
        key = row.kind, row.path
        counts[key][min(row.bucket, len(BOUNDS))] += row.times
        seconds[key] += row.seconds
    waits = select(ProofWait.kind, func.count()).group_by(ProofWait.kind)
    waiting: dict[str, int] = {row[0]: row[1] for row in tx.session.execute(waits)}
    return LatencyReport(
        [Histogram(kind, path, counts[kind, path], seconds[kind, path]) for kind in KINDS for path in PATHS],
        {kind: waiting.get(kind, 0) for kind in KINDS},
        {(kind, reason): sum(counts[kind, reason]) for kind in KINDS for reason in UNCOUNTED},
    )
