"""The address history itself: from when on it is kept, and what a purge would take."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request

from api.fields import Instant
from api.models import View, columns
from api.requests import read
from core.database import Transaction
from radius.history_holds import live_holds
from radius.history_retention import kept_from, preview

router = APIRouter(prefix="/api/v1/address-history", tags=["evidence"])


class PurgeableView(View):
    model_config = columns("what", "rows", "estimated", "held")

    what: str = Field(description="A month's partition, or rows one by one", examples=["address_history_2025_03"])
    rows: int = Field(description="How many records that is", examples=[8_200_000])
    estimated: bool = Field(description="Whether that is the database's estimate", examples=[True])
    held: int = Field(description="How many of them a legal hold keeps", examples=[12])


class RetentionView(View):
    keep_days: int = Field(description="The setting `history_keep_days`", examples=[366])
    kept_from: Instant = Field(description="What ended before this is too old", examples=["2025-03-01T03:00:00Z"])
    live_holds: int = Field(description="How many legal holds are in force", examples=[1])
    purgeable: list[PurgeableView] = Field(description="What the next purge takes")


@router.get("/retention", operation_id="history.retention", summary="How long records are kept, and what would go now")
def retention(request: Request) -> RetentionView:
    def look(tx: Transaction) -> RetentionView:
        limit = kept_from(tx)
        return RetentionView(
            keep_days=tx.settings.history_keep_days,
            kept_from=limit,
            live_holds=len(live_holds(tx)),
            purgeable=[PurgeableView.of(item) for item in preview(tx, limit)],
        )

    return read(request, look)
