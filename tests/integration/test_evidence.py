"""Exports: through the API and the command line, checked with openssl, and written down."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from api.cli import main
from api.rotation import secret_columns
from core.actor import Actor
from core.audit import AuditEntry
from core.database import Database
from core.jobs import run_periodic
from core.runtime import Runtime
from ipam.cgnat_rules import add_rule, close_rule
from provisioning.evidence.export import collect, conclude
from provisioning.evidence.file import CSV_NAME, MANIFEST_NAME, check_file
from provisioning.evidence.records import Question
from radius.drain import Drainer
from radius.history_models import EvidenceKey
from radius.history_signing import verifies
from tests.factories import make_subscriber, make_subscription
from tests.factories_accounting import FAST, STOP, acct_attributes, received, spool_up
from tests.factories_api import Client, problem
from tests.factories_history import drop_partitions, make_use, remember
from tests.factories_ipam import assign, make_subnet
from tests.factories_sessions import make_session
from tests.ticking import START, FakeClock

SPAN = {"since": "2026-03-01T00:00:00-03:00", "until": "2026-04-01T00:00:00-03:00", "reason": "Ofício 1/2026"}
PORT = 1024 + 9 * 4032


@pytest.fixture(autouse=True)
def whole(database: Database) -> Iterator[None]:
    yield
    drop_partitions(database)


def exported(client: Client, **values: Any) -> zipfile.ZipFile:
    answer = client.post("/evidence", {**SPAN, **values})
    assert answer.status == 200, answer.content
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


def rows_of(bundle: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(bundle.read(CSV_NAME).decode())))


def shared(database: Database, **values: Any) -> int:
    public = {"outside_first": "203.0.113.7", "outside_last": "203.0.113.7", "block_size": 4032}
    inside = {"inside_first": "100.64.0.0", "inside_last": "100.64.0.15"}
    with database.transaction() as tx:
        return add_rule(tx, **{"name": "pop-1", **inside, **public, **values}).id


def test_from_an_accounting_request_to_a_file_that_a_court_can_check(
    runtime: Runtime, clock: FakeClock, tmp_path: Path
) -> None:
    """The whole way: spool, session, archive after 30 days, trace and export by public address and port, openssl."""
    database, client = runtime.database, Client(runtime, "ana")
    with database.transaction() as tx:
        maria = make_subscription(tx, subscriber_id=make_subscriber(tx, "Maria da Silva").id).id
        joao = make_subscription(tx, subscriber_id=make_subscriber(tx, "João Souza").id).id
    shared(database)
    drainer = Drainer(database, tmp_path / "spool")
    for session, subscription, address in ((b"s1", maria, "100.64.0.9"), (b"s2", joao, "100.64.0.10")):
        began = acct_attributes(1, session, b"u", address=address, grant=FAST, subscription=subscription)
        ended = acct_attributes(
            STOP, session, b"u", address=address, grant=FAST, subscription=subscription, seconds=3600
        )
        spool_up(tmp_path / "spool", received(began, START), received(ended, START + timedelta(hours=1)))
    while drainer.step():
        pass
    clock.advance(days=40)
    run_periodic(runtime, "archive-sessions")
    asked = {"at": "2026-03-02T09:30:00-03:00", "port": PORT, "reason": "Ofício 1/2026"}
    traced = client.post("/addresses/203.0.113.7/trace", asked).content
    assert (traced["holders"][0]["person"]["name"], traced["looked_up"]) == ("Maria da Silva", "100.64.0.9")
    bundle = exported(client, address="203.0.113.7", port=PORT)
    [row] = rows_of(bundle)
    assert (row["titular"], row["inicio_local"], row["duracao_segundos"]) == (
        "Maria da Silva",
        "2026-03-02T09:00:00-03:00",
        "3600",
    )
    assert (row["endereco_publico"], row["porta_inicial"], row["porta_final"]) == (
        "203.0.113.7",
        str(PORT),
        str(PORT + 4031),
    )
    check_with_openssl(bundle, tmp_path / "received")


def check_with_openssl(bundle: zipfile.ZipFile, directory: Path) -> None:
    """As the file's own explanation says."""
    directory.mkdir()
    bundle.extractall(directory)
    manifest = json.loads((directory / MANIFEST_NAME).read_text())
    assert hashlib.sha256((directory / CSV_NAME).read_bytes()).hexdigest() == manifest["sha256"]
    program = shutil.which("openssl")
    assert program, "Debian has openssl in its base system"
    readme = (directory / "LEIA-ME.txt").read_text()
    [command] = [line.split() for line in readme.splitlines() if line.strip().startswith("openssl")]
    done = subprocess.run([program, *command[1:]], cwd=directory, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully"), done.stderr
    with (directory / MANIFEST_NAME).open("ab") as file:
        file.write(b" ")
    assert subprocess.run([program, *command[1:]], cwd=directory, capture_output=True, check=False).returncode != 0


def test_a_subscription_s_records_are_all_that_meet_the_span(runtime: Runtime, clock: FakeClock) -> None:
    database, client = runtime.database, Client(runtime)
    with database.transaction() as tx:
        maria = make_subscription(tx).id
        assign(tx, make_subnet(tx, "100.64.0.0/24"), maria, "100.64.0.9")
        make_session(tx, subscription_id=maria, framed_ip_address=ip_address("100.64.0.9"))
    mine: dict[str, Any] = {"subscription_id": maria}
    remember(database, make_use("2001:db8::/56", **mine), make_use(began=-24 * 60, **mine), make_use("100.64.0.77"))
    clock.advance(days=3)
    first = shared(database, since=START - timedelta(days=1))
    with database.transaction() as tx:
        close_rule(tx, rule_id=first, until=START + timedelta(days=2))
    shared(database, block_size=2016, since=START + timedelta(days=2))
    rows = rows_of(exported(client, subscription_id=maria))
    told = [(row["origem"], row["endereco"], row["porta_inicial"], row["cgnat_ate_utc"]) for row in rows]
    assert told == [
        ("contabilidade", "2001:db8::/56", "", ""),
        ("contabilidade", "100.64.0.9", str(PORT), "2026-03-04T12:00:00+00:00"),
        ("contabilidade", "100.64.0.9", str(1024 + 9 * 2016), ""),
        ("endereço fixo", "100.64.0.9", "", ""),
    ]
    assert {row["assinatura"] for row in rows} == {str(maria)}


def test_an_address_s_records_name_each_holder(runtime: Runtime) -> None:
    database, client = runtime.database, Client(runtime)
    with database.transaction() as tx:
        maria = make_subscription(tx, subscriber_id=make_subscriber(tx, "=Maria").id).id
    remember(database, make_use("2001:db8::/56", subscription_id=maria), make_use("2001:db8::/48", began=5, nas_id=2))
    rows = rows_of(exported(client, address="2001:db8::7"))
    assert [(row["endereco"], row["titular"], row["nas"]) for row in rows] == [
        ("2001:db8::/56", "'=Maria", "1"),
        ("2001:db8::/48", "", "2"),
    ]
    assert rows_of(exported(client, address="198.51.100.1")) == []


def test_many_records_are_streamed(runtime: Runtime) -> None:
    remember(
        runtime.database, *(make_use(began=number / 100, hours=0.01, subscription_id=None) for number in range(5_000))
    )
    rows = rows_of(exported(Client(runtime), address="100.64.0.9"))
    assert len(rows) == 5_000
    assert rows == sorted(rows, key=lambda row: row["fim_utc"])


def test_what_was_given_out_is_in_the_audit_trail(runtime: Runtime) -> None:
    remember(runtime.database, make_use())
    bundle = exported(Client(runtime, "ana"), address="100.64.0.9")
    manifest = json.loads(bundle.read(MANIFEST_NAME))
    with runtime.database.reading() as tx:
        [entry] = tx.session.scalars(select(AuditEntry).where(AuditEntry.action == "export"))
        assert (entry.actor, entry.entity, entry.entity_id, entry.note) == (
            "ana",
            "address",
            "100.64.0.9",
            "Ofício 1/2026",
        )
        assert entry.after is not None
        assert (entry.after["sha256"], entry.after["records"]) == (manifest["sha256"], 1)
    assert manifest["made_by"] == "ana"
    assert manifest["asked"] == {
        "since": "2026-03-01T03:00:00+00:00",
        "until": "2026-04-01T03:00:00+00:00",
        "reason": "Ofício 1/2026",
        "address": "100.64.0.9",
        "port": None,
        "subscription_id": None,
    }


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "neither": ({}, 422, "address"),
    "both": ({"address": "100.64.0.9", "subscription_id": 1}, 422, "address"),
    "a port alone": ({"subscription_id": 1, "port": 80}, 422, "port"),
    "a span that is none": ({"address": "100.64.0.9", "until": "2026-03-01T00:00:00-03:00"}, 422, "until"),
    "no reason": ({"address": "100.64.0.9", "reason": " "}, 422, "reason"),
    "a shared address without its port": ({"address": "203.0.113.7"}, 422, "port"),
    "port 0": ({"address": "203.0.113.7", "port": 0}, 422, "port"),
    "no such subscription": ({"subscription_id": 99}, 404, ""),
}


@pytest.mark.parametrize(("values", "status", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_a_question_that_cannot_be_answered_is_refused(
    runtime: Runtime, values: dict[str, Any], status: int, field: str
) -> None:
    shared(runtime.database)
    answer = Client(runtime).post("/evidence", {**SPAN, **values})
    content = problem(answer, status, "invalid-input" if status == 422 else "not-found")
    assert status == 404 or content["errors"][0]["field"] == field
    with runtime.database.reading() as tx:
        assert tx.session.scalars(select(EvidenceKey)).all() == []
        assert tx.session.scalars(select(AuditEntry).where(AuditEntry.action == "export")).all() == []


def test_a_shared_address_cannot_be_held(runtime: Runtime) -> None:
    shared(runtime.database)
    body = {"reference": "Ofício 1", "since": SPAN["since"], "until": SPAN["until"], "address": "203.0.113.7"}
    content = problem(Client(runtime).post("/legal-holds", body), 422, "invalid-input")
    assert "trace it with its port" in content["errors"][0]["rule"]


def test_one_key_signs_until_there_is_a_newer_one(runtime: Runtime) -> None:
    client = Client(runtime)
    used = [json.loads(exported(client, address="100.64.0.9").read(MANIFEST_NAME))["signature"]["public_key"]]
    used.append(json.loads(exported(client, address="100.64.0.9").read(MANIFEST_NAME))["signature"]["public_key"])
    newer = client.post("/evidence/keys").content["raw"]
    used.append(json.loads(exported(client, address="100.64.0.9").read(MANIFEST_NAME))["signature"]["public_key"])
    assert used == [used[0], used[0], newer]
    listed = [key["raw"] for key in client.get("/evidence/keys").content["items"]]
    assert listed == [newer, used[0]]


def test_the_private_key_is_encrypted_and_turns_with_the_others(runtime: Runtime) -> None:
    exported(Client(runtime), address="100.64.0.9")
    with runtime.database.reading() as tx:
        hidden = tx.session.scalars(select(EvidenceKey)).one().private_key.reveal()
        stored = tx.session.scalar(text("SELECT private_key FROM evidence_key"))
        trail = json.dumps([entry.after for entry in tx.session.scalars(select(AuditEntry))])
    assert hidden not in str(stored)
    assert hidden not in trail
    assert any(table.name == "evidence_key" for table in secret_columns())


def test_a_file_without_its_last_step_is_not_sound(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    question = Question(START - timedelta(days=1), START, "Ofício 1", address=ip_address("100.64.0.9"))
    with path.open("w+b") as file:
        with database.reading() as tx:
            collected = collect(tx, question, file)
        file.flush()
        assert not check_file(path, verifies).sound
        with database.transaction(Actor("ana", "cli")) as tx:
            assert conclude(tx, collected).rows == 0
    assert check_file(path, verifies).sound


def test_the_command_line_writes_a_file_and_checks_it(
    runtime: Runtime,
    command_line: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    remember(runtime.database, make_use())
    words = ["--address", "100.64.0.9", "--since", SPAN["since"], "--until", SPAN["until"], "--reason", "Ofício 1"]
    assert main(["evidence", "export", *words, "-o", "export.zip"]) == 0
    assert capsys.readouterr().out == "export.zip\n"
    path = tmp_path / "export.zip"
    assert path.stat().st_mode & 0o777 == 0o600
    assert main(["evidence", "export", *words, "-o", "export.zip"]) == 1, "never over a file that is there"
    capsys.readouterr()
    assert main(["verify-evidence", "export.zip", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sound"], told["records"]) == (True, 1)
    assert main(["verify-evidence", "export.zip", "--key", told["public_key"]]) == 0
    assert main(["verify-evidence", "export.zip", "--key", "A" * 43 + "="]) == 1
    path.write_bytes(path.read_bytes()[:-30])
    assert main(["verify-evidence", "export.zip"]) == 1
    assert main(["evidence", "export", *words]) == 0
    [named] = tmp_path.glob("registros-de-conexao-*.zip")
    assert zipfile.is_zipfile(named)
