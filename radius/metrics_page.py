"""The page that Prometheus reads, made from what the processes of this host show.

Nothing is kept between two readings and no process is asked: whatever hangs, the page is there. Names follow
https://prometheus.io/docs/practices/naming/. An age is shown as the instant that it counts from, so that it grows while
nobody reports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from radius.metrics import Shown, read_shown, resident_bytes, spool_sizes
from radius.spool import LIMIT_BYTES
from radius.worker_report import LATENCY_BOUNDS, Latency, WorkerReport

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "catraca_radius_"


class Family(NamedTuple):
    """A metric: its name without the prefix, what it says, its labels."""

    name: str
    words: str
    labels: tuple[str, ...] = ("worker",)


ANSWERS = Family("answers", "Requests that were answered, by result and reason", ("worker", "result", "reason"))
COUNTERS = {
    "accept": ANSWERS,
    "reject": ANSWERS,
    "recorded": ANSWERS,
    "status": ANSWERS,
    "silence": Family("ignored", "Datagrams that were met with silence", ("worker", "reason")),
    "duplicate": Family("duplicates", "Retransmissions", ("worker", "reason")),
    "failure": Family("failures", "Exceptions that were swallowed", ("worker", "reason")),
    "connection": Family("radsec_connection_events", "What became of connections over TLS", ("worker", "outcome")),
    "drained": Family(
        "drained_records",
        "Records carried from the spool to the database, or put aside",
        ("worker", "outcome"),
    ),
    "note": Family("reject_notes", "Rejects told to the sync process, or dropped on the way", ("worker", "outcome")),
    "reject_note": Family("reject_rows", "Rejects by what became of them in the database", ("worker", "outcome")),
}
"""By the result that a worker counts under; the reason is the last label, where the family has room for one."""
UNKNOWN_CLIENTS = Family("unknown_clients", "Datagrams from addresses that are no NAS of ours")
OTHERS = Family("events", "What else was counted", ("worker", "result", "reason"))
REQUESTS_BY_NAS = Family(
    "nas_requests", "Access-Requests by Message-Authenticator: signed, unsigned, refused", ("worker", "nas_id", "kind")
)
GAUGES = {
    "held_rejects": Family("held_rejects", "Access-Rejects that wait for their second"),
    "duplicate_cache_entries": Family("duplicate_cache_entries", "Replies that are kept for retransmissions"),
    "throttle_entries": Family("throttle_entries", "Lines that have sent wrong passwords lately"),
    "radsec_connections": Family("radsec_connections", "Connections over TLS that are open"),
    "radsec_handshakes": Family("radsec_handshakes", "TLS handshakes under way"),
    "last_turn": Family("last_turn_timestamp_seconds", "When the worker last looked at its sockets"),
    "spool_failing": Family("spool_failing", "1: accounting is not acknowledged, for the spool takes no records"),
    "spool_bytes": Family("spool_bytes", "Octets in the spool, drained segments included, as its writer knows"),
    "database_up": Family("database_up", "1: the database answered the sync process", ()),
    "feed_revision": Family("feed_revision", "Last revision of the feed in the database", ()),
    "replica_revision": Family("replica_revision", "Revision of the access records on this host", ()),
    "heard_at": Family("replica_heard_timestamp_seconds", "When the database was last heard", ()),
    "in_step_at": Family("replica_in_step_timestamp_seconds", "When the replica last had all of the feed", ()),
    "spool_pending_bytes": Family("spool_pending_bytes", "Octets that are not in the database yet", ("spool",)),
    "spool_pending_records": Family(
        "spool_pending_records", "Records that are not in the database yet; an estimate when many", ("spool",)
    ),
    "spool_oldest_at": Family(
        "spool_oldest_timestamp_seconds",
        "Receipt of the record that has waited longest; absent: none waits",
        ("spool",),
    ),
    "live_sessions": Family("live_sessions", "Open sessions, counted every half minute", ("nas",)),
}
"""By the name that a process reports under; what follows a colon there is the label's value."""
_KINDS = ("signed", "unsigned", "refused")


class RadiusCollector:
    """Reads `<data_dir>/radius` each time that it is asked."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        shown = read_shown(self._directory)
        yield from _counters(shown)
        yield from _gauges(shown)
        yield from _processes(shown)
        yield from _replica(shown)
        yield from _spools(self._directory)
        yield _latency(shown)


def page(data_dir: Path) -> bytes:
    """The whole page for the host whose data directory this is."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RadiusCollector(data_dir / "radius"))
    return generate_latest(registry)


def _counters(shown: Iterable[Shown]) -> Iterator[Metric]:
    sums: dict[tuple[Family, tuple[str, ...]], float] = defaultdict(float)
    for each in shown:
        for family, labels, count in _counted(each.report):
            sums[family, labels] += count
    families: dict[Family, CounterMetricFamily] = {}
    for (family, labels), total in sums.items():
        metric = families.setdefault(
            family, CounterMetricFamily(_PREFIX + family.name, family.words, labels=family.labels)
        )
        metric.add_metric(labels, total)
    yield from families.values()


def _counted(report: WorkerReport) -> Iterator[tuple[Family, tuple[str, ...], int]]:
    for (result, reason), count in report.counters.items():
        if (result, reason) == ("silence", "unknown_client"):
            yield UNKNOWN_CLIENTS, (report.name,), count
            continue
        family = COUNTERS.get(result, OTHERS)
        whole = (report.name, result, reason) if "result" in family.labels else (report.name, reason)
        yield family, whole[: len(family.labels)], count
    for nas_id, counts in report.sightings.items():
        for kind, count in zip(_KINDS, counts, strict=True):
            yield REQUESTS_BY_NAS, (report.name, str(nas_id), kind), count


def _gauges(shown: Iterable[Shown]) -> Iterator[Metric]:
    families: dict[str, GaugeMetricFamily] = {}
    for each in shown:
        for told, value in each.report.gauges.items():
            name, _, label = told.partition(":")
            family = GAUGES.get(name) or Family(name, "As the worker tells it")
            if name not in families:
                families[name] = GaugeMetricFamily(_PREFIX + family.name, family.words, labels=family.labels)
            families[name].add_metric([label or each.report.name][: len(family.labels)], value)
    yield from families.values()


def _processes(shown: Sequence[Shown]) -> Iterator[Metric]:
    up = GaugeMetricFamily(_PREFIX + "up", "1: the process runs", labels=["worker"])
    reported = GaugeMetricFamily(
        _PREFIX + "report_timestamp_seconds", "When the process last reported", labels=["worker"]
    )
    memory = GaugeMetricFamily(
        _PREFIX + "resident_memory_bytes", "Resident memory, shared pages included", labels=["worker"]
    )
    starts = CounterMetricFamily(_PREFIX + "starts", "How often the process was started", labels=["worker"])
    cpu = CounterMetricFamily(_PREFIX + "cpu_seconds", "CPU time of the process, all lives", labels=["worker"])
    for each in shown:
        label = [each.report.name]
        running = each.running
        up.add_metric(label, running)
        reported.add_metric(label, each.at)
        memory.add_metric(label, resident_bytes(each.pid) if running else 0)
        starts.add_metric(label, each.starts)
        cpu.add_metric(label, each.cpu_seconds)
    yield from (up, reported, memory, starts, cpu)


def _replica(shown: Iterable[Shown]) -> Iterator[Metric]:
    """How many revisions, and for how long, the replica is behind what is known of the feed."""
    for each in shown:
        gauges = each.report.gauges
        if "feed_revision" in gauges and "replica_revision" in gauges:
            behind = max(0.0, gauges["feed_revision"] - gauges["replica_revision"])
            seconds = max(0.0, each.at - gauges.get("in_step_at", each.at)) if behind else 0.0
            name = _PREFIX + "replica_lag_"
            yield GaugeMetricFamily(name + "revisions", "Revisions of the feed that are not here yet", behind)
            yield GaugeMetricFamily(name + "seconds", "For how long the replica has been behind the feed", seconds)


def _spools(directory: Path) -> Iterator[Metric]:
    """What the disk holds, counted here and now, so that it is true whichever process is down."""
    used = GaugeMetricFamily(
        _PREFIX + "spool_disk_bytes", "Octets of the spool on disk, drained segments included", labels=["spool"]
    )
    for name, size in spool_sizes(directory).items():
        used.add_metric([name], size)
    yield used
    yield GaugeMetricFamily(_PREFIX + "spool_limit_bytes", "Bound of one spool", LIMIT_BYTES)


def _latency(shown: Iterable[Shown]) -> Metric:
    metric = HistogramMetricFamily(
        _PREFIX + "answer_seconds", "From the receipt of a request to its answer, held rejects apart", labels=["worker"]
    )
    for each in shown:
        latency = each.report.latency
        if latency.answers and len(latency.buckets) == len(LATENCY_BOUNDS) + 1:
            metric.add_metric([each.report.name], _cumulative(latency), latency.seconds)
    return metric


def _cumulative(latency: Latency) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bound, count in zip([*map(str, LATENCY_BOUNDS), "+Inf"], latency.buckets, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
