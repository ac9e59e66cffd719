"""Days as the company counts them: a due date is a date in the company's time zone, not an instant."""

from __future__ import annotations

import calendar
from datetime import date, datetime
from zoneinfo import ZoneInfo

LAST_DAY = 31
"""The due day that means "the last day of the month", whatever its number."""


def company_today(now: datetime, zone: str) -> date:
    """The date on the company's wall at `now`: 02:30 UTC is still the day before in São Paulo."""
    return now.astimezone(ZoneInfo(zone)).date()


def next_due_on(today: date, due_day: int) -> date:
    """The first date after `today` that falls on `due_day` (1–28, or 31 for the last day of a month)."""
    this_month = due_in(today.year, today.month, due_day)
    if this_month > today:
        return this_month
    year, month = (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
    return due_in(year, month, due_day)


def due_in(year: int, month: int, due_day: int) -> date:
    """The day of that month on which an account with this due day is due."""
    return date(year, month, min(due_day, calendar.monthrange(year, month)[1]))
