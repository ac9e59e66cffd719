"""Database locked or gone, broker gone, product killed: RADIUS goes on, and nothing that was promised is lost."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.factories import cpf
from tests.postgres import PostgresServer
from tests.radclient import ACCEPT, ACCOUNTED, Answer, Attributes
from tests.redis_server import own_redis
from tests.scenarios.installation import NAS_SECRET, Installation, installed, workers
from tests.scenarios.line import METHODS, Line
from tests.scenarios.provider import Customer, found, invoice, sign_up
from tests.scenarios.receiver import DISCONNECT, CoaReceiver
from tests.scenarios.waiting import until

FULL_SPEED, WALLED = "250M/500M", "256k/256k"
HASTY = {"CATRACA_COA_TIMEOUT_SECONDS": "1", "CATRACA_COA_TRIES": "1"}
RECORDS = 40
STOP_SECONDS = 5.0
"""What the product promises; it ends by force after 4.5 s, so this does not depend on how busy the machine is."""
NEWCOMER = {"name": "Rita Lima", "document": cpf(300_000_001)}


@pytest.fixture
def receiver() -> Iterator[CoaReceiver]:
    made = CoaReceiver(NAS_SECRET)
    with made.server:
        yield made


def test_authentication_and_accounting_outlive_the_database(
    own_postgres: PostgresServer, receiver: CoaReceiver, tmp_path: Path
) -> None:
    with (
        silent_port() as (port, asked),
        own_postgres.database() as url,
        installed(tmp_path, {"CATRACA_DATABASE_URL": url, **HASTY}) as installation,
    ):
        api, clock = installation.api, installation.clock
        provider = found(api, port)
        ana, debtor, paused = (sign_up(api, provider, f"{name}@lab") for name in ("ana", "devedor", "viajante"))
        suspend(installation, debtor)
        until_then = (clock() + timedelta(days=2)).isoformat()
        api.post(f"/subscriptions/{debtor.subscription_id}/trust-unblock", until=until_then, note="promised")
        before, trusted, travelling = lines = [connected(installation, who) for who in (ana, debtor, paused)]
        until(lambda: {line.session_id for line in lines} == sessions(installation), "the sessions are seen")
        api.post(f"/subscriptions/{paused.subscription_id}/pause", note="travelling")
        until(asked.is_set, "the product waits for the router's answer")

        own_postgres.stop()
        refused(installation)
        for method in METHODS:
            assert before.asks(method).get("Mikrotik-Rate-Limit") == FULL_SPEED
        clock.advance(timedelta(days=3))
        assert trusted.asks().get("Mikrotik-Rate-Limit") == WALLED, "what time alone decides holds at its instant"
        trusted.interim()
        travelling.interim()
        before.interim(more={"Acct-Input-Octets": 4711})
        before.hang_up()
        during = Line(installation.radclient(), ana.login)
        during.dial()

        own_postgres.start()
        until(lambda: during.session_id in sessions(installation), "accounting of the outage arrives")
        assert before.session_id not in sessions(installation, only_open=True)
        rows = api.get("/sessions", user_name=ana.login)["items"]
        assert {row["acct_session_id"]: row["input_octets"] for row in rows}[before.session_id] == 4711
        register(installation)
        api.patch(f"/nas/{provider.nas_id}", coa_port=receiver.server.port)
        for who, line in ((debtor, trusted), (paused, travelling)):
            told = receiver.next_request(who.login, since=0)
            assert (told.kind, told.attributes["Acct-Session-Id"]) == (DISCONNECT, line.session_id)


def test_a_locked_sqlite_refuses_changes_and_loses_nothing(tmp_path: Path) -> None:
    with installed(tmp_path) as installation:
        provider = found(installation.api)
        ana = sign_up(installation.api, provider, "ana@lab")
        line = Line(installation.radclient(), ana.login)
        answered(line, FULL_SPEED)
        with locked(tmp_path / "catraca.db"), installation.http() as http:
            refusal = http.post("/subscribers", json=NEWCOMER)
            problem(refusal, "locked")
            assert http.get("/subscribers").status_code == 200, "readers need not wait for a writer"
            assert line.dial().code == ACCEPT
            assert line.session_id not in sessions(installation)
        until(lambda: line.session_id in sessions(installation), "accounting of the time of the lock arrives")
        register(installation)


def test_kill_9_in_the_middle_of_everything(receiver: CoaReceiver, tmp_path: Path) -> None:
    with installed(tmp_path) as installation, silent_port() as (port, asked):
        provider = found(installation.api, port)
        ana, debtor = (sign_up(installation.api, provider, login) for login in ("ana@lab", "devedor@lab"))
        line = connected(installation, ana)
        until(lambda: line.session_id in sessions(installation), "the session is seen")
        unpaid = suspend(installation, debtor)
        installation.api.post(f"/subscriptions/{ana.subscription_id}/pause", note="travelling")
        until(asked.is_set, "the product waits for the router's answer")
        acknowledged = begun(installation, ana)
        kill(installation)

    with installed(tmp_path) as installation:
        api = installation.api
        answered(Line(installation.radclient(), ana.login), WALLED)
        answered(Line(installation.radclient(), debtor.login), WALLED)
        states = {row["id"]: row["state"] for row in api.get("/subscriptions")["items"]}
        assert states == {ana.subscription_id: "PAUSED", debtor.subscription_id: "SUSPENDED"}
        assert api.get(f"/invoices/{unpaid}")["open_cents"] == 9990
        until(lambda: acknowledged <= sessions(installation), "every acknowledged record arrives")
        api.patch(f"/nas/{provider.nas_id}", coa_port=receiver.server.port)
        told = receiver.next_request(ana.login, since=0)
        assert (told.kind, told.answer) == (DISCONNECT, "Disconnect-ACK")


def test_sigterm_while_a_router_does_not_answer(receiver: CoaReceiver, tmp_path: Path) -> None:
    with installed(tmp_path) as installation, silent_port() as (port, asked):
        provider = found(installation.api, port)
        ana = sign_up(installation.api, provider, "ana@lab")
        line = connected(installation, ana)
        until(lambda: line.session_id in sessions(installation), "the session is seen")
        installation.api.post(f"/subscriptions/{ana.subscription_id}/pause", note="travelling")
        until(asked.is_set, "the product waits for the router's answer")
        installation.product.process.send_signal(signal.SIGTERM)
        assert installation.product.process.wait(STOP_SECONDS) == 0

    with installed(tmp_path) as installation:
        installation.api.patch(f"/nas/{provider.nas_id}", coa_port=receiver.server.port)
        told = receiver.next_request(ana.login, since=0)
        assert (told.kind, told.attributes["Acct-Session-Id"]) == (DISCONNECT, line.session_id)


def test_without_the_broker_changes_wait_for_it(
    postgres: PostgresServer, receiver: CoaReceiver, tmp_path: Path
) -> None:
    with postgres.database() as url, own_redis() as redis:
        settings = {"CATRACA_DATABASE_URL": url, "CATRACA_BROKER_URL": redis.url}
        with installed(tmp_path, settings) as installation, workers(tmp_path, settings):
            provider = found(installation.api, receiver.server.port)
            ana = sign_up(installation.api, provider, "ana@lab")
            line = connected(installation, ana)
            until(lambda: line.session_id in sessions(installation), "the session is seen")
            redis.stop()
            installation.api.post(f"/subscriptions/{ana.subscription_id}/pause", note="travelling")
            answered(line, WALLED)
            assert receiver.requests(ana.login) == [], "nobody can be woken"
            redis.start()
            told = receiver.next_request(ana.login, since=0)
            assert (told.kind, told.attributes["Acct-Session-Id"]) == (DISCONNECT, line.session_id)


def suspend(installation: Installation, customer: Customer) -> int:
    """Let them be late for long enough; gives the invoice's id."""
    unpaid = invoice(installation.api, installation.clock, customer, due_in_days=-20)
    installation.api.post("/dunning/runs")
    assert installation.api.get(f"/subscriptions/{customer.subscription_id}")["state"] == "SUSPENDED"
    return unpaid


def connected(installation: Installation, customer: Customer) -> Line:
    """Their line with a session whose Start was acknowledged."""
    line = Line(installation.radclient(), customer.login)
    answered(line, FULL_SPEED)
    line.dial()
    return line


def answered(line: Line, rate_limit: str) -> Answer:
    """Wait until the access record says so: RADIUS learns of a change a moment later."""

    def seen() -> Answer | None:
        answer = line.asks()
        return answer if answer.get("Mikrotik-Rate-Limit") == rate_limit else None

    return until(seen, f"{line.login} is answered {rate_limit}")


def begun(installation: Installation, customer: Customer) -> set[str]:
    """Acct-Session-Ids of many more sessions of theirs, whose Starts were acknowledged a moment ago."""
    radclient = installation.radclient()
    ids = {f"killed-{number}" for number in range(RECORDS)}
    common: Attributes = {"Acct-Status-Type": "Start", "User-Name": customer.login}
    starts: list[Attributes] = [{**common, "Acct-Session-Id": key} for key in sorted(ids)]
    answers = radclient.run("acct", radclient.acct_port, starts, "-p", str(RECORDS))
    assert [answer.code for answer in answers] == [ACCOUNTED] * RECORDS
    return ids


def sessions(installation: Installation, *, only_open: bool = False) -> set[str]:
    rows = installation.api.get("/sessions", only_open=only_open, limit=200)["items"]
    return {row["acct_session_id"] for row in rows}


def refused(installation: Installation) -> None:
    """Reading and writing are refused, with a reason and when to try again; the process says that it lives."""
    with installation.http() as http:
        problem(http.get("/subscriptions"), "cannot be reached")
        problem(http.post("/subscribers", json=NEWCOMER), "cannot be reached")
        problem(http.get("/nothing-here-to-see"), "cannot be reached")


def problem(response: httpx.Response, reason: str) -> None:
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0
    body = response.json()
    assert (body["type"], body["status"]) == ("/problems/unavailable", 503)
    assert reason in body["detail"]


def register(installation: Installation) -> None:
    """What was refused before can be done now: the refusal changed nothing."""

    def done() -> bool:
        with installation.http() as http:
            answer = http.post("/subscribers", json=NEWCOMER)
        assert answer.status_code == 201, answer.text
        return True

    until(done, "changes are taken again")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program writes in the database and does not come to an end."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def silent_port() -> Iterator[tuple[int, threading.Event]]:
    """A router's CoA port that takes everything and says nothing; the event is set with the first datagram."""
    asked = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as router:
        router.bind(("127.0.0.1", 0))

        def listen() -> None:
            if router.recv(4096):
                asked.set()

        threading.Thread(target=listen, daemon=True).start()
        yield router.getsockname()[1], asked
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"end", router.getsockname())


def kill(installation: Installation) -> None:
    """End every process of the product as a power cut would."""
    process = installation.product.process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
