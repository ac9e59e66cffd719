"""The edge of the HTTP API: what every request passes before any route sees it.

In this order: a request id; who calls (everything under /api/ needs a token, so no route can forget to ask); the size
and the media type of the body. What a route then lets escape is answered as a problem, a fault of ours without any
of its internals. The body is read here, whole, because it is small by rule and its bytes are part of an idempotent
request's identity.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.problems import Problem
from api.tokens import Caller, find_caller, note_use
from core.actor import Actor
from core.errors import CatracaError, Unauthorised, Unavailable
from core.logs import get_logger
from core.runtime import Runtime

LARGEST_BODY = 1024 * 1024
BODY_SECONDS = 30
OPEN_PATHS = frozenset({"/api/v1/openapi.json"})
SIGNED_PATH = re.compile(r"/api/v1/intake/[^/]{1,40}/events")
"""Asks for a signature instead of a token; its route checks that before anything else."""
log = get_logger("api.edge")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_JSON = re.compile(r"application/([a-z0-9.!#$&^_-]+\+)?json\s*(;.*)?", re.IGNORECASE)
_TOKEN = re.compile(r"Bearer +(cat_[A-Za-z0-9_-]{20,100})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Context:
    """What the edge found out about a request; routes read it from `request.state.context`."""

    actor: Actor
    token_id: int
    body: bytes


class _Gone(Exception):
    """The client went away while its body was read."""


class Edge:
    """ASGI middleware. `local` is the operator of the command line, who has the data directory and needs no token."""

    def __init__(self, app: ASGIApp, runtime: Runtime, local: Actor | None = None) -> None:
        self._app = app
        self._runtime = runtime
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            caller = await self._serve(exchange)
            exchange.log()
            if caller is not None and caller.stale and exchange.status < 400:
                with suppress(CatracaError):  # the client has its answer; a database that is busy can miss this
                    await run_in_threadpool(note_use, self._runtime.database, caller.token_id)

    async def _serve(self, exchange: _Exchange) -> Caller | None:
        caller: Caller | None = None
        try:
            caller = await self._admit(exchange)
            body = await exchange.read_body()
            exchange.scope["state"]["context"] = self._context(caller, exchange.request_id, body)
            await self._app(exchange.scope, exchange.replay_body(body), exchange.send)
        except _Gone:
            return None
        except asyncio.CancelledError:  # the server gives up what is not done when it has to stop
            stopping = "the product is stopping; whether this was done is not known: send it again with the same key"
            if not exchange.status:
                await exchange.answer(problems.from_error(Unavailable(stopping)))
        except CatracaError as error:
            await exchange.answer(problems.from_error(error))
        except _Refusal as refusal:
            await exchange.answer(refusal.problem)
        except Exception:
            error_id = uuid.uuid4().hex
            log.exception("a request failed", error_id=error_id, method=exchange.method, path=exchange.path)
            if exchange.status:
                raise
            await exchange.answer(
                problems.named("internal-error", 500, "a fault of ours; the log has it", {"error_id": error_id})
            )
        return caller

    def _context(self, caller: Caller | None, request_id: str, body: bytes) -> Context:
        if self._local is not None:
            return Context(replace(self._local, request_id=request_id), 0, body)
        if caller is not None:
            return Context(Actor(caller.operator, "api", request_id, caller.permissions), caller.token_id, body)
        return Context(Actor("nobody", "api", request_id), 0, body)

    async def _admit(self, exchange: _Exchange) -> Caller | None:
        if self._local is not None or not exchange.path.startswith("/api/") or exchange.path in OPEN_PATHS:
            return None
        if exchange.method == "POST" and SIGNED_PATH.fullmatch(exchange.path):
            return None
        match = _TOKEN.fullmatch(exchange.headers.get("authorization", "").strip())
        if match is None:
            raise Unauthorised("send the header `Authorization: Bearer cat_…`")
        return await run_in_threadpool(find_caller, self._runtime.database, match[1])


class _Refusal(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.slug)
        self.problem = problem


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.headers = Headers(scope=scope)
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.status = 0
        self._receive = receive
        self._send = send
        self._started = time.perf_counter()
        wanted = self.headers.get("x-request-id", "")
        self.request_id = wanted if _REQUEST_ID.fullmatch(wanted) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def read_body(self) -> bytes:
        """The whole body; a refusal when it is too large or of another media type than JSON."""
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length) > LARGEST_BODY:
            raise _too_large()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await self._collect()
        except TimeoutError:
            detail = f"the body did not arrive within {BODY_SECONDS} seconds"
            raise _Refusal(problems.named("too-slow", 408, detail, Connection="close")) from None
        if body and not _JSON.fullmatch(self.headers.get("content-type", "")):
            raise _Refusal(
                problems.named("unsupported-media-type", 415, "send the header `Content-Type: application/json`")
            )
        return body

    async def _collect(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > LARGEST_BODY:
                raise _too_large()
            if not message.get("more_body", False):
                return b"".join(parts)

    def replay_body(self, body: bytes) -> Receive:
        """A `receive` that gives the body once more, then what the client really does."""
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return waiting.pop() if waiting else await self._receive()

        return receive

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    async def answer(self, problem: Problem) -> None:
        await problem.response(self.request_id)(self.scope, self._receive, self.send)

    def log(self) -> None:
        milliseconds = round((time.perf_counter() - self._started) * 1000, 1)
        seen: dict[str, Any] = {"method": self.method, "path": self.path, "status": self.status}
        log.info("request", **seen, milliseconds=milliseconds)


def _too_large() -> _Refusal:
    detail = f"a body may have at most {LARGEST_BODY} bytes"
    return _Refusal(problems.named("too-large", 413, detail, {"limit": LARGEST_BODY}, Connection="close"))
