"""Holidays: the law's for a place, and the company's own additions and exceptions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Day, Flag, Instant, Name, PathKey, Text
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from billing_bridge.calendar import holiday_book
from billing_bridge.calendar.models import CompanyHoliday
from core.database import Transaction

router = APIRouter(prefix="/api/v1/holidays", tags=["holiday"])
HolidayId = Annotated[PathKey, Path(description="The entry's id", examples=[3])]


class HolidayIn(Body):
    day: Day = Field(description="The day", examples=["2026-07-14"])
    name: Name = Field(description="What it is called", examples=["Aniversário de Campinas"])
    yearly: Flag = Field(False, description="Whether it is so every year", examples=[True])
    region: Text = Field("", description="Only in this state; empty: everywhere", examples=["SP"])
    city: Text = Field("", description="Only in this city of the state; empty: all of it", examples=["Campinas"])
    working: Flag = Field(
        False, description="True: no holiday there, whatever the law says; restrictions may start", examples=[False]
    )


class HolidayView(View):
    model_config = columns("id", "day", "yearly", "name", "region", "city", "working", "removed_at")

    id: int = Field(description="The entry's id", examples=[3])
    day: Day = Field(description="The day", examples=["2026-07-14"])
    name: str = Field(description="What it is called", examples=["Aniversário de Campinas"])
    yearly: bool = Field(description="Whether it is so every year", examples=[True])
    region: str = Field(description="Only in this state; empty: everywhere", examples=["SP"])
    city: str = Field(description="Only in this city; empty: all of it", examples=["Campinas"])
    working: bool = Field(description="Whether it takes a holiday away", examples=[False])
    created_at: Instant = Field(description="When it was added", examples=["2026-03-02T12:00:00Z"])
    removed_at: Instant | None = Field(description="When it was removed", examples=["2026-08-02T12:00:00Z"])


class CalendarDayView(View):
    model_config = columns("day", "weekday", "name", "own")

    day: Day = Field(description="The day", examples=["2026-10-12"])
    weekday: int = Field(description="1 Monday to 7 Sunday", examples=[1])
    name: str = Field(description="What it is called", examples=["Nossa Senhora Aparecida"])
    own: bool = Field(description="Whether the company added it", examples=[False])


@router.post("", operation_id="holiday.add", status_code=201, summary="Add a holiday, or a day that is none")
def add(request: Request, body: HolidayIn) -> HolidayView:
    return write(request, lambda tx: HolidayView.of(holiday_book.add_holiday(tx, **body.given())))


@router.get("", operation_id="holiday.list", summary="The company's own entries")
def list_all(
    pages: Pages, removed: Annotated[bool, Query(description="Removed ones too", examples=[True])] = False
) -> Page[HolidayView]:
    wanted = select(CompanyHoliday)
    if not removed:
        wanted = wanted.where(CompanyHoliday.removed_at.is_(None))
    return pages.of(wanted, CompanyHoliday.id, HolidayView.of)


@router.get("/calendar", operation_id="holiday.calendar", summary="The holidays of a year at a place")
def calendar(
    request: Request,
    year: Annotated[int, Query(ge=2000, le=2100, description="The year", examples=[2026])],
    region: Annotated[str, Query(max_length=2, description="The state; absent: none", examples=["SP"])] = "",
    city: Annotated[str, Query(max_length=120, description="The city", examples=["Campinas"])] = "",
) -> Page[CalendarDayView]:
    def look(tx: Transaction) -> Page[CalendarDayView]:
        days = holiday_book.calendar_of(tx, year, region, city)
        return Page(items=[CalendarDayView.of(day, weekday=day.day.isoweekday()) for day in days], next=None)

    return read(request, look)


@router.post("/{holiday_id}/remove", operation_id="holiday.remove", summary="It counts no longer")
def remove(request: Request, holiday_id: HolidayId) -> HolidayView:
    return write(request, lambda tx: HolidayView.of(holiday_book.remove_holiday(tx, holiday_id=holiday_id)))
