"""The accounting worker: drain the socket, make the batch durable with one `fdatasync`, then answer it.

Group commit makes durability cheap: while the disk is busy with one batch the socket's buffer collects the next, so
the more arrives, the more shares a sync. There is one such worker on a host, because there is one spool to append to.

When the spool cannot take a batch (full or failing disk) nothing of it is answered. The NAS keep their records and
send them again, which is what the protocol is made for; authentication does not notice.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from core.clock import Clock
from radius.acct_service import AcctService
from radius.endpoint import Endpoint
from radius.spool import SpoolUnavailable, SpoolWriter
from radius.store import RecordStore
from radius.worker_loop import Ready, Report, Stop, WorkerLoop, awaited, listening


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
) -> None:
    """Take RADIUS accounting on a UDP port until `stop()` is true; returns within a second of it.

    `keyring` has `unseal`. `ready` is called once with the bound address and port (of use with port 0), `report`
    every few seconds and at the end with the counters. OSError when the port cannot be bound; a store or a spool that
    cannot be opened is waited for.
    """
    with (
        listening(address, port, ready) as endpoint,
        awaited(lambda: RecordStore(lmdb_path), stop, AcctWorker.log) as store,
        awaited(lambda: SpoolWriter(spool_dir), stop, AcctWorker.log) as spool,
    ):
        if store is None or spool is None:
            return
        service = AcctService(keyring.unseal, duplicate_cache_seconds=duplicate_cache_seconds)
        AcctWorker(endpoint, store, spool, service, clock, report).run(stop)


class AcctWorker(WorkerLoop[AcctService]):
    """The loop over one socket."""

    log = logging.getLogger(__name__)
    batch = 1_024

    def __init__(
        self,
        endpoint: Endpoint,
        store: RecordStore,
        spool: SpoolWriter,
        service: AcctService,
        clock: Clock,
        report: Report | None = None,
    ) -> None:
        super().__init__(endpoint, store, service, clock, report)
        self._spool = spool

    def _work(self, tick: float) -> None:
        with self._store.snapshot() as records:
            self._service.begin(records)
        self._drain(self._clock(), tick)
        self._settle()

    def _settle(self) -> None:
        """Make durable what was taken in, then answer it; or do neither."""
        owed, payloads = self._service.collect()
        if not owed:
            return
        try:
            self._spool.append(payloads)
        except SpoolUnavailable as error:
            self._service.count_failure(error)
            if self._may_complain():
                self.log.error("nothing is acknowledged: %s", error)
            return
        tick = time.monotonic()
        for each in owed:
            self._send(self._service.acknowledge(each, tick), each.source)
