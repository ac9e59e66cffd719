"""A running RadSec worker for tests, in a thread, on a free port; and a NAS that speaks TLS with it."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from core.clock import Clock, system_clock
from radius.accounting import Received
from radius.nas_records import NasEntry
from radius.nas_table import RADSEC_SECRET
from radius.radsec_service import RadsecService
from radius.radsec_worker import run_radsec_worker
from radius.records import AccessRecord
from radius.store import RecordStore
from radius.worker_report import WorkerReport
from tests.factories_accounting import acct_attributes, acct_request
from tests.factories_auth import entries, keyring, nas, pap_request
from tests.factories_tls import Authority, Issued, client_tls
from tests.wire.acct_server import spooled
from tests.wire.worker_thread import TIMEOUT, in_thread

NAME = "bras-1.provedor.example"


def tls_nas(nas_id: int = 1, identity: str = NAME, **changes: Any) -> NasEntry:
    return nas(nas_id, f"192.0.2.{nas_id}", radsec_identity=identity, **changes)


def pap(login: bytes = b"ana", password: bytes = b"segredo", *more: Any, **options: Any) -> bytes:
    return pap_request(login, password, *more, secret=RADSEC_SECRET, **options)


def interim(session: bytes = b"81000001", **options: Any) -> bytes:
    return acct_request(acct_attributes(3, session), secret=RADSEC_SECRET, **options)


def frame(client: ssl.SSLSocket) -> bytes:
    """The next packet; b"" when the connection has ended."""
    head = _exactly(client, 4)
    return head and head + _exactly(client, int.from_bytes(head[2:]) - 4)


def _exactly(client: ssl.SSLSocket, octets: int) -> bytes:
    got = b""
    while len(got) < octets:
        try:
            piece = client.recv(octets - len(got))
        except (ConnectionError, ssl.SSLError):
            piece = b""
        if not piece:
            assert not got, "the connection ended within a packet"
            return b""
        got += piece
    return got


@dataclass
class Server:
    """`report` is the worker's last one."""

    authority: Authority
    own: Issued
    spool: Path
    store: RecordStore
    port: int = 0
    reports: list[WorkerReport] = field(default_factory=list)

    def nas(self, name: str = NAME, *, host: str = "127.0.0.1", **options: Any) -> Nas:
        """A NAS with a certificate of this name, connected to this address of ours."""
        return Nas(self, client_tls(self.authority, self.authority.issue(name, dns=[name]), **options), host)

    def told(self) -> dict[tuple[str, str], int]:
        """The counters that the worker reported last."""
        return dict(self.reports[-1].counters) if self.reports else {}

    def spooled(self) -> list[Received]:
        """All that is durable now."""
        return spooled(self.spool)

    def wait_until(self, what: Callable[[dict[tuple[str, str], int]], bool]) -> None:
        """Wait for the counters to show this."""
        deadline = time.monotonic() + TIMEOUT
        while not what(self.told()):
            assert time.monotonic() < deadline, self.told()
            time.sleep(0.02)


class Nas:
    """One TLS connection of a NAS; closes with the block."""

    def __init__(self, server: Server, context: ssl.SSLContext, host: str = "127.0.0.1") -> None:
        plain = socket.create_connection((host, server.port), TIMEOUT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket = context.wrap_socket(plain)
        except OSError:
            plain.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def receive(self) -> bytes:
        """The next reply; b"" when the connection has ended."""
        return frame(self.socket)

    def ask(self, request: bytes) -> bytes:
        self.send(request)
        return self.receive()

    def ended(self) -> bool:
        """Wait until the server has closed the connection; whether it did so without another reply."""
        return self.receive() == b""


@contextmanager
def running(
    directory: Path,
    *things: AccessRecord | NasEntry,
    authority: Authority | None = None,
    own: Issued | None = None,
    spool: Path | None = None,
    clock: Clock = system_clock,
    service: RadsecService | None = None,
    reject_delay_seconds: float = 0.2,
    address: str = "127.0.0.1",
    **options: Any,
) -> Iterator[Server]:
    """A worker that answers from these records until the block ends."""
    authority = authority or Authority(directory / "tls")
    own = own or authority.issue("radius.provedor.example", dns=["radius.provedor.example"])
    store = RecordStore(directory / "records.lmdb")
    store.apply(entries(*things), 1)
    server = Server(authority, own, spool or directory / "spool-radsec", store)
    service = service or RadsecService(keyring().unseal, reject_delay_seconds=reject_delay_seconds)
    arguments = (address, 0, authority.files(own), directory / "records.lmdb", server.spool, service, clock)
    with closing(store), in_thread(run_radsec_worker, *arguments, report=server.reports.append, **options) as serving:
        server.port = serving()
        yield server
