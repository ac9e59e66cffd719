"""How a route reads and changes: one transaction for one request.

`write` opens the transaction with the caller as its actor, lets the request's idempotency key have its say, runs the
command and builds the answer, and stores that answer under the key, all before the one commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from api import idempotency
from api.edge import Context
from core.database import Transaction
from core.runtime import Runtime

Answer = TypeVar("Answer", bound=BaseModel)
Found = TypeVar("Found")


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def context_of(request: Request) -> Context:
    context: Context = request.state.context
    return context


def read(request: Request, look: Callable[[Transaction], Found]) -> Found:
    """What `look` finds, in a transaction that changes nothing."""
    with runtime_of(request).database.reading() as tx:
        return look(tx)


def write(request: Request, work: Callable[[Transaction], Answer]) -> Answer:
    """The answer of `work`, which changes something, once it is committed."""
    identity = _identity(request)
    if identity is None:
        with runtime_of(request).database.transaction(context_of(request).actor) as tx:
            return work(tx)
    with idempotency.alone(identity), runtime_of(request).database.transaction(context_of(request).actor) as tx:
        idempotency.look_up(tx, identity)
        answer = work(tx)
        idempotency.store(tx, identity, request.scope["route"].status_code or 200, answer.model_dump_json())
    return answer


def remove(request: Request, work: Callable[[Transaction], object]) -> None:
    """Carry out a deletion, whose answer is empty."""
    with runtime_of(request).database.transaction(context_of(request).actor) as tx:
        work(tx)


def _identity(request: Request) -> idempotency.Request | None:
    key = request.headers.get("idempotency-key")
    if key is None or request.method != "POST":
        return None
    context = context_of(request)
    query = request.scope.get("query_string", b"")
    return idempotency.identify(key, context.token_id, request.method, request.url.path, query, context.body)
