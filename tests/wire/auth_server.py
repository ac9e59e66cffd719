"""A running authentication worker for tests: the product's own entry point, in a thread, on a free port."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.clock import system_clock
from radius.auth_worker import run_auth_worker
from radius.nas_records import NasEntry
from radius.records import AccessRecord
from radius.store import RecordStore
from radius.worker_report import WorkerReport
from tests.factories_auth import entries, keyring
from tests.wire.worker_thread import TIMEOUT, in_thread


@dataclass
class Server:
    """`counters` and `reports` are complete once the worker has stopped."""

    address: str
    port: int
    _store: RecordStore | None
    counters: dict[tuple[str, str], int] = field(default_factory=dict)
    reports: list[WorkerReport] = field(default_factory=list)

    @property
    def store(self) -> RecordStore:
        assert self._store is not None
        return self._store

    def report(self, told: WorkerReport) -> None:
        self.reports.append(told)
        self.counters.update(told.counters)

    def client(self, address: str = "") -> socket.socket:
        """A UDP socket connected to the worker, so that it hears nobody else."""
        address = address or self.address
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        client = socket.socket(family, socket.SOCK_DGRAM)
        client.settimeout(TIMEOUT)
        client.connect((address, self.port))
        return client


@contextmanager
def running(
    directory: Path,
    *things: AccessRecord | NasEntry,
    address: str = "127.0.0.1",
    port: int = 0,
    wait_for_store: bool = True,
    **options: Any,
) -> Iterator[Server]:
    """A worker that answers from these records until the block ends."""
    path = directory / "records.lmdb"
    store = RecordStore(path) if wait_for_store else None
    if store is not None:
        store.apply(entries(*things), 1)
    server = Server(address, 0, store)
    arguments = (address, port, path, keyring(), system_clock)
    with (
        closing(store) if store else nullcontext(),
        in_thread(run_auth_worker, *arguments, report=server.report, **options) as serving,
    ):
        server.port = serving()
        yield server
