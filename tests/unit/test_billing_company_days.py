"""Days on the company's wall."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_bridge.company_days import company_today, daily_run_day, next_due_on

SAO_PAULO = "America/Sao_Paulo"


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        pytest.param("2026-03-11T02:30:00+00:00", SAO_PAULO, "2026-03-10", id="23:30 in São Paulo, next day in UTC"),
        pytest.param("2026-03-11T02:59:59+00:00", SAO_PAULO, "2026-03-10", id="last second of the day"),
        pytest.param("2026-03-11T03:00:00+00:00", SAO_PAULO, "2026-03-11", id="midnight in São Paulo"),
        pytest.param("2026-03-11T03:00:00+00:00", "America/Rio_Branco", "2026-03-10", id="Acre is two hours behind"),
        pytest.param("2026-03-11T02:30:00+00:00", "UTC", "2026-03-11", id="a company in UTC"),
    ],
)
def test_today_is_the_companys(now: str, zone: str, expected: str) -> None:
    assert company_today(datetime.fromisoformat(now), zone) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [
        pytest.param("2026-03-10T08:59:59+00:00", "2026-03-09", None, id="a second before six"),
        pytest.param("2026-03-10T09:00:00+00:00", "2026-03-09", "2026-03-10", id="six o'clock"),
        pytest.param("2026-03-10T09:00:01+00:00", "2026-03-10", None, id="run already"),
        pytest.param("2026-03-11T02:30:00+00:00", "2026-03-10", None, id="late evening, next day in UTC"),
        pytest.param("2026-03-10T20:00:00+00:00", "2026-03-09", "2026-03-10", id="up again in the afternoon"),
        pytest.param("2026-03-12T07:00:00+00:00", "2026-03-09", "2026-03-11", id="missed days: the newest, before six"),
        pytest.param("2026-03-12T10:00:00+00:00", "2026-03-09", "2026-03-12", id="missed days: today's covers them"),
        pytest.param("2026-03-10T10:00:00+00:00", None, "2026-03-10", id="never run"),
        pytest.param("2026-03-10T10:00:00+00:00", "2026-03-20", None, id="the clock went back"),
    ],
)
def test_the_day_whose_run_is_owed(now: str, last: str | None, expected: str | None) -> None:
    day = daily_run_day(datetime.fromisoformat(now), SAO_PAULO, date.fromisoformat(last) if last else None)
    assert day == (date.fromisoformat(expected) if expected else None)


NAIVE = (datetime(2020, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001 - hypothesis wants its limits so


@given(st.datetimes(*NAIVE, timezones=st.just(UTC)))
def test_after_a_run_none_is_owed_at_that_instant(now: datetime) -> None:
    assert daily_run_day(now, SAO_PAULO, daily_run_day(now, SAO_PAULO, None)) is None


@pytest.mark.parametrize(
    ("today", "due_day", "expected"),
    [
        pytest.param("2026-03-09", 10, "2026-03-10", id="tomorrow"),
        pytest.param("2026-03-10", 10, "2026-04-10", id="today is too late"),
        pytest.param("2026-02-10", 31, "2026-02-28", id="last of February"),
        pytest.param("2028-02-10", 31, "2028-02-29", id="last of a leap February"),
        pytest.param("2026-02-28", 31, "2026-03-31", id="on the last day"),
        pytest.param("2026-12-31", 31, "2027-01-31", id="over the year's end"),
        pytest.param("2026-12-20", 5, "2027-01-05", id="into January"),
    ],
)
def test_next_due_date(today: str, due_day: int, expected: str) -> None:
    assert next_due_on(date.fromisoformat(today), due_day) == date.fromisoformat(expected)
