"""What subscriptions have moved, day by day."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Day, PathKey
from api.models import Page, View, columns
from api.paging import Pages
from api.requests import read
from core.database import Transaction
from provisioning.subscriptions import get_subscription
from radius.usage import usage_of

router = APIRouter(prefix="/api/v1/subscriptions/{subscription_id}", tags=["subscription"])


class DayUsageView(View):
    model_config = columns("day", "input_octets", "output_octets")

    day: Day = Field(description="A day as the company counts them", examples=["2026-03-02"])
    input_octets: int = Field(description="Octets from the subscriber", examples=[1073741824])
    output_octets: int = Field(description="Octets to the subscriber", examples=[21474836480])


@router.get("/usage", operation_id="subscription.usage", summary="What it has moved each day, the latest first")
def usage(
    request: Request,
    pages: Pages,
    subscription_id: Annotated[PathKey, Path(description="The subscription's id", examples=[12])],
    first_day: Annotated[Day | None, Query(description="Only from this day on", examples=["2026-03-01"])] = None,
    last_day: Annotated[Day | None, Query(description="Only until this day", examples=["2026-03-31"])] = None,
) -> Page[DayUsageView]:
    def look(tx: Transaction) -> Page[DayUsageView]:
        get_subscription(tx, subscription_id)
        until = min(last_day or date.max, _before(pages.place))
        days = usage_of(tx, subscription_id, first_day or date.min, until)[::-1]
        return pages.made([(each.day.toordinal(), each) for each in days[: pages.limit + 1]], DayUsageView.of)

    return read(request, look)


def _before(place: int | None) -> date:
    """The last day that the page may show: the one before the last one of the page before."""
    if place is None or place > date.max.toordinal():
        return date.max
    return date.fromordinal(max(place - 1, 1))
