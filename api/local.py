"""Calling the API inside this process: for the command line, which needs no running server.

The request goes through the whole application (edge, validation, problems, the command's transaction) by ASGI; only
the socket and the token are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.types import ASGIApp

Query = Mapping[str, str | int | bool | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered: `content` is the JSON, the octets of a file, or else the text."""

    status: int
    content: Any
    headers: Mapping[str, str]

    @property
    def refused(self) -> bool:
        return self.status >= 400


def call(
    app: ASGIApp,
    method: str,
    path: str,
    query: Query | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request to `app`, waited for."""
    return asyncio.run(_call(app, method, path, query, body, headers))


async def _call(
    app: ASGIApp, method: str, path: str, query: Query | None, body: Any, headers: Mapping[str, str] | None
) -> Answer:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://catraca.local") as client:
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        response = await client.request(
            method, path, params=query, headers=headers, **(content if body is not None else {})
        )
        kind = response.headers.get("content-type", "")
        if kind.startswith(("application/zip", "application/pdf", "text/csv")):
            return Answer(response.status_code, response.content, response.headers)
        is_json = "json" in kind and response.content
        return Answer(response.status_code, response.json() if is_json else response.text, response.headers)
