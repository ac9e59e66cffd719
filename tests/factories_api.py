"""The API for tests: the application around a test's runtime, called as a client would call it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from api.app import make_app
from api.local import Answer, Query, call
from api.tokens import create_token
from core.runtime import Runtime


class Client:
    """A caller with a token; a `content_type` and a body of bytes are sent as they are."""

    def __init__(self, runtime: Runtime, operator: str = "ana") -> None:
        self.runtime = runtime
        self.app = make_app(runtime)
        self.token_id, self.token = make_token(runtime, operator)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        wanted = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if body is not None:
            wanted.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return call(self.app, method, path, query, body, {k: v for k, v in wanted.items() if v})

    def get(self, path: str, **query: str | int | bool) -> Answer:
        return self.call("GET", f"/api/v1{path}", query=query)

    def post(self, path: str, body: Any = None, key: str = "", **headers: str) -> Answer:
        return self.call("POST", f"/api/v1{path}", body, headers={**headers, "Idempotency-Key": key})

    def patch(self, path: str, body: Any = None) -> Answer:
        return self.call("PATCH", f"/api/v1{path}", body)


def make_token(runtime: Runtime, operator: str = "ana") -> tuple[int, str]:
    """A token's id and text."""
    with runtime.database.transaction() as tx:
        row, secret = create_token(tx, name="test", operator=operator)
        return row.id, secret.reveal()


def registered(client: Client, document: str = "390.533.447-05", name: str = "Maria da Silva") -> int:
    """A subscriber's id."""
    return made(client.post("/subscribers", {"name": name, "document": document}))


def planned(client: Client, name: str = "Fibra 500 Mega") -> int:
    """A plan's id."""
    body = {"name": name, "price_cents": 9990, "download_bps": "500M", "upload_bps": "250M"}
    return made(client.post("/plans", body))


def opened(client: Client, login: str = "maria@provedor") -> int:
    """An active subscription's id."""
    body = {"subscriber_id": registered(client), "plan_id": planned(client), "login": login, "password": "s3nha-longa"}
    key = made(client.post("/subscriptions", body))
    assert client.post(f"/subscriptions/{key}/activate").status == 200
    return key


def invoiced(client: Client, subscription_id: int, due_on: str = "2026-02-01", cents: int = 9990) -> int:
    """An invoice's id."""
    body = {"subscription_id": subscription_id, "description": "March", "amount_cents": cents, "due_on": due_on}
    return made(client.post("/invoices/charge-and-invoice", body))


def subnetted(client: Client, cidr: str = "100.64.0.0/29") -> int:
    """A subnet's id."""
    folder = made(client.post("/folders", {"name": f"Folder of {cidr.partition('/')[0]}"}))
    return made(client.post("/subnets", {"folder_id": folder, "name": "Residential", "cidr": cidr}))


def made(answer: Answer) -> int:
    """The id of what was made."""
    assert answer.status in (200, 201), answer.content
    key: int = answer.content["id"]
    return key


def problem(answer: Answer, status: int, slug: str) -> dict[str, Any]:
    """The answer, which has to be this problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.content
    assert (answer.status, answer.content["type"]) == (status, f"/problems/{slug}"), answer.content
    assert answer.content["status"] == status
    assert answer.content["title"]
    assert answer.content["detail"]
    assert answer.content["request_id"] == answer.headers["x-request-id"]
    content: dict[str, Any] = answer.content
    return content
