"""Dunning: the guarded run that restricts who is late. Look at the preview first."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Day, Flag, Instant, PathKey
from api.models import Body, Page, View, columns
from api.paging import Pages, cursor
from api.requests import read, write
from billing_bridge import dunning
from billing_bridge.models import DunningRun
from core.database import Transaction

router = APIRouter(prefix="/api/v1/dunning", tags=["dunning"])
RunId = Annotated[PathKey, Path(description="The run's id", examples=[6])]


class RunIn(Body):
    approve: Flag = Field(
        False, description="Run although it restricts more than the cap; after a look at the preview", examples=[True]
    )


class WantedView(View):
    subscription_id: int = Field(description="Who would be restricted", examples=[12])
    level: str = Field(description="total or partial", examples=["partial"])
    invoice_ids: list[int] = Field(description="For which invoices", examples=[[31]])
    open_cents: int = Field(description="What is owed, in cents", examples=[9990])
    days_late: int = Field(description="Days since the oldest was due", examples=[16])
    rule: str = Field(description="By which rule", examples=["Boleto v1"])
    why: str = Field(description="In words", examples=["16 days late, R$ 99,90 open"])


class PreviewView(View):
    day: Day = Field(description="For which day", examples=["2026-03-26"])
    total_count: int = Field(description="How many would be suspended", examples=[2])
    partial_count: int = Field(description="How many would be reduced", examples=[5])
    active_count: int = Field(description="How many are active now", examples=[900])
    cap: int = Field(description="How many a run may restrict without approval", examples=[27])
    exceeds_cap: bool = Field(description="Whether a run needs approval", examples=[False])
    orders: list[WantedView] = Field(description="Who and why, by subscription")
    next: str | None = Field(description="Give it back as `after` for the next of them", examples=["MS4xMg"])


class RunView(View):
    model_config = columns("id", "day", "status", "actor", "planned", "ordered", "skipped", "started_at")

    id: int = Field(description="The run's id", examples=[6])
    day: Day = Field(description="For which day", examples=["2026-03-26"])
    scheduled_on: Day | None = Field(description="The day whose daily run it is", examples=["2026-03-26"])
    status: str = Field(
        description="running, done, waiting (over the cap, for approval) or replaced", examples=["done"]
    )
    approved: bool = Field(description="Whether somebody approved it over the cap", examples=[False])
    actor: str = Field(description="Who started it", examples=["ana"])
    source: str = Field(description="From where", examples=["api"])
    started_at: Instant = Field(description="When it began", examples=["2026-03-26T09:00:00Z"])
    finished_at: Instant | None = Field(description="When it ended", examples=["2026-03-26T09:00:02Z"])
    active_count: int = Field(description="How many were active", examples=[900])
    cap: int = Field(description="The cap", examples=[27])
    planned: int = Field(description="How many it wanted to restrict", examples=[7])
    ordered: int = Field(description="How many it restricted", examples=[7])
    ordered_total: int = Field(description="Of these suspended", examples=[2])
    ordered_partial: int = Field(description="Of these reduced", examples=[5])
    skipped: int = Field(description="How many no longer had to be", examples=[0])


@router.get("/preview", operation_id="dunning.preview", summary="Who would be restricted by a run now, and why")
def preview(request: Request, pages: Pages) -> PreviewView:
    def look(tx: Transaction) -> PreviewView:
        plan = dunning.preview_dunning(tx, limit=pages.limit, after=pages.place or 0)
        complete = not plan.orders or (pages.place is None and len(plan.orders) >= plan.count)
        return PreviewView.of(plan, next=None if complete else cursor(plan.orders[-1].subscription_id))

    return read(request, look)


@router.post("/runs", operation_id="dunning.run", status_code=201, summary="Restrict who is late, up to the cap")
def run(request: Request, body: RunIn) -> RunView:
    return write(request, lambda tx: RunView.of(dunning.run_dunning(tx, approve=body.approve)))


@router.get("/runs", operation_id="dunning.list", summary="The runs, newest first")
def list_all(pages: Pages) -> Page[RunView]:
    return pages.of(select(DunningRun), DunningRun.id, RunView.of, newest_first=True)


@router.get("/runs/{run_id}", operation_id="dunning.show", summary="One run")
def show(request: Request, run_id: RunId) -> RunView:
    return read(request, lambda tx: RunView.of(dunning.get_run(tx, run_id)))
