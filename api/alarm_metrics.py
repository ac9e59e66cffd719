"""Open alarms for Prometheus: the one figure of `/metrics` that comes from the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from billing_bridge.dunning.guards import HOLDING
from billing_bridge.dunning.waiting import ALARM
from core.alarms import open_alarms
from core.database import Database
from core.errors import Unavailable


def alarm_page(database: Database) -> bytes:
    """`catraca_open_alarms` by kind, those that hold restrictions back always; nothing while the database is away."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_OpenAlarms(database))
    return generate_latest(registry)


class _OpenAlarms:
    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        try:
            with self._database.reading() as tx:
                counts = Counter(alarm.kind for alarm in open_alarms(tx))
        except Unavailable:
            return
        metric = GaugeMetricFamily("catraca_open_alarms", "Alarms that nobody has cleared", labels=["kind"])
        for kind in sorted({ALARM, *HOLDING, *counts}):
            metric.add_metric([kind], counts[kind])
        yield metric
