"""One authentication worker: answer a batch of requests from one snapshot of the records, and send the rejects whose
second is over.

Several workers share a port by SO_REUSEPORT. The kernel gives one client port to the same worker as long as the
set of workers stands, so a retransmission meets the cache that knows it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.clock import Clock
from core.secrets import Keyring
from radius.auth_service import AuthService, Note
from radius.endpoint import Endpoint
from radius.steady_loop import Ready, Report, Stop, patience
from radius.store import RecordStore
from radius.worker_loop import WorkerLoop, awaited, listening


def run_auth_worker(
    address: str,
    port: int,
    lmdb_path: Path,
    keyring: Keyring,
    clock: Clock,
    stop: Stop,
    *,
    reject_delay_seconds: float = 1.0,
    duplicate_cache_seconds: float = 10.0,
    ready: Ready | None = None,
    report: Report | None = None,
    note: Note | None = None,
    name: str = "auth-1",
) -> None:
    """Answer RADIUS authentication on a UDP port until `stop()` is true; returns within a second of it.

    `address` may be several, with commas. `ready` is called once with the first bound address and the port (of use with
    port 0), `report` about every second and at the end, `note` of each reject. OSError when the port cannot be bound; a
    store that cannot be opened is waited for.
    """
    with (
        listening(address, port, ready) as endpoints,
        awaited(lambda: RecordStore(lmdb_path), stop, AuthWorker.log) as store,
    ):
        if store is None:
            return
        service = AuthService(
            keyring.unseal,
            reject_delay_seconds=reject_delay_seconds,
            duplicate_cache_seconds=duplicate_cache_seconds,
            note=note,
        )
        AuthWorker(endpoints, store, service, clock, report, name).run(stop)


class AuthWorker(WorkerLoop[AuthService]):
    """The loop over an authentication worker's sockets."""

    log = logging.getLogger(__name__)
    batch = 256

    def _work(self, ready: Sequence[Endpoint], tick: float) -> None:
        if due := list(self._service.due(tick)):
            self._send_each(due)
        if not ready:
            return
        with self._store.snapshot() as records:
            self._service.begin(records)
            now = self._clock().timestamp()
            for endpoint in ready:
                self._drain(endpoint, now)

    def _patience(self, tick: float) -> float:
        return patience(self._service.next_due(), tick)

    def _gauges(self) -> Mapping[str, float]:
        return self._service.gauges()
