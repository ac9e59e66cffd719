"""The HTTP API as one ASGI application."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import api.assembly
from api import problems, rules
from api.edge import Edge
from api.idempotency import Replayed
from api.openapi import Operation, finish, operations
from api.routes import ROUTERS
from core.actor import Actor
from core.errors import CatracaError
from core.runtime import Runtime

__all__ = ["make_app"]

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


def make_app(runtime: Runtime, local: Actor | None = None) -> Api:
    """The API of `runtime`. `local`: serve this operator without a token, for the command line only."""
    api.assembly.load()
    app = Api(
        title="Catraca",
        version=version("catraca"),
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.runtime = runtime
    for router in ROUTERS:
        app.include_router(router)
    _handle_errors(app)
    app.add_middleware(Edge, runtime=runtime, local=local)
    return app


def _handle_errors(app: Api) -> None:
    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        return _invalid(app, request, error).response(request.state.request_id)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        return _from_http(request, error).response(request.state.request_id)

    @app.exception_handler(CatracaError)
    def known(request: Request, error: CatracaError) -> Response:
        return problems.from_error(error).response(request.state.request_id)

    @app.exception_handler(IntegrityError)
    def overtaken(request: Request, _error: IntegrityError) -> Response:
        detail = "somebody else wrote the same thing at the same time; read again, then try again"
        return problems.named("changed-meanwhile", 409, detail).response(request.state.request_id)

    @app.exception_handler(Replayed)
    def replayed(_request: Request, stored: Replayed) -> Response:
        return Response(stored.body, stored.status, {"Idempotency-Replayed": "true"}, media_type="application/json")


def _invalid(app: Api, request: Request, error: RequestValidationError) -> problems.Problem:
    found = error.errors()
    operation = app.operation(getattr(request.scope.get("route"), "operation_id", "") or "")
    if found and found[0]["type"] == "json_invalid":
        entry = {"field": "body", "rule": "must be JSON", "example": rules.example(operation.body if operation else {})}
        return problems.named("malformed-json", 400, "the body is not JSON", {"errors": [entry]})
    entries = rules.explain(found, operation)
    detail = "; ".join(f"{entry['field']} {entry['rule']}" for entry in entries)
    return problems.named("invalid-input", 422, detail, {"errors": entries})


def _from_http(request: Request, error: HTTPException) -> problems.Problem:
    if error.status_code == 404:
        return problems.named("no-such-route", 404, f"there is no {request.url.path}")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", (error.headers or {}).get("allow", ""))
        return problems.named(
            "method-not-allowed", 405, f"{request.url.path} takes {allowed}, not {request.method}", Allow=allowed
        )
    slug = "malformed-json" if error.status_code == 400 else "bad-request"
    return problems.named(
        slug, error.status_code, "the body could not be read as JSON" if slug != "bad-request" else str(error.detail)
    )
