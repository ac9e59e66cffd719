"""On which days a restriction may start.

Law 14.015/2020 lets no supply be cut on a Friday, Saturday, Sunday, holiday or the day before a holiday. What holds is
a rule of the billing method; which days are holidays depends on the place, and is given. Only the start of a
restriction is held, never its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Protocol

ONE_DAY = timedelta(days=1)
AROUND = timedelta(days=15)
"""How far from a day the holidays are that its evidence names."""

FARTHEST = timedelta(days=60)
"""How far the next day for a start is looked for; `holidays` must reach this far."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class HoldRules(Protocol):
    """What of a method's rules the calendar needs; weekdays by ISO: 1 is Monday, 7 Sunday."""

    @property
    def held_weekdays(self) -> Collection[int]: ...
    @property
    def hold_holidays(self) -> bool: ...
    @property
    def hold_holiday_eves(self) -> bool: ...


class HoldReason(StrEnum):
    WEEKDAY = "weekday"
    HOLIDAY = "holiday"
    EVE = "eve"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing may start on a day: `name` and `holiday_on` of the holiday; `next_start` is None beyond 60 days."""

    day: date
    reason: HoldReason
    name: str = ""
    holiday_on: date | None = None
    next_start: date | None = None

    @property
    def sentence(self) -> str:
        """In English, for a person."""
        match self.reason:
            case HoldReason.HOLIDAY:
                why = f"{self.day.isoformat()} is a holiday, {self.name}"
            case HoldReason.EVE:
                why = f"{self.day.isoformat()} is the eve of {self.name}"
            case _:
                why = f"{self.day.isoformat()} is a {WEEKDAYS[self.day.isoweekday() - 1]}"
        following = f"; from {self.next_start.isoformat()} on it may" if self.next_start else ""
        return f"{why}: no restriction starts then{following}"


@dataclass(frozen=True, slots=True)
class DayCheck:
    """One day by one method's rules at one place: the hold, and what was looked at as JSON-able evidence."""

    hold: Hold | None
    evidence: Mapping[str, object]


def hold_on(day: date, rules: HoldRules, holidays: Mapping[date, str]) -> Hold | None:
    """Why no restriction may start on this day, or None. `holidays` are names by day, until `FARTHEST` behind it."""
    found = _hold(day, rules, holidays)
    if found is None:
        return None
    reason, name, holiday_on = found
    free = (later for later in _days_after(day) if _hold(later, rules, holidays) is None)
    return Hold(day, reason, name, holiday_on, next(free, None))


def check_day(day: date, rules: HoldRules, holidays: Mapping[date, str]) -> DayCheck:
    """The hold of a day with its evidence: the rules of the calendar, and each holiday near it."""
    hold = hold_on(day, rules, holidays)
    near = sorted(found for found in holidays if abs(found - day) <= AROUND)
    applies_on = hold.holiday_on if hold else None
    return DayCheck(
        hold,
        {
            "weekday": day.isoweekday(),
            "held_weekdays": sorted(rules.held_weekdays),
            "hold_holidays": rules.hold_holidays,
            "hold_holiday_eves": rules.hold_holiday_eves,
            "holidays": [
                {"day": found.isoformat(), "name": holidays[found], "applies": found == applies_on} for found in near
            ],
        },
    )


def _hold(day: date, rules: HoldRules, holidays: Mapping[date, str]) -> tuple[HoldReason, str, date | None] | None:
    """A holiday is named before a weekday: it is the rarer news."""
    if rules.hold_holidays and day in holidays:
        return HoldReason.HOLIDAY, holidays[day], day
    if rules.hold_holiday_eves and (following := day + ONE_DAY) in holidays:
        return HoldReason.EVE, holidays[following], following
    if day.isoweekday() in rules.held_weekdays:
        return HoldReason.WEEKDAY, "", None
    return None


def _days_after(day: date) -> Iterator[date]:
    later = day
    while later < day + FARTHEST:
        later += ONE_DAY
        yield later
