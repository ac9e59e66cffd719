"""Months of the history, and from when on it has to be kept."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.history_months import Month, keep_from, months_wanted

ZONE = ZoneInfo("America/Sao_Paulo")
INSTANTS = st.integers(0, 3_600_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@given(INSTANTS)
def test_an_instant_lies_in_its_month(instant: datetime) -> None:
    month = Month.of(instant)
    assert month.since <= instant < month.until == month.after(1).since
    assert Month.named(month.partition) == month
    assert month.after(12).after(-12) == month


@pytest.mark.parametrize(
    "name", ["address_history_default", "address_history_2026_13", "session", "address_history_26_1"]
)
def test_other_tables_are_no_month(name: str) -> None:
    assert Month.named(name) is None


KEPT = {
    "366 days": ("2026-03-02T09:00-03:00", 366, "2025-03-01T00:00-03:00"),
    "a day's last minute": ("2026-03-02T23:59-03:00", 366, "2025-03-01T00:00-03:00"),
    "365 days": ("2026-03-02T09:00-03:00", 365, "2025-03-02T00:00-03:00"),
    "365 days over a 29 February are no year": ("2028-12-31T09:00-03:00", 365, "2027-12-31T00:00-03:00"),
    "on a 29 February": ("2028-02-29T09:00-03:00", 365, "2027-02-28T00:00-03:00"),
    "two years": ("2026-03-02T09:00-03:00", 730, "2024-03-02T00:00-03:00"),
}


@pytest.mark.parametrize(("now", "days", "expected"), KEPT.values(), ids=KEPT.keys())
def test_from_when_on_records_are_kept(now: str, days: int, expected: str) -> None:
    assert keep_from(at(now), days, ZONE) == at(expected)


@given(INSTANTS, st.integers(365, 4000))
def test_never_less_than_a_calendar_year(now: datetime, days: int) -> None:
    today, limit = now.astimezone(ZONE).date(), keep_from(now, days, ZONE)
    kept = limit.astimezone(ZONE).date()
    assert (kept.year + 1, kept.month, kept.day) <= (today.year, today.month, today.day)
    assert (now - limit).days >= 365


WANTED = {
    "nothing waits": (None, [3, 4, 5]),
    "an old session waits": ("2026-01-31T23:00+00:00", [1, 2, 3, 4, 5]),
    "one from before all that is kept": ("1970-01-01T00:00+00:00", [1, 2, 3, 4, 5]),
    "one with a clock in the future": ("2036-01-01T00:00+00:00", [3, 4, 5]),
}


@pytest.mark.parametrize(("oldest_end", "months"), WANTED.values(), ids=WANTED.keys())
def test_months_that_need_a_partition(oldest_end: str | None, months: list[int]) -> None:
    end = None if oldest_end is None else at(oldest_end)
    wanted = months_wanted(at("2026-03-02T12:00+00:00"), 2, end, at("2026-01-10T00:00+00:00"))
    assert wanted == [Month(2026, number) for number in months]
