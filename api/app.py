"""The HTTP API as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import api.assembly
from api import problems, rules
from api.edge import Edge
from api.idempotency import Replayed
from api.openapi import Operation, finish, operations
from api.permits import permitted
from api.routes import ROUTERS
from core.actor import Actor
from core.errors import CatracaError, InvalidInput, Unavailable
from core.runtime import Runtime

__all__ = ["make_app"]

THREADS = 20
DESCRIPTION = (
    "Network provisioning and RADIUS policy for internet providers. Money is integer cents, rates are bits per second "
    '(text such as `"50M"` is read too), instants are ISO 8601 with a zone. Every error is an RFC 9457 problem. '
    "Lists are paged: give `next` back as `after`."
)


class Api(FastAPI):
    """FastAPI with our OpenAPI document."""

    _finished: dict[str, Any] | None = None
    _operations: dict[str, Operation] | None = None

    def openapi(self) -> dict[str, Any]:
        if self._finished is None:
            self._finished = finish(super().openapi())
        return self._finished

    def operation(self, operation_id: str) -> Operation | None:
        """One verb of the document."""
        if self._operations is None:
            self._operations = {item.operation_id: item for item in operations(self.openapi())}
        return self._operations.get(operation_id)

    def methods_at(self, path: str) -> list[str]:
        """The methods that an address takes."""
        return sorted({item.method for item in operations(self.openapi()) if item.matches(path)})


def make_app(runtime: Runtime, local: Actor | None = None) -> Api:
    """The API of `runtime`. `local`: serve this operator without a token, for the command line only."""
    api.assembly.load()
    app = _routes()
    app.state.runtime = runtime
    _handle_errors(app)
    app.add_middleware(Edge, runtime=runtime, local=local)
    return app


def document() -> dict[str, Any]:
    """The OpenAPI document; it needs no installation."""
    return _routes().openapi()


@asynccontextmanager
async def _bounded(_app: FastAPI) -> AsyncIterator[None]:
    """No more requests at once than the database has connections for, with some left for the worker."""
    current_default_thread_limiter().total_tokens = THREADS
    yield


def _routes() -> Api:
    app = Api(
        title="Catraca",
        version=version("catraca"),
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_bounded,
    )
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(permitted), Depends(_only_known_parameters)])
    return app


def _handle_errors(app: Api) -> None:
    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        return _invalid(app, request, error).response(request.state.request_id)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        return _from_http(app, request, error).response(request.state.request_id)

    @app.exception_handler(CatracaError)
    def known(request: Request, error: CatracaError) -> Response:
        return problems.from_error(error).response(request.state.request_id)

    @app.exception_handler(IntegrityError)
    def overtaken(request: Request, _error: IntegrityError) -> Response:
        detail = "somebody else wrote the same thing at the same time; read again, then try again"
        return problems.named("changed-meanwhile", 409, detail).response(request.state.request_id)

    @app.exception_handler(PoolExhausted)
    def crowded(request: Request, _error: PoolExhausted) -> Response:
        full = Unavailable("every connection to the database is in use; nothing was changed, try again")
        return problems.from_error(full).response(request.state.request_id)

    @app.exception_handler(Replayed)
    def replayed(_request: Request, stored: Replayed) -> Response:
        return Response(stored.body, stored.status, {"Idempotency-Replayed": "true"}, media_type="application/json")


def _invalid(app: Api, request: Request, error: RequestValidationError) -> problems.Problem:
    found = error.errors()
    if found and found[0]["type"] == "json_invalid":
        return problems.named("malformed-json", 400, "the body is not JSON", {"errors": [_not_json(app, request)]})
    entries = rules.explain(found, _operation(app, request))
    detail = "; ".join(f"{entry['field']} {entry['rule']}" for entry in entries)
    return problems.named("invalid-input", 422, detail, {"errors": entries})


def _from_http(app: Api, request: Request, error: HTTPException) -> problems.Problem:
    path = request.url.path
    if error.status_code == 404:
        return problems.named("no-such-route", 404, f"there is no {path}")
    if error.status_code == 405:
        allowed = ", ".join(app.methods_at(path)) or (error.headers or {}).get("Allow", "")
        return problems.named("method-not-allowed", 405, f"{path} takes {allowed}", Allow=allowed)
    if error.status_code == 400:
        return problems.named("malformed-json", 400, "the body is not JSON", {"errors": [_not_json(app, request)]})
    return problems.named("bad-request", error.status_code, str(error.detail))


def _not_json(app: Api, request: Request) -> dict[str, Any]:
    operation = _operation(app, request)
    return {"field": "body", "rule": "must be JSON", "example": rules.example(operation.body if operation else {})}


def _operation(app: Api, request: Request) -> Operation | None:
    return app.operation(getattr(request.scope.get("route"), "operation_id", "") or "")


async def _only_known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not know: a mistyped filter would list everything."""
    if not request.query_params:
        return
    operation = _operation(request.app, request)
    known = [item["name"] for item in operation.parameters if item["in"] == "query"] if operation else []
    for name in request.query_params:
        if name not in known:
            words = f"the parameters are {', '.join(known)}" if known else "there are none"
            raise InvalidInput(name, f"is not a query parameter here; {words}", f"?{known[0]}=…" if known else "")
