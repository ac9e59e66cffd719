"""Full comparisons with billing systems that we ask: start one, rehearse one, see how they went."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Flag, Instant, Key, PathKey
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from billing_bridge.intake import runs as intake_runs
from billing_bridge.intake.models import IntakeRun

router = APIRouter(prefix="/api/v1/intake/runs", tags=["intake"])
_STATUS = "running, done, failed (the source did), held (its listing is not believed) or left (another took over)"
_SMALLER = "Believe a listing although it is empty or less than half of the last; needs the permission guard.approve"


class ComparisonIn(Body):
    billing_source_id: Key = Field(description="Which source is compared with", examples=[3])
    dry_run: Flag = Field(False, description="Only tell what would change", examples=[True])
    accept_smaller: Flag = Field(False, description=_SMALLER, examples=[False])


class ComparisonView(View):
    model_config = columns("id", "source_id", "status", "dry_run", "seen", "created", "changed", "closed", "unmatched")

    id: int = Field(description="The run's id", examples=[6])
    source_id: int = Field(description="The billing source's id", examples=[3])
    status: str = Field(description=_STATUS, examples=["done"])
    phase: str = Field(description="Where it is: fetch, apply, close or over", examples=["over"])
    dry_run: bool = Field(description="Whether it only tells", examples=[False])
    accept_smaller: bool = Field(description="Whether a small listing is believed", examples=[False])
    actor: str = Field(description="Who started it", examples=["routine 2 Sync"])
    started_at: Instant = Field(description="When it began", examples=["2026-03-05T06:00:00Z"])
    finished_at: Instant | None = Field(description="When it ended", examples=["2026-03-05T06:01:00Z"])
    steps_done: int = Field(description="How many questions are answered", examples=[9])
    steps: int = Field(description="How many questions it takes", examples=[9])
    seen: int = Field(description="How many invoices the source lists", examples=[4210])
    unchanged: int = Field(description="How many are as they were here", examples=[4190])
    created: int = Field(description="How many are new here", examples=[12])
    changed: int = Field(description="How many are different now", examples=[7])
    closed: int = Field(description="How many were open here and are no longer listed", examples=[1])
    unmatched: int = Field(description="How many match no subscription", examples=[1])
    conflicts: int = Field(description="How many have another content under the same version", examples=[0])
    refused: int = Field(description="How many could not be read", examples=[0])
    detail: str = Field(description="Why it did not go well", examples=["HTTP 500"])


class DifferenceView(ComparisonView):
    differences: list[str] = Field(
        description="Of a rehearsal: what a real one would do, the first 500",
        examples=[["60001: open_cents 9990 → 0; status OPEN → PAID"]],
    )


@router.post("", operation_id="intake.sync", status_code=202, summary="Compare with a source; a job carries it out")
def sync(request: Request, body: ComparisonIn) -> ComparisonView:
    given = body.given()
    source_id = given.pop("billing_source_id")
    return write(request, lambda tx: shown(intake_runs.start_run(tx, source_id=source_id, **given)))


@router.get("", operation_id="intake.runs", summary="The comparisons, newest first")
def list_all(
    pages: Pages,
    source_id: Annotated[PathKey | None, Query(description="Only with this source", examples=[3])] = None,
) -> Page[ComparisonView]:
    query = select(IntakeRun)
    if source_id is not None:
        query = query.where(IntakeRun.source_id == source_id)
    return pages.of(query, IntakeRun.id, shown, newest_first=True)


@router.get("/{run_id}", operation_id="intake.run", summary="One comparison, with what a rehearsal found")
def show(
    request: Request, run_id: Annotated[PathKey, Path(description="The run's id", examples=[6])]
) -> DifferenceView:
    return read(request, lambda tx: _whole(intake_runs.get_run(tx, run_id)))


def shown(row: IntakeRun) -> ComparisonView:
    return ComparisonView.of(row, steps=len(row.plan), steps_done=row.step)


def _whole(row: IntakeRun) -> DifferenceView:
    return DifferenceView.of(row, steps=len(row.plan), steps_done=row.step)
