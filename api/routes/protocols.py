"""Protocol numbers: what was agreed with a subscriber."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Instant, PathKey
from api.models import Page, View, columns
from api.paging import Pages
from api.requests import read
from provisioning.protocols import Protocol, get_protocol

router = APIRouter(prefix="/api/v1/protocols", tags=["protocol"])
Number = Annotated[
    str, Path(pattern=r"^[0-9]{8,32}$", description="The protocol number", examples=["2026030200000001"])
]
OfSubscriber = Annotated[PathKey | None, Query(description="Only those of this subscriber", examples=[7])]
OfSubscription = Annotated[PathKey | None, Query(description="Only those of this subscription", examples=[12])]


class ProtocolView(View):
    model_config = columns("number", "kind", "subscriber_id", "subscription_id", "issued_at", "issued_by")

    number: str = Field(description="The number that the subscriber was told", examples=["2026030200000001"])
    kind: str = Field(description="What it is about", examples=["cancellation"])
    subscriber_id: int = Field(description="With whom", examples=[7])
    subscription_id: int | None = Field(description="About which subscription", examples=[12])
    issued_at: Instant = Field(description="When", examples=["2026-03-02T12:00:00Z"])
    issued_by: str = Field(description="By whom", examples=["ana"])
    details: dict[str, Any] = Field(description="The choices", examples=[{"fine_cents": 15000}])


@router.get("/{number}", operation_id="protocol.show", summary="What was agreed under a number")
def show(request: Request, number: Number) -> ProtocolView:
    return read(request, lambda tx: ProtocolView.of(get_protocol(tx, number)))


@router.get("", operation_id="protocol.list", summary="What was agreed, the newest first")
def list_protocols(
    pages: Pages, subscriber_id: OfSubscriber = None, subscription_id: OfSubscription = None
) -> Page[ProtocolView]:
    query = select(Protocol)
    if subscriber_id is not None:
        query = query.where(Protocol.subscriber_id == subscriber_id)
    if subscription_id is not None:
        query = query.where(Protocol.subscription_id == subscription_id)
    return pages.of(query, Protocol.id, ProtocolView.of, newest_first=True)
