"""When a routine runs: against a slow reference that walks minute by minute, and at the odd days of the calendar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from provisioning.routines.schedule import FIELDS, Schedule, make_schedule, next_at, slots_between

SAO_PAULO, NEW_YORK, APIA = "America/Sao_Paulo", "America/New_York", "Pacific/Apia"
MINUTE = timedelta(minutes=1)
CHANGES = {
    SAO_PAULO: ["2018-11-04T03:00", "2018-02-18T02:00", "2026-03-02T12:00"],  # at midnight, forward and back
    NEW_YORK: ["2026-03-08T07:00", "2026-11-01T06:00"],
    "Australia/Lord_Howe": ["2026-04-04T15:00", "2026-10-03T15:30"],  # by half an hour
    APIA: ["2011-12-30T10:00"],  # 30 December 2011 did not exist there
    "Africa/Casablanca": ["2026-02-15T02:00", "2026-03-22T02:00"],
    "UTC": ["2028-02-28T23:59", "2027-02-28T23:59", "2026-12-31T23:59"],
}


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def shown(at: datetime, schedule: Schedule) -> bool:
    """Whether every field fits this wall time."""
    last = (at.date() + timedelta(days=1)).day == 1
    day_fits = not schedule.days or at.day in schedule.days or (last and -1 in schedule.days)
    others = (
        (schedule.months, at.month), (schedule.weekdays, at.isoweekday()),
        (schedule.hours, at.hour), (schedule.minutes, at.minute),
    )  # fmt: skip
    return day_fits and all(not legal or value in legal for legal, value in others)


def slowly(schedule: Schedule, after: datetime, until: datetime, zone: str) -> Iterator[datetime]:
    """Watches the wall, minute by minute: what it shows for the first time, or skips, falls due there."""
    at = after.replace(second=0, microsecond=0) - timedelta(days=2)
    newest = wall(at, zone)
    while (at := at + MINUTE) <= until:
        due = False
        while newest < wall(at, zone):
            newest += MINUTE
            due = due or shown(newest, schedule)
        if due and at > after:
            yield at


def values(legal: list[int], most: int = 3) -> st.SearchStrategy[list[int]]:
    return st.just([]) | st.lists(st.sampled_from(legal), max_size=most)


SCHEDULES = st.builds(
    Schedule,
    months=values(list(range(1, 13)), 8).map(tuple),
    days=values([1, 2, 8, 15, 28, 29, 30, 31, -1], 6).map(tuple),
    weekdays=values(list(range(1, 8)), 5).map(tuple),
    hours=values([0, 1, 2, 3, 23, 6], 4).map(tuple),
    minutes=values([0, 15, 30, 59]).map(tuple),
)


@st.composite
def moments(draw: st.DrawFn) -> tuple[datetime, str]:
    """An instant within three days of a change of some zone's clocks, with the zone."""
    zone = draw(st.sampled_from(list(CHANGES)))
    near = instant(draw(st.sampled_from(CHANGES[zone])))
    return near + timedelta(seconds=draw(st.integers(-200_000, 100_000))), zone


@given(SCHEDULES, moments())
def test_the_slots_are_those_of_the_slow_reference(drawn: Schedule, moment: tuple[datetime, str]) -> None:
    after, zone = moment
    schedule = Schedule(*(tuple(sorted(set(getattr(drawn, name)))) for name in FIELDS))
    until = after + timedelta(days=2)
    expected = list(slowly(schedule, after, until, zone))
    assert list(slots_between(schedule, after, until, zone)) == expected
    if expected:
        assert next_at(schedule, after, zone) == expected[0]


@given(SCHEDULES, moments())
def test_slots_follow_each_other_without_a_gap(schedule: Schedule, moment: tuple[datetime, str]) -> None:
    after, zone = moment
    first = next_at(schedule, after, zone)
    if first is not None:
        assert first > after
        assert next_at(schedule, first - timedelta(microseconds=1), zone) == first
        assert list(slots_between(schedule, after, first, zone)) == [first]


SIX = {"hours": [6], "minutes": [0]}


@pytest.mark.parametrize(
    ("fields", "after", "zone", "expected"),
    [
        pytest.param(SIX, "2026-03-02T08:59:59", SAO_PAULO, "2026-03-02T09:00", id="a second before"),
        pytest.param(SIX, "2026-03-02T09:00:00", SAO_PAULO, "2026-03-03T09:00", id="at the slot: the next one"),
        pytest.param(SIX, "2026-03-02T09:00:01", SAO_PAULO, "2026-03-03T09:00", id="a second after"),
        pytest.param({"minutes": [0]}, "2026-03-02T09:00", SAO_PAULO, "2026-03-02T10:00", id="hourly"),
        pytest.param({}, "2026-03-02T09:00:30", SAO_PAULO, "2026-03-02T09:01", id="every minute"),
        pytest.param(
            {**SIX, "weekdays": [1, 2, 3, 4, 5]}, "2026-03-06T09:00", SAO_PAULO, "2026-03-09T09:00", id="over a weekend"
        ),
        pytest.param(
            {**SIX, "days": [31]}, "2026-03-31T09:00", "UTC", "2026-05-31T06:00", id="the 31st: April has none"
        ),
        pytest.param({**SIX, "days": [-1]}, "2026-03-31T09:00", "UTC", "2026-04-30T06:00", id="the last of April"),
        pytest.param({**SIX, "days": [-1]}, "2028-02-01T00:00", "UTC", "2028-02-29T06:00", id="a leap February"),
        pytest.param({**SIX, "days": [-1]}, "2027-02-01T00:00", "UTC", "2027-02-28T06:00", id="another February"),
        pytest.param(
            {**SIX, "days": [10], "weekdays": [1]}, "2026-03-02T00:00", "UTC", "2026-08-10T06:00", id="both must fit"
        ),
        pytest.param({**SIX, "days": [29], "months": [2]}, "2026-03-01T00:00", "UTC", "2028-02-29T06:00", id="leap"),
        pytest.param(
            {**SIX, "days": [29], "months": [2], "weekdays": [1]}, "2096-03-01T00:00", "UTC", "2112-02-29T06:00",
            id="29 February on a Monday, over a century that is no leap year",
        ),
        pytest.param(
            {"hours": [2], "minutes": [30]}, "2026-03-08T00:00", NEW_YORK, "2026-03-08T07:00", id="skipped"
        ),
        pytest.param(
            {"hours": [0], "minutes": [0]}, "2018-11-03T12:00", SAO_PAULO, "2018-11-04T03:00", id="skipped midnight"
        ),
        pytest.param(
            {"hours": [1], "minutes": [30]}, "2026-11-01T00:00", NEW_YORK, "2026-11-01T05:30", id="twice: the first"
        ),
        pytest.param(
            {"hours": [1], "minutes": [30]}, "2026-11-01T05:30", NEW_YORK, "2026-11-02T06:30", id="twice: runs once"
        ),
        pytest.param(
            {**SIX, "days": [30]}, "2011-12-29T12:00", APIA, "2011-12-30T10:00", id="a day that was skipped whole"
        ),
    ],
)  # fmt: skip
def test_the_next_slot(fields: dict[str, list[int]], after: str, zone: str, expected: str) -> None:
    assert next_at(make_schedule(**fields), instant(after), zone) == instant(expected)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"months": [2], "days": [30]}, id="30 February"),
        pytest.param({"months": [4, 6, 9, 11], "days": [31]}, id="the 31st of short months"),
    ],
)
def test_what_never_comes_is_refused(fields: dict[str, list[int]]) -> None:
    with pytest.raises(InvalidInput, match="never does"):
        make_schedule(**fields)
    assert (
        next_at(Schedule(**{name: tuple(item) for name, item in fields.items()}), instant("2026-01-01"), "UTC") is None
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("months", 0), ("months", 13), ("days", 0), ("days", 32), ("days", -2), ("weekdays", 0), ("weekdays", 8),
        ("hours", -1), ("hours", 24), ("minutes", 60), ("minutes", True),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused(field: str, value: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        make_schedule(**{field: [value]})
    assert refused.value.field == field


def test_values_are_kept_in_order_and_once() -> None:
    assert make_schedule(days=[-1, 5, 5, 1], hours=[6, 0]) == Schedule(days=(1, 5, -1), hours=(0, 6))


def test_a_year_of_missed_minutes_is_counted() -> None:
    after = datetime.combine(date(2026, 1, 1), datetime.min.time(), UTC)
    slots = slots_between(Schedule(), after, after + timedelta(days=365), SAO_PAULO)
    assert sum(1 for _ in slots) == 365 * 24 * 60
