"""When a routine runs: fields of a calendar that all have to fit, in the company's time zone. Pure.

A field that is empty fits always. Day of the month and weekday must both fit ("the 10th, if it is a Monday"); cron
would take either. A local time that the clocks skip runs at the first instant after the gap; one that comes twice runs
once, the first time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.errors import InvalidInput

LAST_DAY = -1
"""Among `days`: the last day of the month, whatever its number. 31 is the 31st, which not every month has."""
_HORIZON_YEARS = 41
"""29 February on a given weekday is at most 40 years away (over 2100, which is no leap year)."""
_DAY = timedelta(days=1)
_LEGAL = {
    "months": (range(1, 13), "months from 1 to 12", [1, 7]),
    "days": ((*range(1, 32), LAST_DAY), "days from 1 to 31, or -1 for the last day of the month", [5, -1]),
    "weekdays": (range(1, 8), "weekdays from 1 (Monday) to 7 (Sunday)", [1, 2, 3, 4]),
    "hours": (range(24), "hours from 0 to 23", [6]),
    "minutes": (range(60), "minutes from 0 to 59", [0, 30]),
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """Each field: the values that fit, in order; empty: all. Weekdays are 1 (Monday) to 7 (Sunday)."""

    months: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()


FIELDS = tuple(field.name for field in fields(Schedule))


def make_schedule(
    *,
    months: Collection[int] = (),
    days: Collection[int] = (),
    weekdays: Collection[int] = (),
    hours: Collection[int] = (),
    minutes: Collection[int] = (),
) -> Schedule:
    """A schedule of values in any order. InvalidInput where a value is out of range, or where it never comes."""
    given = {"months": months, "days": days, "weekdays": weekdays, "hours": hours, "minutes": minutes}
    schedule = Schedule(**{name: _checked(name, values) for name, values in given.items()})
    if not _ever_comes(schedule):
        raise InvalidInput("days", "a day that comes in one of these months; this one never does", [28])
    return schedule


def next_at(schedule: Schedule, after: datetime, zone: str) -> datetime | None:
    """The first slot later than `after`, in UTC; None when there never is one."""
    return next(_slots(schedule, after, zone), None)


def slots_between(schedule: Schedule, after: datetime, until: datetime, zone: str) -> Iterator[datetime]:
    """The slots later than `after`, up to and including `until`, in order, in UTC."""
    for slot in _slots(schedule, after, zone):
        if slot > until:
            return
        yield slot


def _checked(name: str, values: Collection[int]) -> tuple[int, ...]:
    legal, rule, example = _LEGAL[name]
    if any(isinstance(value, bool) or value not in legal for value in values):
        raise InvalidInput(name, rule, example)
    return tuple(sorted(set(values), key=lambda value: 32 if value == LAST_DAY else value))


def _ever_comes(schedule: Schedule) -> bool:
    return next(_days(schedule, date(2024, 1, 1)), None) is not None


def _slots(schedule: Schedule, after: datetime, zone: str) -> Iterator[datetime]:
    """Every slot behind `after`; two local times that are one instant (at a gap's end) are one slot."""
    clock, last = ZoneInfo(zone), after
    first = after.astimezone(clock).date() - _DAY  # a time of yesterday's that was skipped comes today
    for day in _days(schedule, first):
        for slot in _instants(schedule, day, clock):
            if slot > last:
                last = slot
                yield slot


def _days(schedule: Schedule, day: date) -> Iterator[date]:
    """The days that fit, from `day` on."""
    end = date(day.year + _HORIZON_YEARS, day.month, 1)
    while day < end:
        if schedule.months and day.month not in schedule.months:
            day = (day.replace(day=28) + 4 * _DAY).replace(day=1)
            continue
        if _fits(schedule, day):
            yield day
        day += _DAY


def _fits(schedule: Schedule, day: date) -> bool:
    if schedule.weekdays and day.isoweekday() not in schedule.weekdays:
        return False
    if not schedule.days or day.day in schedule.days:
        return True
    return LAST_DAY in schedule.days and (day + _DAY).day == 1


def _instants(schedule: Schedule, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """The day's slots in UTC, in order; quickly on the days on which no clock is changed."""
    midnight = datetime.combine(day, time.min)
    offset, next_offset = (zone.utcoffset(at) for at in (midnight, midnight + _DAY))
    for hour in schedule.hours or range(24):
        for minute in schedule.minutes or range(60):
            wall = midnight + timedelta(hours=hour, minutes=minute)
            steady = offset is not None and offset == next_offset
            yield (wall - (offset or timedelta())).replace(tzinfo=UTC) if steady else _instant(wall, zone)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the wall first shows this time, or, where it never does, when it first shows a later one."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    return _end_of_gap(wall, zone)


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    """Between what the time would be by the offset after the gap, which is too early, and by the one before it."""
    early = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    late = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    new_offset = late.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == new_offset:
            late = middle
        else:
            early = middle
    return late
