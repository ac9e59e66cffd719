"""Whether this process lives, whether it can serve, and what its problems mean. Nobody needs a token for these."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import text
from starlette.requests import Request

from api import problems
from api.models import View
from api.requests import read, runtime_of
from core.errors import CatracaError, NotFound

router = APIRouter(tags=["health"])


class NotReady(CatracaError):
    status = 503
    slug = "not-ready"
    title = problems.EXPLANATIONS["not-ready"].title


class Health(View):
    status: Literal["ok"] = Field(description="Always `ok`: other states are problems", examples=["ok"])


class ProblemView(View):
    slug: str = Field(description="The last part of the problem's `type`", examples=["invalid-input"])
    title: str = Field(description="The kind of problem", examples=["A field is not valid"])
    explanation: str = Field(
        description="What it means and what to do", examples=["`errors` names each field that breaks a rule."]
    )


@router.get("/healthz", operation_id="health.live", summary="Does the process live?")
def live() -> Health:
    return Health(status="ok")


@router.get("/readyz", operation_id="health.ready", summary="Can it serve: is the database there and up to date?")
def ready(request: Request) -> Health:
    from core.migrate import is_current  # Alembic is slow to import, and no verb of the command line needs it

    read(request, lambda tx: tx.session.execute(text("SELECT 1")))
    if not is_current(runtime_of(request).database):
        raise NotReady("the database's schema is not the one of this version; run `catraca migrate`")
    return Health(status="ok")


@router.get("/problems/{slug}", operation_id="problem.explain", summary="What a kind of problem means")
def explain(
    slug: Annotated[str, Path(description="The last part of the problem's `type`", examples=["invalid-input"])],
) -> ProblemView:
    found = problems.explanation(slug)
    if found is None:
        raise NotFound("problem", slug)
    return ProblemView(slug=slug, title=found.title, explanation=found.words)
