"""The RadSec process: all TLS connections of one host in one loop that never waits for any of them.

A turn takes a snapshot of the records, reads what has arrived from whoever may be read, answers, and sends. What may
take long has its own place: the disk a thread (`radius.radsec_commit`), handshakes a bounded part of a turn
(`radius.radsec_connections`). A peer that sends or reads slowly waits for itself alone.
"""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from core.clock import Clock
from radius.alarm import Alarm
from radius.radsec_commit import Batch, Committer
from radius.radsec_connection import Connection, Gone, Source
from radius.radsec_connections import Connections
from radius.radsec_listeners import Listeners, allow_many_files
from radius.radsec_service import RadsecService
from radius.radsec_tls import TlsFiles, WatchedContext, server_context
from radius.spool import SpoolWriter
from radius.steady_loop import Ready, Report, SteadyLoop, Stop, patience
from radius.store import RecordStore, StoreUnavailable
from radius.worker_loop import awaited
from radius.worker_report import WorkerReport

NAME = "radsec"
_SWEEP_SECONDS = 1.0
_PACKETS_A_TURN = 2_048


def run_radsec_worker(
    address: str,
    port: int,
    files: TlsFiles,
    lmdb_path: Path,
    spool_dir: Path,
    service: RadsecService,
    clock: Clock,
    stop: Stop,
    *,
    idle_seconds: float = 900.0,
    ready: Ready | None = None,
    report: Report | None = None,
) -> None:
    """Serve RADIUS over TLS on a TCP port until `stop()` is true; returns within two seconds of it.

    `address` may be several, with commas. `ready` is called once with the first bound address and the port, `report`
    every second and at the end. OSError when the port cannot be bound, TlsUnusable when the files cannot be used at the
    start. A store that cannot be opened is waited for; without a spool accounting is not acknowledged and the rest goes
    on.
    """
    tls = WatchedContext(files, server_context)
    most = allow_many_files()
    with (
        closing(Listeners(address, port)) as listeners,
        awaited(lambda: RecordStore(lmdb_path), stop, RadsecWorker.log) as store,
        closing(Committer(lambda: SpoolWriter(spool_dir))) as committer,
    ):
        if store is None:
            return
        with closing(Connections(listeners, tls, service, idle_seconds=idle_seconds, most=most)) as connections:
            if ready is not None:
                ready(listeners.name())
            RadsecWorker(connections, store, service, committer, clock, report).run(stop)


class RadsecWorker(SteadyLoop):
    """The loop over all connections."""

    log = logging.getLogger(__name__)

    def __init__(
        self,
        connections: Connections,
        store: RecordStore,
        service: RadsecService,
        committer: Committer,
        clock: Clock,
        report: Report | None = None,
    ) -> None:
        super().__init__(service, report)
        self._connections = connections
        self._store = store
        self._service = service
        self._committer = committer
        self._clock = clock
        self._touched: dict[int, Connection] = {}
        self._sweep_at = 0.0
        self._alarm = Alarm(self.log, "accounting over TLS is not acknowledged")
        connections.also_wait_for(committer.fileno())

    def _turn(self) -> None:
        tick = time.monotonic()
        events = self._connections.wait(patience(self._service.next_due(), tick), tick)
        tick = time.monotonic()
        if self._committer.fileno() in events:
            self._acknowledge(tick)
        with self._store.snapshot() as records:
            if self._service.begin(records):
                self._connections.look_again()
            self._release_rejects(tick)
            answered = self._read(events, tick)
        self._commit(tick)
        self._flush(events, tick)
        if answered:
            self._latency.count(time.monotonic() - tick, answered)
        self._connections.shake_hands(events, tick)
        self._connections.accept(events, tick)
        if tick >= self._sweep_at:
            self._sweep_at = tick + _SWEEP_SECONDS
            self._connections.sweep(tick, time.time())
        self._tell(tick)

    def _read(self, files: Iterable[int], tick: float) -> int:
        """Take in what has arrived, a bounded number of packets; who is not reached is first in the next turn."""
        waiting, self._connections.unread = self._connections.unread, {}
        waiting |= {each.number: each for each in self._connections.among(files)}
        now, taken, answered = self._clock(), 0, 0
        for number, connection in waiting.items():
            if taken >= _PACKETS_A_TURN:
                self._connections.unread[number] = connection
            elif connection.events() & select.EPOLLIN and self._connections.get(number):
                try:
                    packets, more = connection.receive(tick)
                    taken += len(packets)
                    answered += sum(self._answer(packet, connection, now, tick) for packet in packets)
                except Gone as gone:
                    self._connections.cut(connection, gone.reason)
                    continue
                if more:
                    self._connections.unread[number] = connection
        return answered

    def _answer(self, packet: bytes, connection: Connection, now: datetime, tick: float) -> int:
        client = connection.client
        assert client is not None  # noqa: S101
        try:
            reply = self._service.handle(packet, client, connection.source, now, tick)
        except (Gone, StoreUnavailable):
            raise
        except Exception as error:
            self._swallow(error)
            return 0
        if reply is None:
            return 0
        self._queue(connection, reply)
        return 1

    def _release_rejects(self, tick: float) -> None:
        for reply, source in self._service.due(tick):
            self._queue_for(source, reply)

    def _commit(self, tick: float) -> None:
        if not self._committer.busy:
            owed, payloads = self._service.collect()
            if owed:
                self._committer.begin(Batch(owed, payloads, tick))

    def _acknowledge(self, tick: float) -> None:
        ended = self._committer.ended()
        if ended is None:
            return
        batch, error = ended
        if error is not None:
            self._service.count_failure(error)
            self._alarm.ring(error, tick)
            return
        self._alarm.end(tick)
        for reply, source in self._service.acknowledge(batch.owed, tick):
            self._queue_for(source, reply)
        self._latency.count(tick - batch.tick, len(batch.owed))

    def _queue_for(self, source: Source, reply: bytes) -> None:
        """A reply whose connection has gone goes nowhere: the Identifiers of another one are others."""
        connection = self._connections.get(source[2])
        if connection is not None:
            self._queue(connection, reply)

    def _queue(self, connection: Connection, reply: bytes) -> None:
        connection.queue(reply)
        self._touched[connection.number] = connection

    def _flush(self, events: dict[int, int], tick: float) -> None:
        """Send what there is to whoever was answered, and to whoever has room again or has hung up."""
        stirred = (file for file, event in events.items() if event & ~select.EPOLLIN)
        self._touched |= {each.number: each for each in self._connections.among(stirred)}
        touched, self._touched = self._touched, {}
        for number, connection in touched.items():
            if self._connections.get(number):
                try:
                    connection.flush(tick)
                    self._connections.watch(connection)
                except Gone as gone:
                    self._connections.cut(connection, gone.reason)

    def _told(self) -> WorkerReport:
        gauges = {
            **self._service.gauges(),
            **self._committer.gauges(),
            "radsec_connections": float(len(self._connections)),
            "radsec_handshakes": float(self._connections.handshakes),
            "last_turn": time.time(),
        }
        return WorkerReport(NAME, self._service.counters(), self._latency.latency(), gauges=gauges)
