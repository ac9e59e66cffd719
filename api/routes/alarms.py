"""Alarms: what a person has to look at. Those about clocks and about where bills come from hold restrictions back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Instant, Note, PathKey
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from billing_bridge.dunning.guards import HOLDING, clear_guard
from core.alarms import Alarm, get_alarm

router = APIRouter(prefix="/api/v1/alarms", tags=["alarm"])
AlarmId = Annotated[PathKey, Path(description="The alarm's id", examples=[4])]


class ClearIn(Body):
    note: Note = Field(description="What was found and done", examples=["the time server was wrong; mended"])


class AlarmView(View):
    model_config = columns("id", "kind", "subject", "detail", "raised_at", "cleared_at", "holds_restrictions")

    id: int = Field(description="The alarm's id", examples=[4])
    kind: str = Field(description="What is wrong", examples=["clock-jump"])
    subject: str = Field(description="With what", examples=["machine radius1"])
    detail: str = Field(
        description="In words", examples=["the clock of machine radius1 jumped forward by 3 d, to 2026-03-05 12:00 UTC"]
    )
    raised_at: Instant = Field(description="Since when", examples=["2026-03-02T12:00:00Z"])
    cleared_at: Instant | None = Field(description="Until when; null: it is open", examples=["2026-03-02T12:30:00Z"])
    cleared_by: str = Field(description="Who cleared it, or catraca when its reason was gone", examples=["ana"])
    note: str = Field(description="What was found and done", examples=["the time server was wrong; mended"])
    holds_restrictions: bool = Field(
        description="Whether no restriction starts while it is open; restoring never waits", examples=[True]
    )


@router.get("", operation_id="alarm.list", summary="The alarms, newest first")
def list_all(
    pages: Pages,
    still_open: Annotated[bool, Query(alias="open", description="Only those that are open", examples=[True])] = False,
    kind: Annotated[str | None, Query(max_length=40, description="Only this kind", examples=["clock-jump"])] = None,
) -> Page[AlarmView]:
    wanted = select(Alarm)
    if still_open:
        wanted = wanted.where(Alarm.cleared_at.is_(None))
    if kind is not None:
        wanted = wanted.where(Alarm.kind == kind)
    return pages.of(wanted, Alarm.id, _view, newest_first=True)


@router.get("/{alarm_id}", operation_id="alarm.show", summary="One alarm")
def show(request: Request, alarm_id: AlarmId) -> AlarmView:
    return read(request, lambda tx: _view(get_alarm(tx, alarm_id)))


@router.post("/{alarm_id}/clear", operation_id="alarm.clear", summary="Clear an alarm that was looked into")
def clear(request: Request, alarm_id: AlarmId, body: ClearIn) -> AlarmView:
    return write(request, lambda tx: _view(clear_guard(tx, alarm_id=alarm_id, note=body.note)))


def _view(row: Alarm) -> AlarmView:
    return AlarmView.of(row, holds_restrictions=row.cleared_at is None and row.kind in HOLDING)
