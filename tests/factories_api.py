"""The API for tests: the application around a test's runtime, called as a client would call it."""

from __future__ import annotations

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
        self.token = make_token(runtime, operator)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        wanted = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if isinstance(body, bytes):
            wanted.setdefault("Content-Type", "application/json")
        return call(self.app, method, path, query, body, {k: v for k, v in wanted.items() if v})

    def get(self, path: str, **query: str | int | bool) -> Answer:
        return self.call("GET", f"/api/v1{path}", query=query)

    def post(self, path: str, body: Any = None, key: str = "", **headers: str) -> Answer:
        return self.call("POST", f"/api/v1{path}", body, headers={**headers, "Idempotency-Key": key})

    def patch(self, path: str, body: Any = None) -> Answer:
        return self.call("PATCH", f"/api/v1{path}", body)


def make_token(runtime: Runtime, operator: str = "ana") -> str:
    with runtime.database.transaction() as tx:
        _, secret = create_token(tx, name="test", operator=operator)
        return secret.reveal()
