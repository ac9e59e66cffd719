"""The accounting worker: drain the socket, make the batch durable with one `fdatasync`, then answer it.

Group commit makes durability cheap: while the disk is busy with one batch the socket's buffer collects the next, so
the more arrives, the more shares a sync. There is one such worker on a host, because there is one spool to append to.

When the spool cannot take a batch (full or failing disk) nothing of it is answered. The NAS keep their records and
send them again, which is what the protocol is made for; authentication does not notice.
"""

from __future__ import annotations

import gc
import logging
import select
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from core.clock import Clock
from radius.acct_service import AcctService
from radius.endpoint import Endpoint, Source, open_endpoint
from radius.spool import SpoolUnavailable, SpoolWriter
from radius.store import RecordStore, StoreUnavailable

_log = logging.getLogger(__name__)

_BATCH = 1_024
_WAIT_SECONDS = 0.25
"""Longest sleep: how soon a stop is seen."""
_RETRY_SECONDS = 0.25
_LOG_EVERY_SECONDS = 10.0
_REPORT_EVERY_SECONDS = 5.0

Stop = Callable[[], bool]
Report = Callable[[Mapping[tuple[str, str], int]], None]
Opened = TypeVar("Opened")


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
    ready: Callable[[tuple[str, int]], None] | None = None,
    report: Report | None = None,
) -> None:
    """Take RADIUS accounting on a UDP port until `stop()` is true; returns within a second of it.

    `keyring` has `unseal`. `ready` is called once with the bound address and port (of use with port 0), `report`
    every few seconds and at the end with the counters. OSError when the port cannot be bound; a store or a spool that
    cannot be opened is waited for.
    """
    endpoint = open_endpoint(address, port)
    try:
        if ready is not None:
            ready(endpoint.name())
        store = _await(lambda: RecordStore(lmdb_path), stop)
        spool = _await(lambda: SpoolWriter(spool_dir), stop)
        if store is None or spool is None:
            return
        service = AcctService(keyring.unseal, duplicate_cache_seconds=duplicate_cache_seconds)
        gc.collect()
        gc.freeze()
        try:
            AcctWorker(endpoint, store, spool, service, clock, report).run(stop)
        finally:
            spool.close()
            store.close()
    finally:
        endpoint.close()


def _await(open_it: Callable[[], Opened], stop: Stop) -> Opened | None:
    """What `open_it` opens, as soon as it can; None when `stop()` comes first."""
    complained = ""
    while not stop():
        try:
            return open_it()
        except (StoreUnavailable, SpoolUnavailable) as error:
            if str(error) != complained:
                _log.error("accounting waits: %s", error)
            complained = str(error)
            time.sleep(_RETRY_SECONDS)
    return None


class AcctWorker:
    """The loop over one socket."""

    def __init__(
        self,
        endpoint: Endpoint,
        store: RecordStore,
        spool: SpoolWriter,
        service: AcctService,
        clock: Clock,
        report: Report | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._store = store
        self._spool = spool
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
        self._poll.poll(_WAIT_SECONDS * 1000)
        tick = time.monotonic()
        with self._store.snapshot() as records:
            self._service.begin(records)
        self._drain(tick)
        self._settle()
        if self._report is not None and tick >= self._report_at:
            self._report_at = tick + _REPORT_EVERY_SECONDS
            self._report(self._service.counters())

    def _drain(self, tick: float) -> None:
        """Take in what has arrived, at most a batch."""
        receive, handle = self._endpoint.receive, self._service.handle
        now = self._clock()
        for _ in range(_BATCH):
            try:
                datagram, source = receive()
            except BlockingIOError:
                return
            reply = handle(datagram, source, now, tick)
            if reply is not None:
                self._send(reply, source)

    def _settle(self) -> None:
        """Make durable what was taken in, then answer it; or do neither."""
        owed, payloads = self._service.collect()
        if not owed:
            return
        try:
            self._spool.append(payloads)
        except SpoolUnavailable as error:
            self._service.count("failure", type(error).__name__)
            self._complain("nothing is acknowledged: %s", error)
            return
        tick = time.monotonic()
        for each in owed:
            self._send(self._service.acknowledge(each, tick), each.source)

    def _send(self, reply: bytes, source: Source) -> None:
        """Send without waiting: a reply that finds no room is lost like any datagram, and asked for again."""
        try:
            self._endpoint.send(reply, source)
        except OSError as error:
            self._service.count("failure", type(error).__name__)

    def _swallow(self, error: Exception) -> None:
        """Count, and log where it happened (never the message: it could quote a packet)."""
        self._service.count("failure", type(error).__name__)
        if isinstance(error, StoreUnavailable | OSError):  # which the next turn may well meet again at once
            time.sleep(_RETRY_SECONDS / 4)
        where = traceback.extract_tb(error.__traceback__)[-1]
        self._complain("swallowed %s at %s:%s", type(error).__name__, where.filename, where.lineno)

    def _complain(self, message: str, *details: object) -> None:
        """Log now and then: under a flood of errors one line tells as much as a million."""
        tick = time.monotonic()
        if tick >= self._log_at:
            self._log_at = tick + _LOG_EVERY_SECONDS
            _log.error(message, *details)
