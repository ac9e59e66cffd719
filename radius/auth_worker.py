"""One authentication worker: a blocking loop that drains a UDP socket.

Why a loop and no event loop: at saturation a datagram costs two system calls and no dispatch at all (asyncio alone
costs more than the whole answer). The worker waits in `poll`, takes a snapshot of the records, answers until the
socket is empty or a batch is full, and gives the snapshot back. So a worker answers from records that are
at most one batch old, and it never holds old pages while it sleeps.

Several workers share a port by SO_REUSEPORT. The kernel gives one client port to the same worker as long as the
set of workers stands, so a retransmission meets the cache that knows it.

Nothing may stop the worker: whatever goes wrong with a datagram or with the store is counted, logged at most once
in a while, and the loop goes on. That happens in one place, `AuthWorker.run`.
"""

from __future__ import annotations

import gc
import logging
import select
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from core.clock import Clock
from core.secrets import Keyring
from radius.auth_service import AuthService
from radius.endpoint import Endpoint, Source, open_endpoint
from radius.store import RecordStore, StoreUnavailable

_log = logging.getLogger(__name__)

_BATCH = 256
_WAIT_SECONDS = 0.25
"""Longest sleep: how soon a stop is seen."""
_LOG_EVERY_SECONDS = 10.0
_REPORT_EVERY_SECONDS = 5.0

Stop = Callable[[], bool]
Report = Callable[[Mapping[tuple[str, str], int]], None]


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
    ready: Callable[[tuple[str, int]], None] | None = None,
    report: Report | None = None,
) -> None:
    """Answer RADIUS authentication on a UDP port until `stop()` is true; returns within a second of it.

    `ready` is called once with the bound address and port (of use with port 0), `report`
    every few seconds and at the end with the counters. OSError when the port cannot be bound; a store that cannot
    be opened is waited for.
    """
    endpoint = open_endpoint(address, port)
    try:
        if ready is not None:
            ready(endpoint.name())
        store = _await_store(lmdb_path, stop)
        if store is None:
            return
        service = AuthService(
            keyring.unseal,
            reject_delay_seconds=reject_delay_seconds,
            duplicate_cache_seconds=duplicate_cache_seconds,
        )
        gc.collect()
        gc.freeze()
        try:
            AuthWorker(endpoint, store, service, clock, report).run(stop)
        finally:
            store.close()
    finally:
        endpoint.close()


def _await_store(path: Path, stop: Stop) -> RecordStore | None:
    told = ""
    while not stop():
        try:
            return RecordStore(path)
        except StoreUnavailable as error:
            if told != str(error):
                told = str(error)
                _log.error("waiting for the access records: %s", told)
            time.sleep(_WAIT_SECONDS)
    return None


class AuthWorker:
    """The loop over one socket."""

    def __init__(
        self,
        endpoint: Endpoint,
        store: RecordStore,
        service: AuthService,
        clock: Clock,
        report: Report | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._store = store
        self._service = service
        self._clock = clock
        self._report = report
        self._report_at = 0.0
        self._log_at = 0.0
        self._poll = select.poll()
        self._poll.register(endpoint, select.POLLIN)

    def run(self, stop: Stop) -> None:
        """Serve until `stop()`; the one place where exceptions end."""
        while not stop():
            try:
                self._turn()
            except Exception as error:
                self._swallow(error)
        if self._report is not None:
            self._report(self._service.counters())

    def _turn(self) -> None:
        self._poll.poll(self._patience(time.monotonic()))
        tick = time.monotonic()
        for reply, source in self._service.due(tick):
            self._send(reply, source)
        with self._store.snapshot() as records:
            self._service.begin(records)
            self._drain(self._clock().timestamp(), tick)
        if self._report is not None and tick >= self._report_at:
            self._report_at = tick + _REPORT_EVERY_SECONDS
            self._report(self._service.counters())

    def _patience(self, tick: float) -> float:
        """Milliseconds until there is something to do besides reading."""
        due = self._service.next_due()
        wait = _WAIT_SECONDS if due is None else min(_WAIT_SECONDS, max(0.0, due - tick))
        return wait * 1000

    def _drain(self, now: float, tick: float) -> None:
        """Answer what has arrived, at most a batch."""
        receive, handle, send = self._endpoint.receive, self._service.handle, self._send
        for _ in range(_BATCH):
            try:
                datagram, source = receive()
            except BlockingIOError:
                return
            reply = handle(datagram, source, now, tick)
            if reply is not None:
                send(reply, source)

    def _send(self, reply: bytes, source: Source) -> None:
        """Send without waiting: a reply that finds no room is lost like any datagram, and asked for again."""
        try:
            self._endpoint.send(reply, source)
        except OSError as error:
            self._service.count_failure(error)

    def _swallow(self, error: Exception) -> None:
        """Count, and log where it happened (never the message: it could quote a packet), now and then."""
        self._service.count_failure(error)
        if isinstance(error, StoreUnavailable | OSError):  # which the next turn may well meet again at once
            time.sleep(_WAIT_SECONDS / 4)
        tick = time.monotonic()
        if tick >= self._log_at:
            self._log_at = tick + _LOG_EVERY_SECONDS
            where = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("swallowed %s at %s:%s", type(error).__name__, where.filename, where.lineno)
