"""RadSec in the process tree: from the database to TLS and back, and what stops it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from bench.host import free_ports
from core.database import Database
from core.settings import Settings
from radius import nas, replica
from radius.metrics import read_shown
from radius.models import Nas, Session
from radius.records import pack
from tests.factories_accounting import acct_answer, acct_attributes, acct_request
from tests.factories_auth import opened, record
from tests.factories_tls import Authority, client_tls
from tests.integration.test_processes import await_that, refused, running
from tests.wire.radsec_server import NAME, frame, pap
from tests.wire.worker_thread import TIMEOUT

RADSEC = b"radsec"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls")


@pytest.fixture
def settings(database: Database, migrated_url: str, tmp_path: Path, authority: Authority) -> Settings:
    """One NAS that speaks TLS, and Ana may log in."""
    with database.transaction() as tx:
        nas.add_nas(tx, name="bras-1", network="192.0.2.1", secret="unused over TLS", radsec_identity=NAME)
        replica.put(tx, pack(record(), tx.keyring.seal))
    own = authority.issue("radius.provedor.example")
    auth, acct = free_ports(2)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Settings(
        data_dir=tmp_path,
        database_url=migrated_url,
        radius_address="127.0.0.1",
        radius_auth_port=auth,
        radius_acct_port=acct,
        radsec_port=port,
        radsec_certificate=own.certificate,
        radsec_private_key=own.private_key,
        radsec_ca=authority.ca,
        log_level="warning",
    )


def ask(settings: Settings, authority: Authority, request: bytes) -> bytes:
    """The answer over a connection of its own; b"" when none can be had."""
    context = client_tls(authority, authority.issue(NAME, dns=[NAME]))
    try:
        with (
            socket.create_connection(("127.0.0.1", settings.radsec_port), TIMEOUT) as plain,
            context.wrap_socket(plain) as tls,
        ):
            tls.sendall(request)
            return frame(tls)
    except OSError:
        return b""


def account(settings: Settings, authority: Authority, session: bytes) -> None:
    request = acct_request(acct_attributes(1, session), secret=RADSEC)
    acct_answer(ask(settings, authority, request), request, RADSEC)


def sessions(database: Database) -> Iterator[tuple[str, str, int]]:
    with database.reading() as tx:
        for each in tx.session.scalars(select(Session).order_by(Session.id)):
            yield each.acct_session_id, str(each.nas_address), each.nas_id


def nas_ids(database: Database) -> list[int]:
    with database.reading() as tx:
        return list(tx.session.scalars(select(Nas.id)))


def test_from_the_database_to_tls_and_back(settings: Settings, database: Database, authority: Authority) -> None:
    with running(settings) as processes:
        assert processes.alive()["radsec"]
        request = pap()
        assert opened(ask(settings, authority, request), request, RADSEC).code == 2
        account(settings, authority, b"s1")
        [nas_id] = nas_ids(database)
        await_that(lambda: list(sessions(database)) == [("s1", "127.0.0.1", nas_id)])
        os.kill(processes.pids()["radsec"], signal.SIGKILL)
        await_that(lambda: ask(settings, authority, request) != b"")
        account(settings, authority, b"s2")
        await_that(lambda: len(list(sessions(database))) == 2)
        await_that(lambda: "radsec" in {each.report.name for each in read_shown(settings.data_dir / "radius")})
        with database.transaction() as tx:
            nas.change_nas(tx, nas_id, radsec_identity="bras-2.provedor.example")
        await_that(lambda: ask(settings, authority, request) == b"")
    assert not processes.alive()["radsec"]


def test_without_a_certificate_there_is_no_radsec(settings: Settings) -> None:
    none = {"radsec_certificate": None, "radsec_private_key": None, "radsec_ca": None}
    with running(settings.model_copy(update=none)) as processes:
        assert "radsec" not in processes.alive()


def test_files_that_cannot_be_used_are_named(settings: Settings) -> None:
    assert "radsec_ca" in refused(settings, radsec_ca=settings.radsec_private_key)
    assert "/nowhere.pem" in refused(settings, radsec_certificate=Path("/nowhere.pem"))


def test_a_port_that_somebody_has_is_named(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.radsec_port)):
        assert f"TCP port {settings.radsec_port} on 127.0.0.1" in refused(settings)


@pytest.mark.parametrize("missing", ["radsec_certificate", "radsec_private_key", "radsec_ca"])
def test_the_three_files_go_together(tmp_path: Path, missing: str) -> None:
    named = {name: tmp_path / name for name in ("radsec_certificate", "radsec_private_key", "radsec_ca")}
    del named[missing]
    with pytest.raises(ValueError, match="set all three, or none"):
        Settings(data_dir=tmp_path, **named)  # type: ignore[arg-type]
