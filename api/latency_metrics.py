"""How long facts take to be proven on the network, for Prometheus: from the database, as the open alarms."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from core.database import Database
from core.errors import Unavailable
from provisioning.latency.buckets import BOUNDS, cumulative
from provisioning.latency.report import LatencyReport, latency_report


def latency_page(database: Database) -> bytes:
    """`catraca_proof_seconds` by kind and path, what waits, what ended uncounted; nothing without a database."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Proofs(database))
    return generate_latest(registry)


class _Proofs:
    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        try:
            with self._database.reading() as tx:
                report = latency_report(tx)
        except Unavailable:
            return
        yield _histograms(report)
        yield _waiting(report)
        yield _uncounted(report)


def _histograms(report: LatencyReport) -> Metric:
    words = "From a fact to the proof that the network does what it asks for"
    metric = HistogramMetricFamily("catraca_proof_seconds", words, labels=["kind", "path"])
    bounds = [*map(floatToGoString, BOUNDS), "+Inf"]
    for found in report.histograms:
        buckets = list(zip(bounds, map(float, cumulative(found.counts)), strict=True))
        metric.add_metric([found.kind, found.path], buckets, found.seconds)
    return metric


def _waiting(report: LatencyReport) -> Metric:
    metric = GaugeMetricFamily("catraca_proof_waits", "Changes that nothing has proven yet", labels=["kind"])
    for kind, number in report.waiting.items():
        metric.add_metric([kind], number)
    return metric


def _uncounted(report: LatencyReport) -> Metric:
    words = "Changes that ended without a proof: nobody was connected, or none came within a day"
    metric = CounterMetricFamily("catraca_proof_uncounted", words, labels=["kind", "reason"])
    for (kind, reason), number in report.uncounted.items():
        metric.add_metric([kind, reason], number)
    return metric
