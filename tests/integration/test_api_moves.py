"""Moving services through the API: what is answered, what is refused and how the refusal is to be mended."""

from __future__ import annotations

from typing import Any

import pytest

from api.app import document
from api.openapi import operations
from core.runtime import Runtime
from provisioning.mass_change.commands import CONTINUE
from tests.factories import cpf
from tests.factories_api import Client, made, opened, planned, problem, registered
from tests.factories_moves import follow_up
from tests.verbs_moves import move_services

OPERATIONS = {item.operation_id: item for item in operations(document())}


@pytest.fixture
def client(runtime: Runtime) -> Client:
    return Client(runtime)


def test_services_move(client: Client, runtime: Runtime) -> None:
    def do(verb: str, *place: object, body: Any = None, **query: Any) -> Any:
        operation = OPERATIONS[verb]
        names = [item["name"] for item in operation.parameters if item["in"] == "path"]
        path = operation.path.format(**dict(zip(names, place, strict=True)))
        answer = client.call(operation.method, path, {} if body is None and operation.body else body, query=query)
        assert answer.status < 300, (verb, answer.content)
        return answer.content

    move_services(do, runtime)


@pytest.mark.parametrize(
    ("verb", "body", "status", "slug", "words"),
    [
        pytest.param("migrate", {"plan_id": 10**9}, 404, "not-found", "plan", id="to no plan"),
        pytest.param("migrate", {"plan_id": "own"}, 422, "invalid-input", "another plan", id="to its own plan"),
        pytest.param("abandon-migration", {}, 409, "not-allowed", "awaits no migration", id="nothing to abandon"),
        pytest.param("transfer", {}, 422, "invalid-input", "subscriber_id", id="to nobody"),
        pytest.param("transfer", {"subscriber_id": "own"}, 422, "invalid-input", "another", id="to its owner"),
        pytest.param("transfer", {"subscriber_id": 10**9}, 404, "not-found", "subscriber", id="to no subscriber"),
        pytest.param(
            "transfer",
            {"new_subscriber": {"name": "Twin", "document": "390.533.447-05"}},
            409,
            "conflict",
            "Maria da Silva",
            id="to somebody new who is not",
        ),
    ],
)
def test_a_refusal_says_why(
    client: Client, verb: str, body: dict[str, Any], status: int, slug: str, words: str
) -> None:
    key = opened(client)
    shown = client.get(f"/subscriptions/{key}").content
    body = {name: shown[name] if value == "own" else value for name, value in body.items()}
    assert words in problem(client.post(f"/subscriptions/{key}/{verb}", body), status, slug)["detail"]


def test_a_second_migration_names_the_first(client: Client) -> None:
    key, plan = opened(client), planned(client, "Fibre")
    first = made(client.post(f"/subscriptions/{key}/migrate", {"plan_id": plan}))
    answer = problem(client.post(f"/subscriptions/{key}/migrate", {"plan_id": plan}), 409, "conflict")
    assert answer["subscription_id"] == first


def test_a_transfer_keeps_its_idempotency_key(client: Client) -> None:
    key = opened(client)
    body = {"new_subscriber": {"name": "João", "document": cpf(400_000_001)}}
    first = client.post(f"/subscriptions/{key}/transfer", body, key="once")
    assert first.status == 200
    assert client.post(f"/subscriptions/{key}/transfer", body, key="once").content == first.content


def test_a_mass_change_wants_the_present_preview(client: Client, runtime: Runtime) -> None:
    key, plan = opened(client), planned(client, "Fibre")
    wanted = {"plan_id": plan, "include": [key], "change_price": False}
    preview = client.post("/mass-changes/preview", wanted).content
    assert (preview["total"], preview["to_change"], preview["next"]) == (1, 1, None)
    client.post(f"/subscriptions/{key}/price", {"price_cents": 100})
    refused = problem(client.post("/mass-changes", {**wanted, "digest": preview["digest"]}), 409, "conflict")
    assert "look at the preview again" in refused["detail"]
    started = made(client.post("/mass-changes", {**wanted, "digest": refused["digest"]}))
    follow_up(runtime, CONTINUE)
    [row] = client.get(f"/mass-changes/{started}/rows").content["items"]
    assert (row["subscription_id"], row["status"]) == (key, "done")
    assert client.get(f"/subscriptions/{key}").content["monthly_cents"] == 100


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="everybody"),
        pytest.param({"include": []}, id="some, but none of them"),
        pytest.param({"exclude": [1]}, id="everybody but one"),
    ],
)
def test_a_mass_change_of_everybody_is_refused(client: Client, body: dict[str, Any]) -> None:
    problem(client.post("/mass-changes/preview", {"plan_id": planned(client), **body}), 422, "invalid-input")


def test_a_clone_takes_its_own_name(client: Client) -> None:
    plan = planned(client)
    taken = client.post(f"/plans/{plan}/clone", {"name": "Fibra 500 Mega"})
    assert "has the name" in problem(taken, 409, "conflict")["detail"]
    copy = client.post(f"/plans/{plan}/clone", {"name": "Fibra 500 Empresas", "price_cents": 19990})
    original = client.get(f"/plans/{plan}").content
    same = {name for name in original if original[name] == copy.content[name]}
    assert set(original) - same == {"id", "name", "price_cents"}


def test_the_history_of_somebody_to_whom_nothing_happened_is_empty(client: Client) -> None:
    assert client.get(f"/subscribers/{registered(client)}/history").content["items"] == []
    problem(client.get(f"/subscribers/{10**9}/history"), 404, "not-found")
