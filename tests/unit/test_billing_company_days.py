"""Days on the company's wall."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from billing_bridge.calendar.days import company_today, next_due_on

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
