"""Months of the address history, as PostgreSQL keeps them apart: which one an instant lies in, and what it is called.

Months are those of UTC, half-open: a partition's bounds must not move with a country's summer time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

_NAME = re.compile(r"address_history_(\d{4})_(\d{2})")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in UTC."""

    year: int
    number: int

    @classmethod
    def of(cls, instant: datetime) -> Month:
        utc = instant.astimezone(UTC)
        return cls(utc.year, utc.month)

    @classmethod
    def named(cls, partition: str) -> Month | None:
        """The month of the partition of that name; None: it is not one of a month."""
        match = _NAME.fullmatch(partition)
        if match is None or not 1 <= int(match[2]) <= 12:
            return None
        return cls(int(match[1]), int(match[2]))

    @property
    def partition(self) -> str:
        """The name of its partition."""
        return f"address_history_{self.year:04}_{self.number:02}"

    @property
    def since(self) -> datetime:
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        return self.after(1).since

    def after(self, months: int) -> Month:
        """The month so many months later."""
        count = self.year * 12 + self.number - 1 + months
        return Month(count // 12, count % 12 + 1)


def months_wanted(now: datetime, ahead: int, oldest_end: datetime | None, kept_from: datetime) -> list[Month]:
    """The months that need a partition: from that of the oldest use to come (None: there is none) to the month that is
    `ahead` after the present one. What ended before `kept_from` gets none: it is about to be purged, or a router's
    clock was wrong."""
    last = Month.of(now).after(ahead)
    month = Month.of(now if oldest_end is None else min(now, max(oldest_end, kept_from)))
    wanted = []
    while month <= last:
        wanted.append(month)
        month = month.after(1)
    return wanted


def keep_from(now: datetime, keep_days: int, zone: ZoneInfo) -> datetime:
    """What ended before this instant need not be kept: `keep_days` days ago, and never less than a whole calendar year
    of the company's days (with a 29 February a year has 366)."""
    today = now.astimezone(zone).date()
    by_days = date.fromordinal(max(today.toordinal() - keep_days, 1))
    return datetime.combine(min(by_days, _year_before(today)), time(), zone).astimezone(UTC)


def _year_before(day: date) -> date:
    leap_day = (day.month, day.day) == (2, 29)
    return date(day.year - 1, 2, 28) if leap_day else day.replace(year=day.year - 1)
