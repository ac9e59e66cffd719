"""Events over HTTP: signed or with a token, and the sources that they come from."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from api.local import Answer
from billing_bridge.intake import delivery as intake_delivery
from billing_bridge.intake.receive import CHUNK
from billing_bridge.intake.signatures import sign
from core.job_queue import Job
from core.jobs import run_job
from core.runtime import Runtime
from core.secrets import Secret
from tests.factories_api import Client, made, opened, problem
from tests.factories_core import audit_of
from tests.factories_intake import SECRET, make_event
from tests.ticking import FakeClock


def sourced(client: Client, **values: Any) -> int:
    return made(client.post("/billing-sources", {"name": "ERP", "secret": SECRET.reveal(), **values}))


def signed(client: Client, source: int, content: Any, *, secret: Secret = SECRET, late: int = 0) -> Answer:
    """A delivery without a token, signed `late` seconds ago."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    at = int(client.runtime.clock().timestamp()) - late
    headers = {"Authorization": "", "X-Catraca-Timestamp": str(at), "X-Catraca-Signature": sign(secret, at, body)}
    return client.call("POST", f"/api/v1/intake/{source}/events", body, headers=headers)


def outcomes(answer: Answer) -> list[str]:
    return [event["outcome"] for event in answer.content["events"]]


MARIA = {"login": "maria@provedor"}


def test_a_signed_delivery_needs_no_token_and_changes_a_state(runtime: Runtime) -> None:
    client = Client(runtime)
    subscription, source = opened(client), sourced(client)
    answer = signed(client, source, make_event(MARIA, event_id="evt-1"))
    assert (answer.status, answer.content["counts"]) == (200, {"applied": 1})
    again = signed(client, source, {"events": [make_event(MARIA, event_id="evt-1")]})
    assert again.content["events"] == answer.content["events"]
    [debt] = client.get(f"/subscriptions/{subscription}/debts").content["items"]
    assert debt["open_cents"] == 9990
    assert audit_of(runtime.database, "invoice")[-1].actor == "source ERP"
    assert audit_of(runtime.database, "invoice")[-1].source == "webhook"
    signed(client, source, make_event(MARIA, version=2, status="paid"))
    assert client.get(f"/subscriptions/{subscription}/debts").content["items"] == []


def test_who_is_not_the_source_gets_one_answer(runtime: Runtime) -> None:
    client = Client(runtime)
    source, event = sourced(client), make_event(MARIA)
    asked = sourced(
        client, name="HubSoft", kind="hubsoft", base_url="https://a.example", client_id="1", username="u", password="p"
    )
    refused = [
        signed(client, source, event, secret=Secret("x" * 24)),
        signed(client, source, event, late=301),
        signed(client, source, event, late=-301),
        signed(client, source + 1000, event),
        signed(client, asked, event),
        client.call("POST", f"/api/v1/intake/{source}/events", event, headers={"Authorization": ""}),
        client.call("POST", f"/api/v1/intake/{source}/events", event),
    ]
    for answer in refused:
        problem(answer, 401, "unauthorised")
    assert len({answer.content["detail"] for answer in refused}) == 1
    assert client.get("/intake/events").content["items"] == []


def test_only_the_delivery_is_open(runtime: Runtime) -> None:
    client = Client(runtime)
    source = sourced(client)
    nobody = {"Authorization": ""}
    for method, path in (("GET", "/intake/events"), ("POST", f"/intake/{source}/bulk"), ("POST", "/intake/retry")):
        problem(client.call(method, f"/api/v1{path}", {}, headers=nobody), 401, "unauthorised")
    problem(client.call("GET", f"/api/v1/intake/{source}/events", headers=nobody), 401, "unauthorised")


def test_two_secrets_hold_while_one_is_replaced(runtime: Runtime, clock: FakeClock) -> None:
    client = Client(runtime)
    opened(client)
    source, fresh = sourced(client), Secret("the-secret-that-comes-after-it")
    answer = client.post(f"/billing-sources/{source}/rotate", {"secret": fresh.reveal(), "keep_hours": 1})
    assert fresh.reveal() not in json.dumps(answer.content)
    assert signed(client, source, make_event(MARIA), secret=SECRET).status == 200
    assert signed(client, source, make_event(MARIA), secret=fresh).status == 200
    clock.now += timedelta(hours=1)
    assert signed(client, source, make_event(MARIA), secret=SECRET).status == 401
    assert signed(client, source, make_event(MARIA), secret=fresh).status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(b"{", "body", id="no JSON"),
        pytest.param(b"[" * 100_000, "body", id="deeply nested"),
        pytest.param(b"[]", "events", id="a list"),
        pytest.param(b"{}", "events", id="nothing"),
        pytest.param(b'{"events": []}', "events", id="no events"),
        pytest.param(b'{"events": [' + b",".join([b"1"] * 1001) + b"]}", "events", id="too many"),
    ],
)
def test_a_delivery_that_is_none(runtime: Runtime, body: bytes, field: str) -> None:
    client = Client(runtime)
    [error] = problem(signed(client, sourced(client), body), 422, "invalid-input")["errors"]
    assert error["field"] == field


def test_a_bad_event_is_answered_field_by_field(runtime: Runtime) -> None:
    client = Client(runtime)
    opened(client)
    source = sourced(client)
    bad = make_event(MARIA, due_on="10/03/2026", version="x")
    answer = client.post(f"/intake/{source}/bulk", {"events": [bad, make_event(MARIA)]})
    assert (answer.status, outcomes(answer)) == (200, ["refused", "applied"])
    assert {error["field"] for error in answer.content["events"][0]["errors"]} == {"invoice.due_on", "invoice.version"}
    assert answer.content["events"][1]["errors"] == []


def test_what_a_request_does_not_get_to_is_left_to_a_job(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(runtime)
    opened(client)
    source = sourced(client)
    monkeypatch.setattr(intake_delivery, "CHUNKS_OF_A_REQUEST", 1)
    events = [make_event(MARIA, f"F-{number}") for number in range(CHUNK + 2)]
    answer = client.post(f"/intake/{source}/bulk", {"events": events})
    assert (answer.status, answer.content["counts"]) == (202, {"applied": CHUNK, "received": 2})
    with runtime.database.transaction() as tx:
        job = tx.session.query(Job).filter_by(kind="intake.apply").one()
        job.due_at = tx.now
    run_job(runtime, job.id)
    counts = client.get(f"/billing-sources/{source}/outcomes").content
    assert (counts["applied"], counts["received"]) == (CHUNK + 2, 0)


def test_unmatched_events_are_listed_linked_and_tried_again(runtime: Runtime) -> None:
    client = Client(runtime)
    subscription, source = opened(client), sourced(client)
    client.post(f"/intake/{source}/bulk", {"events": [make_event({"external_id": "S-7"}), make_event(MARIA, "F-2")]})
    [event] = client.get("/intake/events", outcome="unmatched", source_id=source).content["items"]
    assert client.get(f"/intake/events/{event['id']}").content["tries"] == 1
    assert client.post("/intake/retry", {"billing_source_id": source}).content["retried"] == 1
    link = {"external_id": "S-7", "subscription_id": subscription}
    assert client.post(f"/billing-sources/{source}/links", link).content["subscription_id"] == subscription
    with runtime.database.reading() as tx:
        job = tx.session.query(Job).filter_by(kind="intake.apply", due_at=tx.now).one()
    run_job(runtime, job.id)
    assert client.get(f"/intake/events/{event['id']}").content["outcome"] == "applied"
    assert [item["external_id"] for item in client.get("/intake/events", external_id="F-2").content["items"]] == ["F-2"]


def test_a_disabled_source_is_told_so(runtime: Runtime) -> None:
    client = Client(runtime)
    source = sourced(client)
    assert client.patch(f"/billing-sources/{source}", {"enabled": False}).content["enabled"] is False
    problem(signed(client, source, make_event(MARIA)), 409, "not-allowed")


def test_a_source_shows_its_settings_and_no_secret(runtime: Runtime) -> None:
    client = Client(runtime)
    source = sourced(client, expect_every_hours=24)
    shown = client.get(f"/billing-sources/{source}").content
    assert (shown["kind"], shown["expect_every_hours"], shown["window_days"]) == ("push", 24, None)
    assert SECRET.reveal() not in json.dumps([shown, client.get("/billing-sources").content])
    client.patch(f"/billing-sources/{source}", {"expect_every_hours": None})
    assert client.get(f"/billing-sources/{source}").content["expect_every_hours"] is None
