"""The RADIUS process tree: it starts whole or not at all, mends itself, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import radius.processes
from bench.host import free_ports
from core.database import Database
from core.runtime import Runtime
from core.settings import Settings
from radius import nas, replica
from radius.attributes import ACCESS_ACCEPT
from radius.child_process import encode_settings
from radius.processes import RadiusNotStarted, RadiusProcesses
from radius.records import pack
from radius.sessions import open_sessions
from radius.spool import spool_of
from tests.factories_accounting import START, acct_answer, acct_attributes, acct_request, received, spool_up
from tests.factories_auth import opened, pap_request, record
from tests.outage import outage
from tests.radclient import need_radclient

SECRET = "xyzzy5461"
PATIENCE = 60.0
"""Seconds after which a test gives up; nothing is expected to take them."""


def await_that(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def settings(database: Database, migrated_url: str, tmp_path: Path) -> Settings:
    """For processes that share the test's database and keys; one NAS, loopback, and Ana may log in."""
    return prepared(database, migrated_url, tmp_path)


@pytest.fixture
def embedded(migrated_sqlite: Path, tmp_path: Path) -> Settings:
    """The same on SQLite, for what does not depend on the kind of database."""
    shutil.copy(migrated_sqlite, tmp_path / "catraca.db")
    with database_of(Settings(data_dir=tmp_path)) as database:
        return prepared(database, f"sqlite:///{tmp_path / 'catraca.db'}", tmp_path)


@contextmanager
def database_of(settings: Settings) -> Iterator[Database]:
    runtime = Runtime.open(settings)
    yield runtime.database
    runtime.close()


def prepared(database: Database, url: str, data_dir: Path) -> Settings:
    with database.transaction() as tx:
        nas.add_nas(tx, name="bras-1", network="127.0.0.0/8", secret=SECRET)
        replica.put(tx, pack(record(), tx.keyring.seal))
    auth, acct = free_ports(2)
    return Settings(
        data_dir=data_dir,
        database_url=url,
        radius_address="127.0.0.1",
        radius_auth_port=auth,
        radius_acct_port=acct,
        log_level="warning",
    )


@contextmanager
def running(settings: Settings) -> Iterator[RadiusProcesses]:
    processes = RadiusProcesses(settings)
    processes.start()
    try:
        yield processes
    finally:
        processes.stop()


def ask(port: int, request: bytes) -> bytes:
    """The answer, asked for again and again as a NAS does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(0.25)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                client.send(request)
                return client.recv(4096)
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.02)
    raise AssertionError("no answer")


def log_in(settings: Settings, login: bytes = b"ana", **options: Any) -> int:
    request = pap_request(login, b"segredo", **options)
    return opened(ask(settings.radius_auth_port, request), request).code


def account(settings: Settings, session: bytes) -> None:
    request = acct_request(acct_attributes(START, session, b"ana"))
    acct_answer(ask(settings.radius_acct_port, request), request)


def sessions(database: Database) -> list[str]:
    with database.reading() as tx:
        return sorted(each.acct_session_id for each in open_sessions(tx))


def gone(pids: dict[str, int]) -> bool:
    def dead(pid: int) -> bool:
        status = Path(f"/proc/{pid}/stat")
        try:
            return status.read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    return all(map(dead, pids.values()))


def test_from_the_database_to_the_wire_and_back(settings: Settings, database: Database) -> None:
    with running(settings) as processes:
        assert processes.alive() == {"sync": True, "auth-1": True, "accounting-1": True}
        pids = processes.pids()
        assert log_in(settings) == ACCESS_ACCEPT, "the first records are there when start() returns"
        account(settings, b"s1")
        await_that(lambda: sessions(database) == ["s1"])
        with database.transaction() as tx:
            replica.put(tx, pack(record(9, "bia"), tx.keyring.seal))
        await_that(lambda: log_in(settings, b"bia", identifier=int(time.monotonic() * 50) % 256) == ACCESS_ACCEPT)
    assert processes.alive() == {"sync": False, "auth-1": False, "accounting-1": False}
    assert gone(pids)
    processes.stop()


def test_several_workers_share_a_port(embedded: Settings) -> None:
    with running(embedded.model_copy(update={"radius_workers": 3, "radius_acct_workers": 2})) as processes:
        names = ["accounting-1", "accounting-2", "auth-1", "auth-2", "auth-3", "sync"]
        assert sorted(processes.alive()) == names
        for identifier in range(20):
            assert log_in(embedded, identifier=identifier) == ACCESS_ACCEPT
        for number in range(20):
            account(embedded, b"s%d" % number)
        with database_of(embedded) as database:
            await_that(lambda: len(sessions(database)) == 20)


def test_what_a_worker_that_is_no_more_had_acknowledged_is_not_lost(embedded: Settings) -> None:
    left = spool_of(embedded.spool_dir, 3)
    spool_up(left, received(acct_attributes(START, b"left behind"), source="127.0.0.1"))
    with running(embedded), database_of(embedded) as database:
        await_that(lambda: sessions(database) == ["left behind"])


def test_ipv4_and_ipv6_at_once(embedded: Settings) -> None:
    with database_of(embedded) as database, database.transaction() as tx:
        nas.add_nas(tx, name="bras-2", network="::1", secret=SECRET)
    with running(embedded.model_copy(update={"radius_address": "0.0.0.0,::"})):
        assert log_in(embedded) == ACCESS_ACCEPT
        need_radclient()
        for port, command, attributes, expected in (
            (embedded.radius_auth_port, "auth", 'User-Name = "ana", User-Password = "segredo"', "Access-Accept"),
            (
                embedded.radius_acct_port,
                "acct",
                'User-Name = "ana", Acct-Session-Id = "s6", Acct-Status-Type = Start',
                "Accounting-Response",
            ),
        ):
            told = subprocess.run(
                ["radclient", "-6", "-x", "-r", "3", "-t", "10", f"[::1]:{port}", command, SECRET],
                input=f"{attributes}, Message-Authenticator = 0x00",
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert f"Received {expected}" in told.stdout, told.stdout + told.stderr
        with database_of(embedded) as database:
            await_that(lambda: sessions(database) == ["s6"])


def test_where_there_is_no_room_for_a_spool_authentication_is_served_all_the_same(
    embedded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(radius.processes, "SPOOL_SECONDS", 0.5)
    embedded.spool_dir.parent.mkdir(parents=True, exist_ok=True)
    in_the_way = embedded.spool_dir / "lock"
    in_the_way.mkdir(parents=True)
    with running(embedded), database_of(embedded) as database:
        assert log_in(embedded) == ACCESS_ACCEPT
        in_the_way.rmdir()
        account(embedded, b"room again")
        await_that(lambda: sessions(database) == ["room again"])


def test_a_process_that_is_killed_comes_back(embedded: Settings) -> None:
    with running(embedded) as processes:
        before = processes.pids()
        for name, pid in before.items():
            os.kill(pid, signal.SIGKILL)
            await_that(lambda name=name: processes.pids().get(name, before[name]) != before[name])  # type: ignore[misc]
        assert log_in(embedded, identifier=77) == ACCESS_ACCEPT
        account(embedded, b"after the crash")
        with database_of(embedded) as database:
            await_that(lambda: sessions(database) == ["after the crash"])


def test_records_acknowledged_while_the_drainer_is_dead_are_not_lost(embedded: Settings) -> None:
    with running(embedded) as processes, database_of(embedded) as database:
        os.kill(processes.pids()["sync"], signal.SIGKILL)
        for number in range(10):
            account(embedded, b"s%d" % number)
        await_that(lambda: sessions(database) == [f"s{number}" for number in range(10)])


PARENT = """
import json, sys, time
from core.settings import Settings
from radius.processes import RadiusProcesses
processes = RadiusProcesses(Settings(**json.loads(sys.stdin.readline())))
processes.start()
print(*processes.pids().values(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_the_children_go_with_their_parent(embedded: Settings, how: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write(encode_settings(embedded))
    parent.stdin.flush()
    pids = {str(number): int(pid) for number, pid in enumerate(parent.stdout.readline().split())}
    assert len(pids) == 3
    parent.send_signal(how)
    parent.wait()
    await_that(lambda: gone(pids))
    parent.stdin.close()
    parent.stdout.close()


def test_a_process_that_does_not_listen_is_ended_by_force(embedded: Settings) -> None:
    with running(embedded) as processes:
        pids = processes.pids()
        for pid in pids.values():
            os.kill(pid, signal.SIGSTOP)
    assert gone(pids)


def refused(settings: Settings, **changes: Any) -> str:
    processes = RadiusProcesses(settings.model_copy(update=changes))
    with pytest.raises(RadiusNotStarted) as caught:
        processes.start()
    assert not any(processes.alive().values()), "nothing is left running"
    return caught.value.detail


@pytest.mark.parametrize("port", ["radius_auth_port", "radius_acct_port"])
def test_a_port_that_somebody_has_is_named(embedded: Settings, port: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", getattr(embedded, port)))
        detail = refused(embedded)
    assert str(getattr(embedded, port)) in detail
    assert "another program has it" in detail


def test_port_0_is_refused_because_workers_could_not_share_it(embedded: Settings) -> None:
    assert "radius_auth_port is 0" in refused(embedded, radius_auth_port=0)


@pytest.mark.parametrize("address", ["localhost", "203.0.113.77"], ids=["a name", "another host's address"])
def test_an_address_that_cannot_be_had(embedded: Settings, address: str) -> None:
    assert address in refused(embedded, radius_address=address)


def test_without_records_and_without_a_database_there_is_nothing_to_serve(embedded: Settings, tmp_path: Path) -> None:
    empty = Settings(
        data_dir=tmp_path / "empty",
        radius_address="127.0.0.1",
        radius_auth_port=embedded.radius_auth_port,
        radius_acct_port=embedded.radius_acct_port,
        log_level="error",
    )
    detail = refused(empty)
    assert "no access records here yet" in detail
    assert "catraca migrate" in detail


def test_with_records_but_without_a_database_authentication_and_accounting_go_on(
    settings: Settings, database: Database
) -> None:
    with running(settings):
        assert log_in(settings) == ACCESS_ACCEPT
    with outage(database, "replica_counter"), running(settings):
        assert log_in(settings, identifier=6) == ACCESS_ACCEPT
        account(settings, b"during the outage")
    with running(settings):
        await_that(lambda: sessions(database) == ["during the outage"])


def test_access_records_that_are_deleted_are_made_anew_and_all_processes_use_them(embedded: Settings) -> None:
    with running(embedded) as processes:
        before = processes.pids()
        log_in(embedded)
        account(embedded, b"s1")
        embedded.lmdb_path.unlink()
        await_that(lambda: embedded.lmdb_path.exists())
        await_that(lambda: all(processes.pids().get(name, pid) != pid for name, pid in before.items()))
        with database_of(embedded) as database, database.transaction() as tx:
            replica.put(tx, pack(record(9, "bia"), tx.keyring.seal))
        await_that(lambda: log_in(embedded, b"bia", identifier=int(time.monotonic() * 50) % 256) == ACCESS_ACCEPT)
