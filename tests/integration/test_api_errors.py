"""What the edge of the API does before any verb is asked: who calls, how much, in which form, and faults of ours."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import api.edge
import core.database
from api.app import make_app
from api.local import call
from core.clock import system_clock
from core.database import Database
from core.migrate import migrate
from core.runtime import Runtime
from core.secrets import open_keyring
from core.settings import Settings
from tests.factories_api import Client, make_token, problem
from tests.ticking import FakeClock

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client(runtime: Runtime) -> Client:
    return Client(runtime)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="none"),
        pytest.param("Bearer", id="empty"),
        pytest.param("Basic YWRtaW46YWRtaW4=", id="another scheme"),
        pytest.param("Bearer cat_" + "a" * 43, id="unknown"),
        pytest.param("Bearer dog_" + "a" * 43, id="another prefix"),
        pytest.param("Bearer cat_" + "a" * 5000, id="much too long"),
        pytest.param("Bearer cat_' OR 1=1 --aaaaaaaaaaaaaaaaaaa", id="not a token's characters"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/v1/plans"), ("POST", "/api/v1/plans"), ("GET", "/api/v1/x")]
)
def test_without_a_token_that_holds_nothing_is_answered(client: Client, header: str, method: str, path: str) -> None:
    answer = client.call(method, path, b"{" if method == "POST" else None, headers={"Authorization": header})
    problem(answer, 401, "unauthorised")
    assert answer.headers["www-authenticate"] == 'Bearer realm="catraca"'


def test_a_token_ends_when_it_expires_or_is_revoked(client: Client, clock: FakeClock) -> None:
    made = client.post("/tokens", {"name": "short", "operator": "rui", "expires_at": "2026-03-02T13:00:00Z"}).content
    guest = {"Authorization": f"Bearer {made['token']}"}
    assert client.call("GET", "/api/v1/plans", headers=guest).status == 200
    clock.advance(hours=1)
    assert "expired" in problem(client.call("GET", "/api/v1/plans", headers=guest), 401, "unauthorised")["detail"]

    made = client.post("/tokens", {"name": "long", "operator": "rui"}).content
    guest = {"Authorization": f"bearer   {made['token']}"}
    assert client.call("GET", "/api/v1/plans", headers=guest).status == 200
    client.post(f"/tokens/{made['id']}/revoke")
    assert "revoked" in problem(client.call("GET", "/api/v1/plans", headers=guest), 401, "unauthorised")["detail"]


def test_a_token_is_shown_once_and_stored_as_a_hash_only(client: Client) -> None:
    made = client.post("/tokens", {"name": "billing import", "operator": "rui"}).content
    assert re.fullmatch(r"cat_[A-Za-z0-9_-]{43}", made["token"])
    assert "token" not in client.get("/tokens").content["items"][-1]
    with client.runtime.database.reading() as tx:
        rows = tx.session.execute(text("SELECT * FROM api_token")).all()
        assert made["token"] not in str(rows)
        assert made["token"] not in str(tx.session.execute(text("SELECT * FROM audit_entry")).all())


def test_the_last_use_of_a_token_is_noted_in_steps(client: Client, clock: FakeClock) -> None:
    client.get("/plans")
    first = client.get("/tokens").content["items"][0]["last_used_at"]
    clock.advance(minutes=9)
    client.get("/plans")
    assert client.get("/tokens").content["items"][0]["last_used_at"] == first == "2026-03-02T12:00:00Z"
    clock.advance(minutes=1)
    client.get("/plans")
    assert client.get("/tokens").content["items"][0]["last_used_at"] == "2026-03-02T12:10:00Z"


def test_the_operator_of_the_token_stands_in_the_audit_trail(client: Client) -> None:
    answer = client.post("/plans", {"name": "A", "price_cents": 1, "download_bps": "1M", "upload_bps": "1M"},
                         **{"X-Request-Id": "ticket-4711"})  # fmt: skip
    assert answer.headers["x-request-id"] == "ticket-4711"
    [entry] = client.get("/audit", entity="plan").content["items"]
    assert (entry["actor"], entry["source"], entry["request_id"]) == ("ana", "api", "ticket-4711")


@pytest.mark.parametrize("wanted", ["", "a b", "x" * 65, "a;b"])
def test_a_request_id_that_is_none_is_replaced(client: Client, wanted: str) -> None:
    answer = client.call("GET", "/api/v1/plans", headers={"X-Request-Id": wanted})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


def test_an_unknown_route_and_a_wrong_method_are_problems(client: Client) -> None:
    problem(client.get("/nothing"), 404, "no-such-route")
    problem(client.get("/plans/"), 404, "no-such-route")
    answer = client.call("DELETE", "/api/v1/plans")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, POST"


def test_an_unknown_query_parameter_is_refused(client: Client) -> None:
    content = problem(client.get("/subscriptions", sate="SUSPENDED"), 422, "invalid-input")
    [entry] = content["errors"]
    assert entry["field"] == "sate"
    assert "state" in entry["rule"]


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/json", "multipart/form-data; boundary=x", "x"]
)
def test_a_body_of_another_media_type_is_refused(client: Client, kind: str) -> None:
    answer = client.call("POST", "/api/v1/plans", b"name=A", headers={"Content-Type": kind})
    problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "application/vnd.x+json"])
def test_json_in_its_usual_names_is_read(client: Client, kind: str) -> None:
    answer = client.call("POST", "/api/v1/plans", b"{}", headers={"Content-Type": kind})
    problem(answer, 422, "invalid-input")


def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_read(client: Client) -> None:
    limit = 1024 * 1024
    answer = client.call("POST", "/api/v1/plans", b" " * (limit + 1))
    assert problem(answer, 413, "too-large")["limit"] == limit
    answer = client.call("POST", "/api/v1/plans", b"{}" + b" " * (limit - 2))
    problem(answer, 422, "invalid-input")


def test_every_type_of_problem_is_explained_where_its_type_points(client: Client) -> None:
    content = problem(client.get("/plans/77"), 404, "not-found")
    assert (content["kind"], content["key"]) == ("plan", "77")
    answer = call(client.app, "GET", content["type"])
    assert (answer.status, answer.content["slug"]) == (200, "not-found")
    problem(call(client.app, "GET", "/problems/nonsense"), 404, "not-found")


def test_health_needs_no_token(client: Client) -> None:
    assert call(client.app, "GET", "/healthz").content == {"status": "ok"}
    assert call(client.app, "GET", "/readyz").content == {"status": "ok"}
    assert call(client.app, "GET", "/api/v1/openapi.json").status == 200


def test_a_fault_of_ours_shows_an_id_and_nothing_of_its_inside(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with client.runtime.database.engine.begin() as connection:
        connection.execute(text("INSERT INTO job (id, kind, key, payload, status, created_at, due_at, runs, failures, "
                                "detail) VALUES (9, 'x', '', '{}', 'odd', :now, :now, 0, 0, 'hunter2')"),
                           {"now": "2026-03-02 12:00:00"})  # fmt: skip
    content = problem(client.get("/jobs/9"), 500, "internal-error")
    assert re.fullmatch(r"[0-9a-f]{32}", content["error_id"])
    assert "odd" not in str(content)


def test_a_database_without_tables_is_not_ready(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    keyring = open_keyring(settings.resolved_key_file)
    database = Database(settings.resolved_database_url, keyring, system_clock)
    app = make_app(Runtime(settings, database, keyring, system_clock))
    assert "catraca migrate" in problem(call(app, "GET", "/readyz"), 503, "not-ready")["detail"]
    answer = call(app, "GET", "/api/v1/plans", headers={"Authorization": "Bearer cat_" + "a" * 43})
    assert "catraca migrate" in problem(answer, 503, "unavailable")["detail"]
    database.close()


def test_a_locked_database_answers_503_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.database, "SQLITE_BUSY_SECONDS", 0.1)
    settings = Settings(data_dir=tmp_path)
    keyring = open_keyring(settings.resolved_key_file)
    database = Database(settings.resolved_database_url, keyring, system_clock)
    migrate(database)
    client = Client(Runtime(settings, database, keyring, system_clock))
    plan: dict[str, Any] = {"name": "A", "price_cents": 1, "download_bps": "1M", "upload_bps": "1M"}
    other = sqlite3.connect(tmp_path / "catraca.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = client.post("/plans", plan, key="k-1")
    content = problem(answer, 503, "unavailable")
    assert "locked" in content["detail"]
    assert int(answer.headers["retry-after"]) == content["retry_after"] > 0
    assert client.get("/plans").content["items"] == [], "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    assert client.post("/plans", plan, key="k-1").status == 201, "the same request may be sent again"
    database.close()


def test_a_database_that_is_gone_answers_503(tmp_path: Path) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/catraca"
    settings = Settings(data_dir=tmp_path, database_url=url)
    keyring = open_keyring(settings.resolved_key_file)
    database = Database(url, keyring, system_clock)
    app = make_app(Runtime(settings, database, keyring, system_clock))
    answer = call(app, "GET", "/api/v1/plans", headers={"Authorization": "Bearer cat_" + "a" * 43})
    assert "cannot be reached" in problem(answer, 503, "unavailable")["detail"]
    database.close()


def test_the_local_operator_needs_no_token_and_is_named(runtime: Runtime) -> None:
    from core.actor import Actor

    app = make_app(runtime, local=Actor("root", "cli"))
    body = {"name": "A", "price_cents": 1, "download_bps": "1M", "upload_bps": "1M"}
    assert call(app, "POST", "/api/v1/plans", body=body).status == 201
    [entry] = call(app, "GET", "/api/v1/audit").content["items"]
    assert (entry["actor"], entry["source"]) == ("root", "cli")


def test_two_operators_have_two_tokens(runtime: Runtime) -> None:
    assert make_token(runtime, "ana") != make_token(runtime, "ana")


def test_a_body_that_does_not_come_is_not_waited_for_for_ever(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.edge, "BODY_SECONDS", 0.05)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {client.token}".encode()), (b"content-length", b"10")]
    scope = {"type": "http", "method": "POST", "path": "/api/v1/plans", "headers": headers, "query_string": b""}
    asyncio.run(client.app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert b"/problems/too-slow" in sent[1]["body"]


def test_who_goes_away_while_sending_is_not_answered(client: Client) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {client.token}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/api/v1/plans", "headers": headers, "query_string": b""}
    asyncio.run(client.app(scope, receive, send))
    assert sent == []
