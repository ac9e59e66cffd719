"""What a month of service costs: days, shares, due dates, and what a person should look at first."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_bridge.monthly.plan import (
    AlertCode,
    Service,
    days_in_service,
    due_of,
    length,
    month_after,
    month_before,
    plan_bill,
    shared_out,
)

MARCH = date(2026, 3, 1)
TODAY = date(2026, 3, 2)
PLAIN = Service(plan_name="Fibra 500 Mega", price_cents=9990, due_day=10, installed_on=date(2025, 6, 1))


def codes(service: Service, *, today: date = TODAY, pro_rata: bool = True) -> list[str]:
    return [alert.code.value for alert in plan_bill(service, MARCH, today, pro_rata=pro_rata).alerts]


def test_a_plain_month_has_nothing_to_look_at() -> None:
    bill = plan_bill(PLAIN, MARCH, TODAY, pro_rata=True)
    assert (bill.description, bill.amount_cents, bill.days, bill.due_on) == (
        "Fibra 500 Mega, 03/2026",
        9990,
        31,
        date(2026, 3, 10),
    )
    assert (bill.alerts, bill.included) == ((), True)


@pytest.mark.parametrize(
    ("month", "installed", "cancelled", "days"),
    [
        pytest.param(date(2026, 3, 1), date(2026, 2, 28), None, 31, id="installed the day before the month"),
        pytest.param(date(2026, 3, 1), date(2026, 3, 1), None, 31, id="installed on the 1st"),
        pytest.param(date(2026, 3, 1), date(2026, 3, 2), None, 30, id="installed on the 2nd"),
        pytest.param(date(2026, 3, 1), date(2026, 3, 31), None, 1, id="installed on the last day"),
        pytest.param(date(2026, 3, 1), date(2026, 4, 1), None, 0, id="installed the day after the month"),
        pytest.param(date(2028, 2, 1), date(2028, 2, 29), None, 1, id="installed on 29 February"),
        pytest.param(date(2028, 2, 1), date(2028, 1, 1), None, 29, id="a leap February"),
        pytest.param(date(2027, 2, 1), date(2027, 1, 1), None, 28, id="a February"),
        pytest.param(date(2026, 3, 1), date(2026, 1, 1), date(2026, 3, 1), 0, id="cancelled on the 1st"),
        pytest.param(date(2026, 3, 1), date(2026, 1, 1), date(2026, 3, 2), 1, id="cancelled on the 2nd"),
        pytest.param(date(2026, 3, 1), date(2026, 1, 1), date(2026, 3, 31), 30, id="cancelled on the last day"),
        pytest.param(date(2026, 3, 1), date(2026, 1, 1), date(2026, 4, 1), 31, id="cancelled the day after"),
        pytest.param(date(2026, 3, 1), date(2026, 3, 5), date(2026, 3, 5), 0, id="installed and cancelled on one day"),
        pytest.param(date(2026, 3, 1), None, None, 0, id="never installed"),
    ],
)
def test_days_in_service(month: date, installed: date | None, cancelled: date | None, days: int) -> None:
    service = replace(PLAIN, installed_on=installed, cancelled_on=cancelled)
    assert len(days_in_service(service, month)) == days


@pytest.mark.parametrize(
    ("pauses", "days"),
    [
        pytest.param([(date(2026, 3, 10), date(2026, 3, 20))], 21, id="ten days"),
        pytest.param([(date(2026, 2, 1), date(2026, 3, 1))], 31, id="it ended on the 1st"),
        pytest.param([(date(2026, 2, 1), date(2026, 3, 2))], 30, id="it ended on the 2nd"),
        pytest.param([(date(2026, 3, 31), None)], 30, id="from the last day on"),
        pytest.param([(date(2026, 3, 1), None)], 0, id="the whole month"),
        pytest.param([(date(2026, 3, 1), date(2026, 3, 20)), (date(2026, 3, 10), None)], 0, id="two that meet"),
        pytest.param([(date(2026, 3, 5), date(2026, 3, 5))], 31, id="ended on the day it began"),
    ],
)
def test_pauses_are_no_service(pauses: list[tuple[date, date | None]], days: int) -> None:
    assert len(days_in_service(replace(PLAIN, pauses=tuple(pauses)), MARCH)) == days


@pytest.mark.parametrize(
    ("cents", "days", "of_days", "share"),
    [
        pytest.param(9990, 31, 31, 9990, id="all"),
        pytest.param(9990, 0, 31, 0, id="nothing"),
        pytest.param(9990, 1, 31, 322, id="322.26 down"),
        pytest.param(9990, 20, 31, 6445, id="6445.16 down"),
        pytest.param(9991, 15, 30, 4996, id="half a cent up"),
        pytest.param(1, 15, 31, 0, id="less than half a cent"),
        pytest.param(1, 16, 31, 1, id="more than half a cent"),
    ],
)
def test_shares_are_rounded_half_up(cents: int, days: int, of_days: int, share: int) -> None:
    assert shared_out(cents, days, of_days) == share


@given(st.integers(0, 10**8), st.integers(28, 31), st.data())
def test_two_parts_of_a_month_cost_what_it_costs(cents: int, of_days: int, data: st.DataObject) -> None:
    """A move in the middle of a month: at most one cent is gained by the rounding, and none is lost."""
    days = data.draw(st.integers(0, of_days))
    both = shared_out(cents, days, of_days) + shared_out(cents, of_days - days, of_days)
    assert 0 <= both - cents <= 1


@pytest.mark.parametrize(
    ("month", "due_day", "postpaid", "due_on"),
    [
        pytest.param(date(2026, 3, 1), 10, False, date(2026, 3, 10), id="in the month"),
        pytest.param(date(2026, 3, 1), 10, True, date(2026, 4, 10), id="in the month after"),
        pytest.param(date(2026, 12, 1), 10, True, date(2027, 1, 10), id="in the year after"),
        pytest.param(date(2026, 4, 1), 31, False, date(2026, 4, 30), id="the last day of thirty"),
        pytest.param(date(2028, 2, 1), 31, False, date(2028, 2, 29), id="the last day of a leap February"),
        pytest.param(date(2026, 1, 1), 31, True, date(2026, 2, 28), id="the last day of the February after"),
    ],
)
def test_due_dates(month: date, due_day: int, postpaid: bool, due_on: date) -> None:
    assert due_of(month, due_day, postpaid=postpaid) == due_on


@pytest.mark.parametrize(
    ("change", "expected", "amount", "included"),
    [
        pytest.param({"price_cents": 0}, ["no-price"], 0, False, id="no price"),
        pytest.param({"installed_on": None}, ["pending"], 0, False, id="not installed"),
        pytest.param({"installed_on": date(2026, 4, 1)}, ["pending"], 0, False, id="installed next month"),
        pytest.param({"installed_on": date(2026, 3, 1)}, [], 9990, True, id="installed on the 1st"),
        pytest.param({"installed_on": date(2026, 3, 12)}, ["installed-mid-month"], 6445, True, id="installed in it"),
        pytest.param({"cancelled_on": date(2026, 3, 1)}, ["cancelled"], 0, False, id="cancelled on the 1st"),
        pytest.param(
            {"installed_on": date(2026, 3, 5), "cancelled_on": date(2026, 3, 5)},
            ["cancelled"],
            0,
            False,
            id="installed and cancelled on one day",
        ),
        pytest.param({"cancelled_on": date(2026, 3, 21)}, ["cancelled-mid-month"], 6445, True, id="cancelled in it"),
        pytest.param({"cancelled_on": date(2026, 4, 1)}, [], 9990, True, id="cancelled after it"),
        pytest.param({"pauses": ((date(2026, 2, 1), None),)}, ["paused"], 0, False, id="paused all of it"),
        pytest.param({"pauses": ((date(2026, 3, 21), None),)}, ["paused-mid-month"], 6445, True, id="paused in it"),
        pytest.param({"suspensions": ((date(2026, 3, 1), None),)}, ["suspended"], 9990, True, id="suspended all of it"),
        pytest.param({"suspensions": ((date(2026, 3, 2), None),)}, [], 9990, True, id="suspended since the 2nd"),
        pytest.param({"suspensions": ((date(2026, 2, 2), date(2026, 3, 31)),)}, [], 9990, True, id="not the last day"),
        pytest.param({"due_day": 1}, ["due-in-past"], 9990, True, id="due yesterday"),
        pytest.param({"due_day": 2}, [], 9990, True, id="due today"),
        pytest.param({"charged": ("Fibra R$ 99,90",)}, ["already-charged"], 9990, False, id="charged before"),
        pytest.param({"last_cents": 8325}, [], 9990, True, id="exactly 20 % more"),
        pytest.param({"last_cents": 8324}, ["amount-moved"], 9990, True, id="over 20 % more"),
        pytest.param({"last_cents": 12_487}, [], 9990, True, id="just 20 % less"),
        pytest.param({"last_cents": 12_488}, ["amount-moved"], 9990, True, id="over 20 % less"),
        pytest.param({"missing": ("phone", "e-mail")}, ["no-contact"], 9990, True, id="no contact"),
    ],
)
def test_what_is_to_be_looked_at(change: dict[str, object], expected: list[str], amount: int, included: bool) -> None:
    bill = plan_bill(replace(PLAIN, **change), MARCH, TODAY, pro_rata=True)  # type: ignore[arg-type]
    assert [alert.code.value for alert in bill.alerts] == expected
    assert (bill.amount_cents, bill.included) == (amount, included)


def test_without_the_switch_a_part_costs_the_whole() -> None:
    bill = plan_bill(replace(PLAIN, installed_on=date(2026, 3, 12)), MARCH, TODAY, pro_rata=False)
    assert (bill.amount_cents, bill.description, bill.days) == (9990, "Fibra 500 Mega, 03/2026", 20)
    never = plan_bill(replace(PLAIN, installed_on=None), MARCH, TODAY, pro_rata=False)
    assert (never.amount_cents, never.included) == (9990, False)


def test_the_bill_says_how_many_days() -> None:
    bill = plan_bill(replace(PLAIN, installed_on=date(2026, 3, 12)), MARCH, TODAY, pro_rata=True)
    assert bill.description == "Fibra 500 Mega, 03/2026 (20 de 31 dias)"


def test_only_the_contact_is_a_warning() -> None:
    service = replace(PLAIN, missing=("phone",), due_day=1)
    alerts = plan_bill(service, MARCH, TODAY, pro_rata=True).alerts
    assert {alert.code: alert.warning for alert in alerts} == {AlertCode.DUE_IN_PAST: False, AlertCode.NO_CONTACT: True}


@given(st.dates(date(2020, 1, 1), date(2040, 12, 31)))
def test_months_follow_each_other(day: date) -> None:
    first = day.replace(day=1)
    assert month_before(month_after(first)) == first
    assert month_after(first) - first == timedelta(days=length(first))
