"""Notices before a restriction: who was told, who would be, and giving them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Day, Instant, PathKey
from api.models import Page, View, columns
from api.paging import Pages
from api.requests import read, write
from billing_bridge.dunning.guards import refuse_held
from billing_bridge.notices import commands as notices
from billing_bridge.notices.models import DebtNotice
from core.database import Transaction

router = APIRouter(prefix="/api/v1/dunning/notices", tags=["dunning"])


class NoticeView(View):
    model_config = columns("id", "subscription_id", "invoice_id", "level", "given_on", "restriction_from", "open_cents")

    id: int = Field(description="The notice's id", examples=[5])
    subscription_id: int = Field(description="Who was told", examples=[12])
    invoice_id: int = Field(description="Of which invoice", examples=[31])
    level: str = Field(description="What threatens first: total or partial", examples=["partial"])
    given_on: Day = Field(description="On which day", examples=["2026-03-02"])
    restriction_from: Day = Field(description="From when a restriction is possible", examples=["2026-03-17"])
    open_cents: int = Field(description="What was open on the invoice then", examples=[9990])
    created_at: Instant = Field(description="When it was given", examples=["2026-03-02T12:00:00Z"])


class WantedNoticeView(View):
    subscription_id: int = Field(description="Who would be told", examples=[12])
    invoice_id: int = Field(description="Of which invoice", examples=[31])
    due_on: Day = Field(description="When it was due", examples=["2026-02-20"])
    open_cents: int = Field(description="What is open on it", examples=[9990])
    level: str = Field(description="What threatens first: total or partial", examples=["partial"])
    restriction_from: Day = Field(description="From when a restriction is possible", examples=["2026-03-17"])


class NoticesGiven(View):
    notices: int = Field(description="How many notices were given", examples=[7])
    subscriptions: int = Field(description="To how many subscriptions", examples=[5])
    last: int | None = Field(
        description="The subscription that it ended with: give the rest with another call; null: nobody is left",
        examples=[512],
    )


@router.get("", operation_id="dunning.notices", summary="The notices that were given, newest first")
def list_all(
    pages: Pages,
    subscription_id: Annotated[PathKey | None, Query(description="Only of this subscription", examples=[12])] = None,
) -> Page[NoticeView]:
    wanted = select(DebtNotice)
    if subscription_id is not None:
        wanted = wanted.where(DebtNotice.subscription_id == subscription_id)
    return pages.of(wanted, DebtNotice.id, NoticeView.of, newest_first=True)


@router.get("/preview", operation_id="dunning.preview-notices", summary="Who would be given notice now")
def preview(request: Request, pages: Pages) -> Page[WantedNoticeView]:
    def look(tx: Transaction) -> Page[WantedNoticeView]:
        found, last = notices.preview_notices(tx, limit=pages.limit, after=pages.place or 0)
        return pages.ended([WantedNoticeView.of(notice) for notice in found], last)

    return read(request, look)


@router.post("", operation_id="dunning.give-notices", summary="Give the notices that are due, to 500 subscriptions")
def give(request: Request) -> NoticesGiven:
    def work(tx: Transaction) -> NoticesGiven:
        refuse_held(tx)
        return NoticesGiven.of(notices.give_notices(tx))

    return write(request, work)
