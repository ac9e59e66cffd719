"""A running accounting worker for tests: the product's own entry point, in a thread, on a free port."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.clock import Clock, system_clock
from radius.accounting import Received, unpack_received
from radius.acct_worker import run_acct_worker
from radius.nas_records import NasEntry
from radius.spool import START, SpoolReader
from radius.store import RecordStore
from radius.worker_report import WorkerReport
from tests.factories_auth import entries, keyring
from tests.wire.worker_thread import TIMEOUT, in_thread


@dataclass
class Server:
    """`counters` and `reports` are complete once the worker has stopped."""

    address: str
    port: int
    store: RecordStore
    spool: Path
    counters: dict[tuple[str, str], int] = field(default_factory=dict)
    reports: list[WorkerReport] = field(default_factory=list)

    def client(self, address: str = "", timeout: float = TIMEOUT) -> socket.socket:
        """A UDP socket connected to the worker, so that it hears nobody else."""
        address = address or self.address
        client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        client.settimeout(timeout)
        client.connect((address, self.port))
        return client

    def ask(self, request: bytes, address: str = "") -> bytes:
        with self.client(address) as client:
            client.send(request)
            return client.recv(4096)

    def report(self, told: WorkerReport) -> None:
        self.reports.append(told)
        self.counters.update(told.counters)

    def spooled(self) -> list[Received]:
        """All that is durable now."""
        return spooled(self.spool)


def spooled(directory: Path) -> list[Received]:
    reader, position = SpoolReader(directory), START
    found: list[Received] = []
    while True:
        payloads, position = reader.read(position)
        if not payloads:
            return found
        opened = [unpack_received(payload) for payload in payloads]
        found += [each for each in opened if isinstance(each, Received)]


@contextmanager
def running(
    directory: Path,
    *clients: NasEntry,
    address: str = "127.0.0.1",
    port: int = 0,
    spool: Path | None = None,
    clock: Clock = system_clock,
    wait: bool = True,
    **options: Any,
) -> Iterator[Server]:
    """A worker for these NAS until the block ends; not `wait`: it may not yet serve, and then `port` is to be given."""
    store = RecordStore(directory / "records.lmdb")
    store.apply(entries(*clients), 1)
    server = Server(address, 0, store, spool or directory / "spool")
    arguments = (address, port, directory / "records.lmdb", server.spool, keyring(), clock)
    with closing(store), in_thread(run_acct_worker, *arguments, report=server.report, **options) as serving:
        server.port = serving() if wait else port
        yield server
