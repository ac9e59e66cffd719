"""What a token with a list of permissions may do: only that, on every route there is."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from api.app import document
from api.openapi import Operation, operations
from api.rules import example
from core.audit import AuditEntry
from core.permissions import API, PERMISSIONS, SELF_SERVICE
from core.runtime import Runtime
from tests.factories_api import Client, problem

OPERATIONS = list(operations(document()))
GUARDED = [item for item in OPERATIONS if item.content.get("security") != []]
OWN = {item.operation_id: item.content["x-permission"] for item in OPERATIONS if "x-permission" in item.content}


def holding(runtime: Runtime, *words: str) -> Client:
    """A caller whose token has these words only."""
    owner, guest = Client(runtime), Client(runtime)
    body = {"name": "guest", "operator": "guest", "permissions": list(words)}
    guest.token = owner.post("/tokens", body).content["token"]
    return guest


def knock(client: Client, operation: Operation) -> object:
    """Ask for a route with the examples of its document; gives the type of the problem, if it is one."""
    places = {item["name"]: example(item["schema"]) for item in operation.parameters if item["in"] == "path"}
    body = operation.body["examples"][0] if operation.body else None
    answer = client.call(operation.method, operation.path.format(**places), body)
    return answer.content.get("type") if isinstance(answer.content, dict) else None


def test_a_self_service_token_opens_its_own_routes_and_no_other(runtime: Runtime, subtests: pytest.Subtests) -> None:
    guest = holding(runtime, SELF_SERVICE)
    assert set(OWN.values()) == {SELF_SERVICE}
    for operation in GUARDED:
        with subtests.test(operation=operation.operation_id):
            forbidden = knock(guest, operation) == "/problems/forbidden"
            assert forbidden == (operation.operation_id not in OWN)
    assert {name.partition(".")[0] for name in OWN} == {"self-service"}


def test_a_refusal_names_the_word_and_changes_nothing(runtime: Runtime) -> None:
    guest = holding(runtime, SELF_SERVICE)
    content = problem(guest.post("/plans", {"name": "x"}), 403, "forbidden")
    assert content["permission"] == API
    assert guest.call("GET", "/problems/forbidden").status == 200
    with runtime.database.reading() as tx:
        assert {entry.entity for entry in tx.session.scalars(select(AuditEntry))} == {"api_token"}


@pytest.mark.parametrize("word", sorted(set(PERMISSIONS) - {API, SELF_SERVICE}))
def test_a_word_of_a_command_alone_opens_no_route(runtime: Runtime, word: str) -> None:
    guest = holding(runtime, word)
    problem(guest.get("/plans"), 403, "forbidden")
    problem(guest.get("/self-service/status", login="x"), 403, "forbidden")


def test_api_opens_every_route(runtime: Runtime) -> None:
    guest = holding(runtime, API)
    assert guest.get("/plans").status == 200
    problem(guest.get("/self-service/status", login="x"), 404, "not-found")


def test_a_token_without_a_list_may_do_everything(runtime: Runtime) -> None:
    client = Client(runtime)
    assert client.get("/tokens").content["items"][0]["permissions"] is None
    assert client.get("/plans").status == 200


def test_unknown_words_are_refused_with_the_list(runtime: Runtime) -> None:
    body = {"name": "x", "operator": "x", "permissions": ["api", "everything"]}
    [entry] = problem(Client(runtime).post("/tokens", body), 422, "invalid-input")["errors"]
    assert entry["field"] == "permissions"
    assert "everything" in entry["rule"]
    assert all(word in entry["rule"] for word in PERMISSIONS)


def test_an_empty_list_is_refused(runtime: Runtime) -> None:
    body = {"name": "x", "operator": "x", "permissions": []}
    [entry] = problem(Client(runtime).post("/tokens", body), 422, "invalid-input")["errors"]
    assert entry["field"] == "permissions"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param([API], 201, id="what it has"),
        pytest.param([SELF_SERVICE], 422, id="another word"),
        pytest.param([API, "guard.approve"], 422, id="more than it has"),
        pytest.param(None, 422, id="everything"),
    ],
)
def test_nobody_hands_on_more_than_they_have(runtime: Runtime, words: list[str] | None, status: int) -> None:
    guest = holding(runtime, API)
    assert guest.post("/tokens", {"name": "x", "operator": "x", "permissions": words}).status == status


def test_a_lesser_token_cannot_end_a_greater_one(runtime: Runtime) -> None:
    guest, peer = holding(runtime, API), holding(runtime, API)
    problem(guest.post(f"/tokens/{guest.token_id}/revoke"), 409, "not-allowed")
    greater = Client(runtime).post("/tokens", {"name": "x", "operator": "x", "permissions": ["api", "guard.approve"]})
    content = problem(guest.post(f"/tokens/{greater.content['id']}/revoke"), 403, "forbidden")
    assert content["permission"] == "guard.approve"
    own = next(item for item in peer.get("/tokens").content["items"] if item["permissions"] == [API])
    assert guest.post(f"/tokens/{own['id']}/revoke").status == 200


def test_the_words_reach_the_commands(runtime: Runtime) -> None:
    """A command asks for a word of its own beyond the route's: see trust.beyond-rules."""
    guest = holding(runtime, API)
    subscription = _late(runtime)
    body = {"until": "2026-03-05T12:00:00Z", "note": "please", "beyond_rules": True}
    content = problem(guest.post(f"/subscriptions/{subscription}/trust-unblock", body), 403, "forbidden")
    assert content["permission"] == "trust.beyond-rules"
    chief = holding(runtime, API, "trust.beyond-rules")
    assert chief.post(f"/subscriptions/{subscription}/trust-unblock", body).status == 201


def _late(runtime: Runtime) -> int:
    from tests.factories import ANA, make_subscription, restrict

    with runtime.database.transaction(ANA) as tx:
        subscription_id = make_subscription(tx).id
        restrict(tx, subscription_id)
        return subscription_id
