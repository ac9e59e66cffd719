"""Days as the company counts them: a due date is a date in the company's time zone, not an instant."""

from __future__ import annotations

import calendar
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LAST_DAY = 31
"""The due day that means "the last day of the month", whatever its number."""

DAILY_RUN_AT = time(6, 0)


def company_today(now: datetime, zone: str) -> date:
    """The date on the company's wall at `now`: 02:30 UTC is still the day before in São Paulo."""
    return now.astimezone(ZoneInfo(zone)).date()


def daily_run_day(now: datetime, zone: str, last: date | None) -> date | None:
    """The day whose daily run is owed at `now`, or None; `last` is the day of the last one.

    Of several missed days only the newest is run: it finds whatever the others would have found.
    """
    local = now.astimezone(ZoneInfo(zone))
    day = local.date() if local.time() >= DAILY_RUN_AT else local.date() - timedelta(days=1)
    return day if last is None or last < day else None


def next_due_on(today: date, due_day: int) -> date:
    """The first date after `today` that falls on `due_day` (1–28, or 31 for the last day of a month)."""
    this_month = _due_in(today.year, today.month, due_day)
    if this_month > today:
        return this_month
    year, month = (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
    return _due_in(year, month, due_day)


def _due_in(year: int, month: int, due_day: int) -> date:
    return date(year, month, min(due_day, calendar.monthrange(year, month)[1]))
