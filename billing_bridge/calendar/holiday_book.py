"""The holidays of a place: the law's, and the company's own additions and exceptions.

An addition says where it holds: everywhere, in a state, or in one city of a state. Of two that speak of the same day
the narrower place is right, and of one place's the single day before the yearly one. A `working` one takes a holiday
away. Cities are compared without case and accents.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from billing_bridge.calendar.company import AROUND, FARTHEST, ONE_DAY
from billing_bridge.calendar.models import CompanyHoliday
from billing_bridge.calendar.national import STATES, law_holidays
from core.database import Transaction
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from provisioning.checks import optional_text, required_text

EARLIEST_YEAR, LATEST_YEAR = 2000, 2100


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A holiday of a place; `own` where the company added it."""

    day: date
    name: str
    own: bool


def add_holiday(
    tx: Transaction,
    *,
    day: date,
    name: str,
    yearly: bool = False,
    region: str = "",
    city: str = "",
    working: bool = False,
) -> CompanyHoliday:
    """Add a holiday, or with `working` a day that is none. Conflict where the place has an entry for it already."""
    region = _region(region, city)
    row = CompanyHoliday(
        day=_day(day),
        yearly=yearly,
        name=required_text(name, "name", 120, "Aniversário da cidade"),
        region=region,
        city=optional_text(city, "city", 120, "Campinas"),
        working=working,
        created_at=tx.now,
    )
    _refuse_twin(tx, row)
    tx.session.add(row)
    tx.session.flush()
    tx.audit("add", "company_holiday", row.id, after=_told(row))
    return row


def remove_holiday(tx: Transaction, *, holiday_id: int) -> CompanyHoliday:
    """It counts no longer; the row stays, for what was decided by it. NotAllowed when it was removed before."""
    row = tx.session.get(CompanyHoliday, holiday_id, with_for_update=True)
    if row is None:
        raise NotFound("company holiday", holiday_id)
    if row.removed_at is not None:
        raise NotAllowed(f"company holiday {holiday_id} was removed on {row.removed_at.date().isoformat()}")
    row.removed_at = tx.now
    tx.audit("remove", "company_holiday", row.id, before=_told(row))
    return row


def calendar_of(tx: Transaction, year: int, region: str = "", city: str = "") -> list[CalendarDay]:
    """The holidays of a year at a place, in order."""
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise InvalidInput("year", f"from {EARLIEST_YEAR} to {LATEST_YEAR}", 2026)
    book = open_book(tx)
    return [CalendarDay(day, name, own) for day, (name, own) in sorted(book.year(year, _region(region, city), city))]


class HolidayBook:
    """The company's entries, read once, with what was worked out from them for each place."""

    def __init__(self, own: Sequence[CompanyHoliday]) -> None:
        ordered = sorted(own, key=lambda row: (bool(row.region) + bool(row.city), not row.yearly, row.id))
        self._own = [(row, place_key(row.city)) for row in ordered]  # the last one to speak of a day is right
        self._around: dict[tuple[date, str, str], Mapping[date, str]] = {}

    def around(self, day: date, region: str, city: str) -> Mapping[date, str]:
        """Names by day, from two weeks before `day` until as far as the calendar looks for a next start."""
        place = (day, region, place_key(city))
        if place not in self._around:
            first, last = day - AROUND, day + FARTHEST + ONE_DAY
            years = range(first.year, last.year + 1)
            found = (item for year in years for item in self.year(year, region, city))
            self._around[place] = {when: name for when, (name, _) in found if first <= when <= last}
        return self._around[place]

    def year(self, year: int, region: str, city: str) -> Iterator[tuple[date, tuple[str, bool]]]:
        """(day, (name, whether it is the company's own)) of one year, in no order."""
        key = place_key(city)
        days = {day: (name, False) for day, name in law_holidays(year, region, key).items()}
        for row, city_key in self._own:
            day = _in_year(row, year)
            if day is None or row.region not in ("", region) or city_key not in ("", key):
                continue
            if row.working:
                days.pop(day, None)
            else:
                days[day] = (row.name, True)
        return iter(days.items())


def open_book(tx: Transaction) -> HolidayBook:
    """The book as it stands now."""
    return HolidayBook(tx.session.scalars(select(CompanyHoliday).where(CompanyHoliday.removed_at.is_(None))).all())


def place_key(city: str) -> str:
    """A city's name for comparing: "São José " and "sao jose" are one."""
    plain = unicodedata.normalize("NFKD", city.strip().casefold())
    return " ".join("".join(char for char in plain if not unicodedata.combining(char)).split())


def _in_year(row: CompanyHoliday, year: int) -> date | None:
    """The entry's day of a year: none for a single day of another year, or for 29 February of a common one."""
    if not row.yearly:
        return row.day if row.day.year == year else None
    try:
        return row.day.replace(year=year)
    except ValueError:
        return None


def _refuse_twin(tx: Transaction, row: CompanyHoliday) -> None:
    query = select(CompanyHoliday).where(
        CompanyHoliday.removed_at.is_(None), CompanyHoliday.region == row.region, CompanyHoliday.yearly == row.yearly
    )
    for other in tx.session.scalars(query):
        if _in_year(other, row.day.year) == row.day and place_key(other.city) == place_key(row.city):
            raise Conflict(
                f"company holiday {other.id}, {other.name}, is an entry for that day and place: remove it first",
                field="day",
                holiday_id=other.id,
            )


def _told(row: CompanyHoliday) -> dict[str, object]:
    return {
        "day": row.day,
        "yearly": row.yearly,
        "name": row.name,
        "region": row.region,
        "city": row.city,
        "working": row.working,
    }


def _day(value: date) -> date:
    if not EARLIEST_YEAR <= value.year <= LATEST_YEAR:
        raise InvalidInput("day", f"a day of the years {EARLIEST_YEAR} to {LATEST_YEAR}", "2026-07-14")
    return value


def _region(region: str, city: str) -> str:
    text = region.strip().upper()
    if text and text not in STATES:
        raise InvalidInput("region", "the two letters of a state, or empty for everywhere", "SP")
    if city.strip() and not text:
        raise InvalidInput("region", "the state of the city: many states have a city of that name", "SP")
    return text
