"""The same POST sent twice with one key happens once, whatever goes wrong in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, text

from api.idempotency import IdempotencyKey, alone, identify, look_up, purge_keys
from core.runtime import Runtime
from provisioning.models import Plan
from tests.factories_api import Client, made, make_token, problem
from tests.ticking import FakeClock

PLAN: dict[str, Any] = {"name": "A", "price_cents": 9990, "download_bps": "50M", "upload_bps": "20M"}
OTHER = {**PLAN, "name": "B"}


@pytest.fixture
def client(runtime: Runtime) -> Client:
    return Client(runtime)


def count(client: Client, table: type[Any] = Plan) -> int:
    with client.runtime.database.reading() as tx:
        return tx.session.scalar(select(func.count()).select_from(table)) or 0


def rename(client: Client, table: str, name: str) -> None:
    with client.runtime.database.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO {name}"))


def test_the_same_request_gets_the_same_answer_and_changes_nothing_more(client: Client, clock: FakeClock) -> None:
    first = client.post("/plans", PLAN, key="k-1")
    clock.advance(hours=47)
    second = client.post("/plans", PLAN, key="k-1")
    assert (second.status, second.content) == (201, first.content)
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert count(client) == 1


def test_the_status_of_the_first_answer_is_given_again(client: Client) -> None:
    made = client.post("/tokens", {"name": "x", "operator": "rui"}).content
    for _ in range(2):
        assert client.post(f"/tokens/{made['id']}/revoke", key="k-2").status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/plans", OTHER, id="another body"),
        pytest.param("/plans?", {**PLAN, "price_cents": 1}, id="another price"),
    ],
)
def test_a_key_belongs_to_one_request(client: Client, path: str, body: Any) -> None:
    client.post("/plans", PLAN, key="k-1")
    problem(client.post(path, body, key="k-1"), 422, "idempotency-key-reused")
    assert count(client) == 1


def test_a_key_is_of_one_token_and_one_address(client: Client, runtime: Runtime) -> None:
    client.post("/plans", PLAN, key="k-1")
    _, client.token = make_token(runtime, "rui")
    problem(client.post("/plans", PLAN, key="k-1"), 409, "conflict")
    assert client.post("/folders", {"name": "Centro"}, key="k-1").status == 201


def test_a_refusal_is_not_kept(client: Client) -> None:
    taken = made(client.post("/plans", PLAN))
    problem(client.post("/plans", PLAN, key="k-1"), 409, "conflict")
    client.patch(f"/plans/{taken}", {"name": "was A"})
    assert client.post("/plans", PLAN, key="k-1").status == 201


def test_a_change_that_does_not_commit_leaves_no_key(client: Client) -> None:
    """The answer is stored in the transaction of the change: what fails at its last step takes the key with it."""
    rename(client, "idempotency_key", "away")
    try:
        assert client.post("/plans", PLAN, key="k-1").status in (500, 503)
        assert count(client) == 0
    finally:
        rename(client, "away", "idempotency_key")
    assert client.post("/plans", PLAN, key="k-1").status == 201


@pytest.mark.parametrize("key", ["a b", "x" * 201, "a\tb"], ids=["blank", "too long", "tab"])
def test_a_key_that_is_none_is_refused(client: Client, key: str) -> None:
    content = problem(client.post("/plans", PLAN, key=key), 422, "invalid-input")
    assert content["errors"][0]["field"] == "Idempotency-Key"
    assert count(client) == 0


def test_a_key_is_forgotten_after_two_days(client: Client, clock: FakeClock) -> None:
    client.post("/plans", PLAN, key="k-1")
    clock.advance(hours=48)
    assert client.post("/plans", OTHER, key="k-1").status == 201
    clock.advance(hours=48)
    purge_keys(client.runtime)
    assert count(client, IdempotencyKey) == 0


def test_the_stored_answer_is_not_readable_in_the_database(client: Client) -> None:
    token = client.post("/tokens", {"name": "x", "operator": "rui"}, key="k-1").content["token"]
    with client.runtime.database.reading() as tx:
        assert token not in str(tx.session.execute(text("SELECT * FROM idempotency_key")).all())


def test_of_requests_that_race_with_one_key_one_happens(client: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/plans", PLAN, key="k-1"), range(16)))
    assert count(client) == 1
    first = [item for item in answers if item.status == 201 and "idempotency-replayed" not in item.headers]
    assert len(first) == 1
    for answer in answers:
        if answer.status == 201:
            assert answer.content == first[0].content
        else:
            problem(answer, 409, "request-under-way")


def test_a_request_that_is_under_way_refuses_its_twin(client: Client) -> None:
    request = identify("k-1", client.token_id, "POST", "/api/v1/plans", b"", b"")
    with alone(request):
        problem(client.post("/plans", PLAN, key="k-1"), 409, "request-under-way")
    assert client.post("/plans", PLAN, key="k-1").status == 201


def test_a_request_that_is_under_way_in_another_process_refuses_its_twin(client: Client) -> None:
    """On PostgreSQL the transaction's advisory lock says so; on SQLite the twin waits for the one writer."""
    if client.runtime.database.dialect == "sqlite":
        return
    request = identify("k-1", client.token_id, "POST", "/api/v1/plans", b"", b"")
    with client.runtime.database.transaction() as tx:
        look_up(tx, request)
        problem(client.post("/plans", PLAN, key="k-1"), 409, "request-under-way")
    assert client.post("/plans", PLAN, key="k-1").status == 201
