"""Dunning: the guarded run that restricts who is late. Look at the preview first."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Day, Flag, Instant, Key, Note, PathKey
from api.models import Body, Page, View, columns
from api.paging import Pages, cursor
from api.requests import read, runtime_of, write
from billing_bridge.dunning import approval as dunning_approval
from billing_bridge.dunning import work as dunning
from billing_bridge.dunning.models import DunningRunLine
from billing_bridge.dunning.runs import levels_of, status_at
from billing_bridge.models import DunningRun
from core.clock_marks import watch_clocks
from core.database import Transaction

router = APIRouter(prefix="/api/v1/dunning", tags=["dunning"])
RunId = Annotated[PathKey, Path(description="The run's id", examples=[6])]


LineStatus = Literal["planned", "ordered", "skipped", "dismissed"]


class RunIn(Body):
    approve: Flag = Field(
        False, description="Run although it restricts more than the cap; after a look at the preview", examples=[True]
    )


class ApproveIn(Body):
    subscription_ids: list[Key] | None = Field(
        None,
        min_length=1,
        max_length=10_000,
        description="Only these of the run's lines, the rest is dismissed; null: all of them",
        examples=[[12, 15]],
    )
    note: Note = Field("", description="Why", examples=["looked at all of them"])


class DismissIn(Body):
    note: Note = Field(description="Why", examples=["the bank's file of Friday is missing"])


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
    cap: int = Field(description="How many a day's runs may restrict without approval", examples=[27])
    ordered_today: int = Field(description="How many of these they have restricted already", examples=[3])
    hold: str | None = Field(
        description="Why no restriction may start now; null: it may",
        examples=["no restriction starts while alarm 4 (clock-jump machine radius1): …"],
    )
    exceeds_cap: bool = Field(description="Whether a run needs approval", examples=[False])
    orders: list[WantedView] = Field(description="Who and why, by subscription")
    next: str | None = Field(description="Give it back as `after` for the next of them", examples=["MS4xMg"])


class RunView(View):
    model_config = columns("id", "day", "status", "actor", "planned", "ordered", "skipped", "started_at")

    id: int = Field(description="The run's id", examples=[6])
    day: Day = Field(description="For which day", examples=["2026-03-26"])
    scheduled_on: Day | None = Field(
        description="The day whose daily run it was, before there were routines", examples=["2026-03-26"]
    )
    status: str = Field(
        description=(
            "planning, running, done, waiting (over the cap, for approval), dismissed, expired, replaced by a later "
            "run, or held by a guard"
        ),
        examples=["done"],
    )
    levels: list[str] = Field(description="What it may order: partial, total", examples=[["partial", "total"]])
    origin: str = Field(description="The routine that wanted it", examples=["routine 2 Suspensão diária"])
    approved: bool = Field(description="Whether somebody approved it over the cap", examples=[False])
    actor: str = Field(description="Who started it", examples=["ana"])
    source: str = Field(description="From where", examples=["api"])
    started_at: Instant = Field(description="When it began", examples=["2026-03-26T09:00:00Z"])
    finished_at: Instant | None = Field(description="When it ended", examples=["2026-03-26T09:00:02Z"])
    active_count: int = Field(description="How many were active", examples=[900])
    cap: int = Field(description="The cap", examples=[27])
    looked_at: int = Field(description="About how many it has decided so far", examples=[9])
    planned_at: Instant | None = Field(
        description="When everything was decided; null: not yet", examples=["2026-03-26T09:00:01Z"]
    )
    planned: int = Field(description="How many it wanted to restrict, as far as decided", examples=[7])
    planned_total: int = Field(description="Of these to be suspended", examples=[2])
    planned_partial: int = Field(description="Of these to be reduced", examples=[5])
    ordered: int = Field(description="How many it restricted", examples=[7])
    ordered_total: int = Field(description="Of these suspended", examples=[2])
    ordered_partial: int = Field(description="Of these reduced", examples=[5])
    skipped: int = Field(description="How many no longer had to be", examples=[0])
    dismissed: int = Field(description="How many a person left out", examples=[0])
    expires_at: Instant | None = Field(
        description="Until when it waits for approval", examples=["2026-03-27T09:00:00Z"]
    )
    decided_at: Instant | None = Field(
        description="When it was approved or dismissed", examples=["2026-03-26T10:00:00Z"]
    )
    decided_by: str = Field(description="Who approved or dismissed it", examples=["ana"])
    note: str = Field(description="Why it ended as it did, or was approved", examples=["looked at all of them"])


class LineView(View):
    model_config = columns("subscription_id", "level", "status", "open_cents", "days_late", "detail")

    subscription_id: int = Field(description="Whom", examples=[12])
    level: str = Field(description="total or partial", examples=["partial"])
    status: LineStatus = Field(
        description="planned, ordered, skipped (no longer to be restricted) or dismissed", examples=["ordered"]
    )
    detail: str = Field(description="Why it was skipped", examples=["subscription 12 was cancelled"])
    invoice_ids: list[int] = Field(description="For which invoices", examples=[[31]])
    open_cents: int = Field(description="What was owed, in cents", examples=[9990])
    days_late: int = Field(description="Days since the oldest was due", examples=[16])
    rule_version: int | None = Field(description="By which version of the rules", examples=[1])
    why: str = Field(description="In words", examples=["16 days late, R$ 99,90 open"])


@router.get("/preview", operation_id="dunning.preview", summary="Who would be restricted by a run now, and why")
def preview(request: Request, pages: Pages) -> PreviewView:
    def look(tx: Transaction) -> PreviewView:
        plan = dunning.preview_dunning(tx, limit=pages.limit, after=pages.place or 0)
        complete = not plan.orders or (pages.place is None and len(plan.orders) >= plan.count)
        return PreviewView.of(plan, next=None if complete else cursor(plan.orders[-1].subscription_id))

    return read(request, look)


@router.post("/runs", operation_id="dunning.run", status_code=201, summary="Restrict who is late, up to the cap")
def run(request: Request, body: RunIn) -> RunView:
    with runtime_of(request).database.transaction() as tx:
        watch_clocks(tx)  # on its own: a refused run leaves nothing behind, and the alarm has to stay
    return write(request, lambda tx: _view(dunning.run_dunning(tx, approve=body.approve), tx.now))


@router.get("/runs", operation_id="dunning.list", summary="The runs, newest first")
def list_all(request: Request, pages: Pages) -> Page[RunView]:
    now = runtime_of(request).clock()
    return pages.of(select(DunningRun), DunningRun.id, lambda row: _view(row, now), newest_first=True)


@router.get("/runs/{run_id}", operation_id="dunning.show", summary="One run, and how far it is")
def show(request: Request, run_id: RunId) -> RunView:
    return read(request, lambda tx: _view(dunning.get_run(tx, run_id), tx.now))


@router.get("/runs/{run_id}/lines", operation_id="dunning.lines", summary="Whom a run restricts, and what came of it")
def lines(
    request: Request,
    run_id: RunId,
    pages: Pages,
    status: Annotated[LineStatus | None, Query(description="Only in this status", examples=["skipped"])] = None,
) -> Page[LineView]:
    read(request, lambda tx: dunning.get_run(tx, run_id).id)
    wanted = select(DunningRunLine).where(DunningRunLine.run_id == run_id)
    if status is not None:
        wanted = wanted.where(DunningRunLine.status == status)
    return pages.of(wanted, DunningRunLine.subscription_id, LineView.of)


@router.post(
    "/runs/{run_id}/approve", operation_id="dunning.approve", summary="Restrict all or some of a run that waits"
)
def approve(request: Request, run_id: RunId, body: ApproveIn) -> RunView:
    return write(request, lambda tx: _view(dunning_approval.approve_run(tx, run_id, **body.given()), tx.now))


@router.post("/runs/{run_id}/dismiss", operation_id="dunning.dismiss", summary="Restrict nobody of a run that waits")
def dismiss(request: Request, run_id: RunId, body: DismissIn) -> RunView:
    return write(request, lambda tx: _view(dunning_approval.dismiss_run(tx, run_id, note=body.note), tx.now))


def _view(row: DunningRun, now: datetime) -> RunView:
    return RunView.of(row, status=status_at(row, now), levels=sorted(level.value for level in levels_of(row)))
