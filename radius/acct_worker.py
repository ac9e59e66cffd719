"""The accounting worker: drain the sockets, make the batch durable with one `fdatasync`, then answer it.

Group commit makes durability cheap: while the disk is busy with one batch the socket's buffer collects the next, so
the more arrives, the more shares a sync. Several workers share a port, each with a spool of its own; more than one
pays where one core cannot keep up, not where the disk cannot.

When the spool cannot take a batch (full or failing disk) nothing of it is answered. The NAS keep their records and
send them again, which is what the protocol is made for; authentication does not notice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.clock import Clock
from radius.acct_service import AcctService
from radius.alarm import Alarm
from radius.endpoint import Endpoint
from radius.spool import SpoolUnavailable, SpoolWriter
from radius.steady_loop import Ready, Report, Stop
from radius.store import RecordStore
from radius.worker_loop import WorkerLoop, awaited, listening
from radius.worker_report import WorkerReport


def run_acct_worker(
    address: str,
    port: int,
    lmdb_path: Path,
    spool_dir: Path,
    keyring: Any,
    clock: Clock,
    stop: Stop,
    *,
    duplicate_cache_seconds: float = 10.0,
    ready: Ready | None = None,
    report: Report | None = None,
    name: str = "accounting-1",
) -> None:
    """Take RADIUS accounting on a UDP port until `stop()` is true; returns within a second of it.

    `address` may be several, with commas; `keyring` has `unseal`. A store or a spool that cannot be opened is waited
    for, and only then is the port bound: a worker that cannot acknowledge must not draw datagrams away from those that
    can. `ready` is then called with the first bound address and the port (of use with port 0), `report` about every
    second and at the end. OSError when the port cannot be bound.
    """
    with (
        awaited(lambda: RecordStore(lmdb_path), stop, AcctWorker.log) as store,
        awaited(lambda: _opened(spool_dir, name, report), stop, AcctWorker.log) as spool,
    ):
        if store is None or spool is None:
            return
        service = AcctService(keyring.unseal, duplicate_cache_seconds=duplicate_cache_seconds)
        with listening(address, port, ready) as endpoints:
            AcctWorker(endpoints, store, spool, service, clock, report, name).run(stop)


class AcctWorker(WorkerLoop[AcctService]):
    """The loop over an accounting worker's sockets."""

    log = logging.getLogger(__name__)
    batch = 1_024

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        store: RecordStore,
        spool: SpoolWriter,
        service: AcctService,
        clock: Clock,
        report: Report | None = None,
        name: str = "",
    ) -> None:
        super().__init__(endpoints, store, service, clock, report, name)
        self._spool = spool
        self._alarm = Alarm(self.log, "accounting is not acknowledged")

    def _work(self, ready: Sequence[Endpoint], tick: float) -> None:
        if not ready:
            return
        with self._store.snapshot() as records:
            self._service.begin(records)
        now = self._clock()
        arrived_at = min(self._drain(endpoint, now) or time.time() for endpoint in ready)
        self._settle(arrived_at)

    def _settle(self, arrived_at: float) -> None:
        """Make durable what was taken in, then answer it; or do neither."""
        owed, payloads = self._service.collect()
        if not owed:
            return
        try:
            self._spool.append(payloads)
        except SpoolUnavailable as error:
            self._service.count_failure(error)
            self._alarm.ring(error, time.monotonic())
            return
        self._alarm.end(time.monotonic())
        self._send_each(self._service.acknowledge(owed, time.monotonic()))
        self._latency.count(max(0.0, time.time() - arrived_at), len(owed))

    def _gauges(self) -> Mapping[str, float]:
        return {**self._service.gauges(), "spool_bytes": float(self._spool.octets), **_failing(self._alarm.rings)}


def _opened(directory: Path, name: str, report: Report | None) -> SpoolWriter:
    """The spool; that it cannot be opened is shown, for there is no worker yet that could tell."""
    try:
        return SpoolWriter(directory)
    except SpoolUnavailable:
        if report is not None:
            report(WorkerReport(name, gauges=_failing(True)))
        raise


def _failing(whether: bool) -> dict[str, float]:
    return {"spool_failing": float(whether)}
