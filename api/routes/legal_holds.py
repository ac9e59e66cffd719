"""Legal holds: connection records that an authority wants kept beyond their time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Address, Instant, Key, Name, Note, PathKey
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import write
from core.database import Transaction
from provisioning.evidence.legal_holds import place_hold
from radius.history_holds import release_hold
from radius.history_models import LegalHold

router = APIRouter(prefix="/api/v1/legal-holds", tags=["evidence"])
HoldId = Annotated[PathKey, Path(description="The hold's id", examples=[2])]


class HoldIn(Body):
    reference: Name = Field(description="The order that asks for it", examples=["Ofício 123/2026, DIG Campinas"])
    since: Instant = Field(description="The beginning of the time asked for", examples=["2026-03-01T00:00:00-03:00"])
    until: Instant = Field(description="The end of the time asked for", examples=["2026-04-01T00:00:00-03:00"])
    address: Address | None = Field(None, description="Only this address; null: any", examples=["100.64.0.10"])
    subscription_id: Key | None = Field(None, description="Only this subscription; null: any", examples=[12])
    note: Note = Field("", description="What else is to be known", examples=["court order expected by 1 May"])


class ReleaseIn(Body):
    note: Note = Field(description="Why it may go", examples=["no order was filed within 60 days (art. 13, § 4)"])


class HoldView(View):
    model_config = columns(
        "id", "reference", "address", "subscription_id", "since", "until", "created_at", "released_at"
    )

    id: int = Field(description="The hold's id", examples=[2])
    reference: str = Field(description="The order that asks for it", examples=["Ofício 123/2026, DIG Campinas"])
    note: str = Field(description="What else is to be known", examples=["court order expected by 1 May"])
    address: Address | None = Field(description="Only this address; null: any", examples=["100.64.0.10"])
    subscription_id: int | None = Field(description="Only this subscription; null: any", examples=[12])
    since: Instant = Field(description="The beginning of the time asked for", examples=["2026-03-01T03:00:00Z"])
    until: Instant = Field(description="The end of the time asked for", examples=["2026-04-01T03:00:00Z"])
    created_at: Instant = Field(description="When it was placed", examples=["2026-04-02T12:00:00Z"])
    created_by: str = Field(description="Who placed it", examples=["ana"])
    released_at: Instant | None = Field(
        description="When it was released; null: it holds", examples=["2026-07-01T12:00:00Z"]
    )
    released_by: str = Field(description="Who released it", examples=["ana"])


@router.post("", operation_id="hold.place", status_code=201, summary="Keep records until the hold is released")
def place(request: Request, body: HoldIn) -> HoldView:
    return write(request, lambda tx: HoldView.of(place_hold(tx, **body.given())))


@router.get("", operation_id="hold.list", summary="The holds, newest first")
def list_all(
    pages: Pages,
    live: Annotated[bool, Query(description="Only those that nobody has released", examples=[True])] = False,
) -> Page[HoldView]:
    wanted = select(LegalHold)
    if live:
        wanted = wanted.where(LegalHold.released_at.is_(None))
    return pages.of(wanted, LegalHold.id, HoldView.of, newest_first=True)


@router.post("/{hold_id}/release", operation_id="hold.release", summary="Let go of what the hold kept")
def release(request: Request, hold_id: HoldId, body: ReleaseIn) -> HoldView:
    def work(tx: Transaction) -> HoldView:
        return HoldView.of(release_hold(tx, hold_id=hold_id, note=body.note))

    return write(request, work)
