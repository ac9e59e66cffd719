"""Pauses at the subscriber's request: begin, move the return, end, and who is away."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Instant, Note
from api.models import Body, Page, View
from api.paging import Pages
from api.requests import runtime_of, write
from api.routes.interventions import NoteIn, Outcome, SubscriptionId
from api.routes.subscriptions import SubscriptionView
from core.database import Transaction
from provisioning import pauses
from provisioning.models import PauseRow
from provisioning.subscriptions import get_subscription

router = APIRouter(prefix="/api/v1", tags=["subscription"])
Until = Annotated[
    Instant | None,
    Query(description="Only those that come back by themselves until then", examples=["2026-07-01T00:00:00-03:00"]),
]


class PauseIn(Body):
    until: Instant | None = Field(
        None,
        description="When it comes back by itself; null: when it is resumed",
        examples=["2026-07-01T00:00:00-03:00"],
    )
    note: Note = Field("", description="Why", examples=["travelling until July"])
    return_note: Note = Field("", description="What the timeline says at its return", examples=["back from the trip"])


class ReturnIn(Body):
    until: Instant | None = Field(
        description="When it comes back instead; null: when it is resumed", examples=["2026-08-01T00:00:00-03:00"]
    )
    note: Note = Field("", description="Why", examples=["stays away longer"])
    return_note: Note | None = Field(
        None, description="What the timeline says at its return; null: as it was", examples=["back from the trip"]
    )


class PausedView(View):
    id: int = Field(description="The record's id", examples=[5])
    subscription_id: int = Field(description="Which subscription", examples=[12])
    since: Instant = Field(description="From when", examples=["2026-03-02T12:00:00Z"])
    until: Instant | None = Field(description="When it comes back by itself", examples=["2026-07-01T03:00:00Z"])
    note: str = Field(description="Why", examples=["travelling until July"])
    return_note: str = Field(description="What the timeline says at its return", examples=["back from the trip"])


class PauseView(PausedView, Outcome):
    """A pause, with the state that the subscription now has."""


@router.post(
    "/subscriptions/{subscription_id}/pause",
    operation_id="subscription.pause",
    status_code=201,
    summary="Pause at the subscriber's request",
)
def pause(request: Request, subscription_id: SubscriptionId, body: PauseIn) -> PauseView:
    def work(tx: Transaction) -> PauseView:
        return _shown(tx, pauses.pause(tx, subscription_id=subscription_id, **body.given()))

    return write(request, work)


@router.post(
    "/subscriptions/{subscription_id}/move-return",
    operation_id="subscription.move-return",
    summary="Let a pause end at another instant",
)
def move_return(request: Request, subscription_id: SubscriptionId, body: ReturnIn) -> PauseView:
    def work(tx: Transaction) -> PauseView:
        return _shown(tx, pauses.move_return(tx, subscription_id=subscription_id, **body.given()))

    return write(request, work)


@router.post("/subscriptions/{subscription_id}/resume", operation_id="subscription.resume", summary="End a pause now")
def resume(request: Request, subscription_id: SubscriptionId, body: NoteIn) -> SubscriptionView:
    def work(tx: Transaction) -> SubscriptionView:
        return SubscriptionView.of(pauses.resume(tx, subscription_id=subscription_id, note=body.note))

    return write(request, work)


@router.get("/pauses", operation_id="subscription.pauses", summary="Who is paused, and when they come back")
def list_pauses(request: Request, pages: Pages, returning_by: Until = None) -> Page[PausedView]:
    now = runtime_of(request).clock()
    return pages.of(pauses.live_pauses(now, returning_by=returning_by), PauseRow.id, PausedView.of)


def _shown(tx: Transaction, row: PauseRow) -> PauseView:
    return PauseView.of(row, state=get_subscription(tx, row.subscription_id).state)
