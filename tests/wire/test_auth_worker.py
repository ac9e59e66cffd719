"""The real worker on a real UDP socket."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pyrad.client import Client
from pyrad.dictionary import Dictionary
from pyrad.packet import AccessAccept, AccessReject

from core.clock import system_clock
from radius.attributes import ACCESS_ACCEPT, ACCESS_REJECT, STATUS_SERVER
from radius.auth_worker import run_auth_worker
from radius.dictionaries import DICTIONARY
from radius.endpoint import open_endpoint
from radius.policy import Denial
from radius.reject_note import RejectNote
from radius.store import RecordStore
from radius.worker_report import WorkerReport
from tests.factories_auth import (
    SECRET,
    always,
    datagram,
    entries,
    keyring,
    mac_record,
    nas,
    opened,
    pap_request,
    record,
)
from tests.wire.auth_server import Server, running
from tests.wire.worker_thread import TIMEOUT

LOOPBACK = nas(1, "127.0.0.0/8")


def ask(server: Server, request: bytes, address: str = "") -> bytes:
    with server.client(address) as client:
        client.send(request)
        return client.recv(4096)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_requests_are_answered_on_both_families(tmp_path: Path, address: str) -> None:
    with running(tmp_path, nas(1, address), record(), address=address) as server:
        request = pap_request()
        assert opened(ask(server, request), request).code == ACCESS_ACCEPT
        status = datagram([], code=STATUS_SERVER)
        assert opened(ask(server, status), status).code == ACCESS_ACCEPT


@pytest.mark.parametrize(
    ("bound", "asked"), [("0.0.0.0", "127.0.0.1"), ("0.0.0.0", "127.1.2.3"), ("::", "::1"), ("::", "127.1.2.3")]
)
def test_the_reply_leaves_from_the_address_that_was_asked(tmp_path: Path, bound: str, asked: str) -> None:
    with running(tmp_path, LOOPBACK, nas(2, "::1"), record(), address=bound) as server:
        request = pap_request()
        assert opened(ask(server, request, asked), request).code == ACCESS_ACCEPT
        wrong = pap_request(password=b"errado", identifier=6)
        assert opened(ask(server, wrong, asked), wrong).code == ACCESS_REJECT


def test_a_reject_that_waits_holds_nobody_up(tmp_path: Path) -> None:
    with running(tmp_path, LOOPBACK, record()) as server, server.client() as client:
        wrong, right = pap_request(password=b"errado", identifier=1), pap_request(identifier=2)
        client.send(wrong)
        client.send(right)
        assert opened(client.recv(4096), right).code == ACCESS_ACCEPT
        assert opened(client.recv(4096), wrong).code == ACCESS_REJECT


def test_one_worker_serves_several_addresses_and_rejects_from_each(tmp_path: Path) -> None:
    with running(tmp_path, LOOPBACK, nas(2, "::1"), record(), address="127.0.0.1,127.0.0.2,::1") as server:
        for identifier, address in enumerate(("127.0.0.1", "127.0.0.2", "::1")):
            right = pap_request(identifier=identifier)
            assert opened(ask(server, right, address), right).code == ACCESS_ACCEPT
        with ExitStack() as stack:
            clients = [stack.enter_context(server.client(address)) for address in ("127.0.0.1", "127.0.0.2", "::1")]
            wrong = pap_request(password=b"errado")
            for client in clients:
                client.send(wrong)
            for client in clients:
                assert opened(client.recv(4096), wrong).code == ACCESS_REJECT


def test_the_worker_tells_how_it_does(tmp_path: Path) -> None:
    told: list[RejectNote] = []
    options: dict[str, Any] = {"name": "auth-7", "note": told.append, "reject_delay_seconds": 0.05}
    with running(tmp_path, LOOPBACK, record(), **options) as server:
        right, wrong = pap_request(identifier=1), pap_request(password=b"errado", identifier=2)
        assert opened(ask(server, right), right).code == ACCESS_ACCEPT
        assert opened(ask(server, wrong), wrong).code == ACCESS_REJECT
    last = server.reports[-1]
    assert last.name == "auth-7"
    assert last.counters == {("accept", "pap"): 1, ("reject", "wrong_password"): 1}
    assert last.latency.answers == 1, "a reject is late on purpose"
    assert last.sightings == {1: (2, 0, 0)}
    assert last.gauges["held_rejects"] == 0
    assert last.gauges["duplicate_cache_entries"] == 2
    assert [note.reason for note in told] == ["wrong_password"]


def test_a_superseded_reject_is_never_sent(tmp_path: Path) -> None:
    with running(tmp_path, LOOPBACK, record(), reject_delay_seconds=0.2) as server, server.client() as client:
        superseded = pap_request(password=b"errado", identifier=1)
        right = pap_request(identifier=1, authenticator=bytes(16))
        later = pap_request(password=b"errado", identifier=2)
        for request in (superseded, right, later):
            client.send(request)
        assert opened(client.recv(4096), right).code == ACCESS_ACCEPT
        assert opened(client.recv(4096), later).code == ACCESS_REJECT, "the held ones come in order"


def test_a_retransmission_gets_the_same_octets(tmp_path: Path) -> None:
    with running(tmp_path, LOOPBACK, record()) as server, server.client() as client:
        replies = []
        for _ in range(2):
            client.send(pap_request())
            replies.append(client.recv(4096))
        assert replies[0] == replies[1]


def test_changes_count_while_the_worker_runs(tmp_path: Path) -> None:
    with running(tmp_path) as server, server.client() as client:
        client.settimeout(0.3)
        client.send(pap_request(identifier=1))
        with pytest.raises(TimeoutError):
            client.recv(4096)
        client.settimeout(TIMEOUT)
        server.store.apply(entries(LOOPBACK, record()), 2)
        client.send(pap_request(identifier=2))
        assert client.recv(4096)[0] == ACCESS_ACCEPT
        server.store.apply(entries(record(spans=always(Denial("cancelled")))), 3)
        client.send(pap_request(identifier=3))
        assert client.recv(4096)[0] == ACCESS_REJECT
    assert server.counters["silence", "unknown_client"] == 1
    assert server.counters["reject", "cancelled"] == 1


def test_whatever_goes_wrong_with_one_datagram_the_next_is_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stolen = entries(record(login="eva"))[b"ueva"]
    with running(tmp_path, LOOPBACK, record()) as server, server.client() as client:
        server.store.apply({b"utheft": stolen, b"udamage": stolen[:60], b"uempty": b""}, 2)
        for identifier, login in enumerate((b"theft", b"damage", b"empty", b"theft")):
            client.send(pap_request(login, identifier=identifier))
            client.send(b"\x01\x02garbage")
        right = pap_request(identifier=100)
        client.send(right)
        assert opened(client.recv(4096), right).code == ACCESS_ACCEPT
    failures = {reason: count for (result, reason), count in server.counters.items() if result == "failure"}
    assert sum(failures.values()) == 4
    assert server.counters["silence", "short_datagram"] == 4
    lines = [each for each in caplog.records if "swallowed" in each.message]
    assert len(lines) == 1, "logged now and then, not each time"
    assert "segredo" not in caplog.text


def test_a_store_that_cannot_be_opened_is_waited_for(tmp_path: Path) -> None:
    in_the_way = tmp_path / "radius"
    in_the_way.write_text("a file where the directory should be")
    with running(in_the_way, wait_for_store=False) as server, server.client() as client:
        client.send(pap_request())
        in_the_way.unlink()
        store = RecordStore(in_the_way / "records.lmdb")
        store.apply(entries(LOOPBACK, record()), 1)
        client.send(pap_request())
        assert client.recv(4096)[0] == ACCESS_ACCEPT
        store.close()


def test_workers_share_a_port_and_its_clients(tmp_path: Path) -> None:
    with (
        running(tmp_path, LOOPBACK, record()) as first,
        running(tmp_path, LOOPBACK, record(), port=first.port) as second,
    ):
        assert second.port == first.port
        for identifier in range(40):
            request = pap_request(identifier=identifier)
            assert opened(ask(first, request), request).code == ACCESS_ACCEPT
    counted = [server.counters.get(("accept", "pap"), 0) for server in (first, second)]
    assert sum(counted) == 40
    assert all(counted), "forty client ports all went to one worker"


def test_a_port_on_an_address_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        open_endpoint("192.0.2.1", 0)


def _serve(path: Path, announce: multiprocessing.connection.Connection) -> None:
    """A worker process as a supervisor starts it: SIGTERM raises a flag and nothing more."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    counters: dict[tuple[str, str], int] = {}

    def report(told: WorkerReport) -> None:
        counters.update(told.counters)

    run_auth_worker(
        "127.0.0.1",
        0,
        path,
        keyring(),
        system_clock,
        lambda: bool(stopping),
        ready=announce.send,
        report=report,
    )
    announce.send(counters)


def test_a_worker_process_answers_and_stops_on_sigterm(tmp_path: Path) -> None:
    path = tmp_path / "records.lmdb"
    store = RecordStore(path)
    store.apply(entries(LOOPBACK, record()), 1)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(path, theirs))
    process.start()
    try:
        assert ours.poll(30), "the worker did not start"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(TIMEOUT)
            client.connect(ours.recv())
            request = pap_request()
            client.send(request)
            assert opened(client.recv(4096), request).code == ACCESS_ACCEPT
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        assert ours.poll(TIMEOUT), "the worker did not stop"
        assert ours.recv() == {("accept", "pap"): 1}
        process.join(TIMEOUT)
        assert process.exitcode == 0
    finally:
        process.kill()
        store.close()


PYRAD = {
    "PAP": ({"User-Name": "ana"}, b"segredo", AccessAccept),
    "PAP, wrong": ({"User-Name": "ana"}, b"errado", AccessReject),
    "unknown user": ({"User-Name": "eva"}, b"segredo", AccessReject),
    "MAC": ({"User-Name": "1:2:0:5e:10:0:1"}, b"", AccessAccept),
}


@pytest.mark.parametrize(("given", "password", "code"), PYRAD.values(), ids=PYRAD.keys())
def test_pyrad_understands_the_replies(tmp_path: Path, given: dict[str, str], password: bytes, code: int) -> None:
    things = nas(1, "127.0.0.1", mac_auth=True), record(), mac_record()
    with running(tmp_path, *things, reject_delay_seconds=0.1) as server:
        client = Client("127.0.0.1", server.port, secret=SECRET, dict=Dictionary(str(DICTIONARY)))
        client.timeout = TIMEOUT
        request = client.CreateAuthPacket(**{name.replace("-", "_"): value for name, value in given.items()})
        request["User-Password"] = request.PwCrypt(password)
        request["Proxy-State"] = [b"one", b"two"]
        request.add_message_authenticator()
        try:
            reply = client.SendPacket(request)
        finally:
            client._CloseSocket()
        assert reply.code == code
        assert reply["Proxy-State"] == [b"one", b"two"]
        assert next(iter(reply.keys())) == "Message-Authenticator"
        if code == AccessAccept:
            assert reply["Mikrotik-Rate-Limit"] == ["50M/100M"]
            assert reply["Mikrotik-Address-List"] == ["active"]
            assert reply["Acct-Interim-Interval"] == [300]
