"""The real accounting worker on a real UDP socket."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from ipaddress import ip_address
from pathlib import Path

import pytest
from pyrad.client import Client
from pyrad.dictionary import Dictionary
from pyrad.packet import AccountingResponse

from core.clock import system_clock
from radius import attributes as a
from radius.accounting import AccountingRecord, read_record
from radius.acct_service import AcctService
from radius.acct_worker import AcctWorker, run_acct_worker
from radius.codec import Attribute
from radius.dictionaries import DICTIONARY
from radius.endpoint import open_endpoint
from radius.spool import START as BEGINNING
from radius.spool import SpoolReader, SpoolWriter, spools_in
from radius.store import RecordStore
from tests.factories_accounting import (
    FAST,
    INTERIM,
    NOW,
    START,
    STOP,
    acct_answer,
    acct_attributes,
    acct_request,
)
from tests.factories_auth import SECRET, datagram, entries, keyring, nas
from tests.ticking import FakeClock
from tests.wire.acct_server import Server, running, spooled
from tests.wire.worker_thread import TIMEOUT

LOOPBACK = nas(1, "127.0.0.0/8")
LINE: Attribute = (a.PROXY_STATE, b"a proxy's own")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_record_is_durable_when_it_is_answered(tmp_path: Path, address: str, clock: FakeClock) -> None:
    with running(tmp_path, nas(1, address), address=address, clock=clock) as server:
        request = acct_request(acct_attributes(START, b"s1", b"ana", LINE, grant=FAST))
        packet = acct_answer(server.ask(request), request)
        assert packet.attributes == (LINE,)
        [kept] = server.spooled()
        assert (kept.nas_id, kept.source, kept.at, kept.datagram) == (1, ip_address(address), NOW, request)
    assert server.counters == {("recorded", "mikrotik"): 1}


@pytest.mark.parametrize(("bound", "asked"), [("0.0.0.0", "127.1.2.3"), ("::", "::1"), ("::", "127.1.2.3")])
def test_the_answer_leaves_from_the_address_that_was_asked(tmp_path: Path, bound: str, asked: str) -> None:
    with running(tmp_path, LOOPBACK, nas(2, "::1"), address=bound) as server:
        request = acct_request(acct_attributes(START))
        acct_answer(server.ask(request, asked), request)


def test_a_retransmission_is_answered_from_memory(tmp_path: Path) -> None:
    with running(tmp_path, LOOPBACK) as server, server.client() as client:
        request = acct_request(acct_attributes(START))
        replies = set()
        for _ in range(3):
            client.send(request)
            replies.add(client.recv(4096))
        assert len(replies) == 1
        assert len(server.spooled()) == 1
    assert server.counters[("duplicate", "answered")] == 2


def test_status_server(tmp_path: Path) -> None:
    with running(tmp_path, LOOPBACK) as server:
        request = datagram([], code=a.STATUS_SERVER)
        packet = acct_answer(server.ask(request), request)
        assert packet.first(a.MESSAGE_AUTHENTICATOR) is not None
        assert server.spooled() == []


def test_what_is_not_authentic_hears_silence_and_the_worker_goes_on(tmp_path: Path) -> None:
    good = acct_request(acct_attributes(STOP), sign=True)
    bad = [
        b"",
        b"\4",
        bytes(4096),
        good[:-1],
        good[:-1] + bytes((good[-1] ^ 1,)),
        acct_request(acct_attributes(START), secret=b"guessed"),
        datagram([], code=a.STATUS_SERVER, sign=False),
        datagram(acct_attributes(START)),
    ]
    with running(tmp_path, LOOPBACK) as server, server.client() as client:
        for each in bad:
            client.send(each)
        client.send(good)
        acct_answer(client.recv(4096), good)
        assert [kept.datagram for kept in server.spooled()] == [good]
    assert sum(count for (result, _), count in server.counters.items() if result == "silence") == len(bad)


def test_a_stranger_hears_silence(tmp_path: Path) -> None:
    with running(tmp_path, nas(1, "127.0.0.2")) as server:
        request = acct_request(acct_attributes(START))
        with server.client() as stranger:
            stranger.send(request)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as friend:
            friend.bind(("127.0.0.2", 0))
            friend.settimeout(TIMEOUT)
            friend.sendto(request, (server.address, server.port))
            acct_answer(friend.recv(4096), request)
        assert [kept.source for kept in server.spooled()] == [ip_address("127.0.0.2")]
    assert server.counters[("silence", "unknown_client")] == 1


def test_a_nas_that_is_added_is_heard_without_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as server, server.client(timeout=0.05) as client:
        request = acct_request(acct_attributes(START))
        client.send(request)
        server.store.apply(entries(LOOPBACK), 2)
        for _ in range(100):
            client.send(request)
            try:
                reply = client.recv(4096)
                break
            except TimeoutError:
                continue
        acct_answer(reply, request)


def test_a_storm_is_taken_whole(tmp_path: Path) -> None:
    """Every answered record is in the spool, once; group commit keeps up with a closed loop of 200."""
    count, window = 3_000, 200
    with running(tmp_path, LOOPBACK) as server:
        clients = [server.client() for _ in range(window)]
        answered = 0
        for first in range(0, count, window):
            requests = [
                acct_request(acct_attributes(INTERIM, b"s%d" % (first + number), seconds=300), identifier=number % 256)
                for number in range(window)
            ]
            for client, request in zip(clients, requests, strict=True):
                client.send(request)
            for client, request in zip(clients, requests, strict=True):
                acct_answer(client.recv(4096), request)
                answered += 1
        for client in clients:
            client.close()
        records = [read_record(kept) for kept in server.spooled()]
    names = {record.acct_session_id for record in records if isinstance(record, AccountingRecord)}
    assert (answered, len(records), len(names)) == (count, count, count)


def test_the_worker_tells_how_it_does(tmp_path: Path) -> None:
    with running(tmp_path, LOOPBACK, name="accounting-7") as server:
        for number in range(3):
            request = acct_request(acct_attributes(START, b"s%d" % number))
            acct_answer(server.ask(request), request)
        spooled_bytes = sum(path.stat().st_size for path in server.spool.glob("*.seg"))
        before = time.time()
    last = server.reports[-1]
    assert last.name == "accounting-7"
    assert last.counters == {("recorded", "mikrotik"): 3}
    assert last.latency.answers == 3
    assert 0 < last.latency.seconds < 3 * TIMEOUT
    assert (last.gauges["spool_bytes"], last.gauges["duplicate_cache_entries"]) == (spooled_bytes, 3)
    assert before <= last.gauges["last_turn"] <= time.time()


def test_a_full_spool_acknowledges_nothing_and_recovers(tmp_path: Path) -> None:
    store, spool = RecordStore(tmp_path / "records.lmdb"), SpoolWriter(tmp_path, segment_bytes=200, limit_bytes=400)
    store.apply(entries(LOOPBACK), 1)
    endpoint = open_endpoint("127.0.0.1", 0)
    service, stopping = AcctService(keyring().unseal), threading.Event()
    worker = threading.Thread(
        target=AcctWorker([endpoint], store, spool, service, system_clock).run, args=(stopping.is_set,)
    )
    worker.start()
    server = Server("127.0.0.1", endpoint.name()[1], store, tmp_path)
    try:
        with server.client() as client:
            requests = [acct_request(acct_attributes(START, b"s%d" % number), identifier=number) for number in range(9)]
            client.settimeout(0.3)
            answered = []
            for request in requests:
                client.send(request)
                try:
                    acct_answer(client.recv(4096), request)
                    answered.append(request)
                except TimeoutError:
                    break
            kept = spooled(tmp_path)
            assert 0 < len(answered) < len(requests)
            assert [each.datagram for each in kept] == answered
            status = datagram([], code=a.STATUS_SERVER)
            client.settimeout(TIMEOUT)
            client.send(status)
            acct_answer(client.recv(4096), status)
            drained = SpoolReader(tmp_path)
            position = BEGINNING
            for _ in kept:
                position = drained.read(position, 1)[1]
            drained.drop_before(position)
            client.send(requests[len(answered)])
            acct_answer(client.recv(4096), requests[len(answered)])
    finally:
        stopping.set()
        worker.join(TIMEOUT)
        endpoint.close()
        spool.close()
        store.close()
    assert service.counters()[("failure", "SpoolFull")] == 1


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def asked_again(client: socket.socket, request: bytes) -> bytes:
    """The answer, asked for as a NAS does, from a worker that may not be there yet."""
    client.settimeout(0.1)
    for _ in range(100):
        try:
            client.send(request)
            return client.recv(4096)
        except (TimeoutError, ConnectionRefusedError):
            time.sleep(0.02)
    raise AssertionError("no answer")


def test_a_worker_without_a_spool_is_not_ready_and_takes_no_datagrams_from_those_that_have_one(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the directory should be")
    port = free_port()
    request = acct_request(acct_attributes(START))
    with (
        running(tmp_path, LOOPBACK, port=port, spool=blocked / "spool", wait=False) as server,
        server.client() as client,
    ):
        client.send(request)
        with pytest.raises(ConnectionRefusedError):  # nobody has the port
            client.recv(4096)
        blocked.unlink()
        acct_answer(asked_again(client, request), request)
        assert len(server.spooled()) == 1


def test_workers_share_a_port_and_each_has_its_spool(tmp_path: Path) -> None:
    count = 40
    with (
        running(tmp_path, LOOPBACK, spool=tmp_path / "spool") as first,
        running(tmp_path, LOOPBACK, port=first.port, spool=tmp_path / "spool-2") as second,
    ):
        for number in range(count):
            request = acct_request(acct_attributes(INTERIM, b"s%d" % number))
            acct_answer(first.ask(request), request)
        shares = [len(first.spooled()), len(second.spooled())]
    assert sum(shares) == count
    assert all(shares), "forty client ports all went to one worker"
    assert spools_in(tmp_path) == [tmp_path / "spool", tmp_path / "spool-2"]


def _serve(directory: Path, port: int) -> None:
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    run_acct_worker(
        "127.0.0.1", port, directory / "records.lmdb", directory / "spool", keyring(), system_clock, stopping.is_set
    )


def _answer_to(request: bytes, client: socket.socket) -> bytes:
    """Past the late answers to what was sent again: those carry the identifier before."""
    while (reply := client.recv(4096))[1] != request[1]:
        pass
    return reply


def test_no_acknowledged_record_is_lost_by_kill_9(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.lmdb")
    store.apply(entries(LOOPBACK), 1)
    store.close()
    port = free_port()
    spawn = multiprocessing.get_context("spawn")
    acknowledged = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(0.2)
        for life in range(2):
            server = spawn.Process(target=_serve, args=(tmp_path, port))
            server.start()
            number = 0
            while number < 60:
                request = acct_request(acct_attributes(START, b"life %d record %d" % (life, number)), identifier=number)
                try:
                    client.send(request)
                    acct_answer(_answer_to(request, client), request)
                except (TimeoutError, ConnectionRefusedError):
                    assert server.is_alive()
                    time.sleep(0.02)
                    continue
                acknowledged.append(request)
                number += 1
            server.kill()
            server.join()
            assert server.exitcode == -signal.SIGKILL
    kept = [each.datagram for each in spooled(tmp_path / "spool")]
    assert set(acknowledged) <= set(kept)


def test_pyrad_as_the_client(tmp_path: Path) -> None:
    with running(tmp_path, LOOPBACK) as server:
        client = Client(
            server=server.address, acctport=server.port, secret=SECRET, dict=Dictionary(str(DICTIONARY)), timeout=5
        )
        request = client.CreateAcctPacket(User_Name="ana", Acct_Status_Type="Start", Acct_Session_Id="s1")
        reply = client.SendPacket(request)
        client._socket.close()
        assert reply.code == AccountingResponse
        [kept] = server.spooled()
    record = read_record(kept)
    assert isinstance(record, AccountingRecord)
    assert (record.user_name, record.acct_session_id, record.status) == ("ana", "s1", START)


RADCLIENT = {
    "a start": ("acct", 'Acct-Status-Type = Start, Acct-Session-Id = "s1", User-Name = "ana"', START),
    "a stop with gigawords": (
        "acct",
        'Acct-Status-Type = Stop, Acct-Session-Id = "s1", User-Name = "ana", Acct-Session-Time = 60, '
        "Acct-Input-Octets = 5, Acct-Input-Gigawords = 2, Acct-Terminate-Cause = User-Request, "
        "Message-Authenticator = 0x00",
        STOP,
    ),
    "status": ("status", "Message-Authenticator = 0x00", None),
}


@pytest.mark.parametrize(("command", "attributes", "status"), RADCLIENT.values(), ids=RADCLIENT.keys())
def test_radclient(tmp_path: Path, command: str, attributes: str, status: int | None) -> None:
    program = shutil.which("radclient")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("radclient tests may not be skipped in CI: install freeradius-utils")
        pytest.skip("no radclient (Debian package freeradius-utils)")
    with running(tmp_path, LOOPBACK) as server:
        run = subprocess.run(
            [program, "-x", "-r", "1", "-t", "5", f"{server.address}:{server.port}", command, SECRET.decode()],
            input=attributes,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert "Received Accounting-Response" in run.stdout + run.stderr
        kept = server.spooled()
    records = [read_record(each) for each in kept]
    assert [each.status for each in records if isinstance(each, AccountingRecord)] == (
        [] if status is None else [status]
    )
    if status == STOP:
        [stop] = records
        assert isinstance(stop, AccountingRecord)
        assert (stop.input_octets, stop.session_seconds) == ((2 << 32) + 5, 60)
