"""Warnings: telling a subscriber, on the network too, that a restriction comes."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request

from api.fields import Instant, Key, Note
from api.models import Body, View
from api.requests import write
from api.routes.interventions import NoteIn, SubscriptionId
from core.database import Transaction
from provisioning.warnings import commands as warnings

router = APIRouter(prefix="/api/v1/subscriptions/{subscription_id}", tags=["subscription"])


class WarnIn(Body):
    cause: Note = Field(description="What it is about", examples=["the invoice of March is late"])
    until: Instant | None = Field(
        None, description="When it is over by itself; null: in 30 days", examples=["2026-03-12T03:00:00Z"]
    )
    invoice_ids: list[Key] = Field(
        default_factory=list,
        max_length=100,
        description="The invoices that it is about: it ends when they are paid",
        examples=[[31]],
    )


class WarningView(View):
    id: int = Field(description="The warning's id", examples=[5])
    subscription_id: int = Field(description="Which subscription", examples=[12])
    cause: str = Field(description="What it is about", examples=["the invoice of March is late"])
    since: Instant = Field(description="From when", examples=["2026-03-02T12:00:00Z"])
    until: Instant = Field(description="When it is over by itself", examples=["2026-04-01T12:00:00Z"])
    invoice_ids: list[int] = Field(description="The invoices that it is about", examples=[[31]])
    given_by: str = Field(description="Who warned", examples=["ana"])
    ended_at: Instant | None = Field(description="When it ended; null: it is live", examples=["2026-03-03T12:00:00Z"])
    end_reason: str = Field(description="Why: paid, restricted, over or ended (by hand)", examples=["paid"])


@router.post(
    "/warn",
    operation_id="subscription.warn",
    status_code=201,
    summary="Warn that a restriction comes: routers with a list for it show it",
)
def warn(request: Request, subscription_id: SubscriptionId, body: WarnIn) -> WarningView:
    def work(tx: Transaction) -> WarningView:
        return WarningView.of(warnings.warn(tx, subscription_id=subscription_id, **body.given()))

    return write(request, work)


@router.post("/end-warning", operation_id="subscription.end-warning", summary="End a warning before its time")
def end_warning(request: Request, subscription_id: SubscriptionId, body: NoteIn) -> WarningView:
    def work(tx: Transaction) -> WarningView:
        return WarningView.of(warnings.unwarn(tx, subscription_id=subscription_id, note=body.note))

    return write(request, work)
