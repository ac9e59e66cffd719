"""Who is told when: the boundaries, by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_bridge.dunning.rules import OpenInvoice, SuspensionRules, decide
from billing_bridge.notices.rules import WantedNotice, notice_cutoff, wanted_notices
from provisioning.facts import Level

TODAY = date(2026, 3, 31)
RULES = SuspensionRules("Boleto", 3, total_days=30, partial_days=15, minimum_open_cents=1000, notice_days=10)


def owed(days_ago: int, cents: int = 9990, invoice_id: int = 1) -> OpenInvoice:
    return OpenInvoice(invoice_id, TODAY - timedelta(days=days_ago), cents)


def wanted(
    *invoices: OpenInvoice, rules: SuspensionRules = RULES, told: frozenset[int] = frozenset()
) -> list[WantedNotice]:
    return wanted_notices({7: invoices}, {7: rules}, TODAY, {7: told})


@pytest.mark.parametrize(
    ("days_ago", "rules", "expected"),
    [
        pytest.param(4, RULES, None, id="the day before"),
        pytest.param(5, RULES, 10, id="the day: ten days to the fifteenth"),
        pytest.param(6, RULES, 10, id="the day after: notice takes its ten days all the same"),
        pytest.param(300, RULES, 10, id="long late, never told"),
        pytest.param(19, replace(RULES, partial_days=None), None, id="total only: the day before"),
        pytest.param(20, replace(RULES, partial_days=None), 10, id="total only: the day"),
        pytest.param(0, replace(RULES, notice_days=15), None, id="notice as long as the days: not on the due date"),
        pytest.param(1, replace(RULES, notice_days=15), 15, id="notice as long as the days: the day after"),
        pytest.param(0, replace(RULES, notice_days=40), None, id="longer than the days: not before it is late"),
        pytest.param(1, replace(RULES, notice_days=40), 40, id="longer than the days: a late start"),
        pytest.param(300, replace(RULES, notice_days=0), None, id="no notice wanted"),
        pytest.param(300, replace(RULES, partial_days=None, total_days=None), None, id="nothing threatens"),
        pytest.param(14, replace(RULES, notice_days=1), 1, id="one day: the day before partial"),
        pytest.param(13, replace(RULES, notice_days=1), None, id="one day: too early"),
    ],
)  # fmt: skip
def test_when_a_debt_is_told(days_ago: int, rules: SuspensionRules, expected: int | None) -> None:
    """`expected`: in how many days a restriction is possible."""
    found = wanted(owed(days_ago), rules=rules)
    assert [(notice.restriction_from - TODAY).days for notice in found] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("invoices", "told", "expected"),
    [
        pytest.param([owed(5, 999)], set(), [], id="a cent below the minimum"),
        pytest.param([owed(5, 1000)], set(), [1], id="at the minimum"),
        pytest.param([owed(5, 600), owed(1, 400, 2)], set(), [1], id="with a younger late one, which has time"),
        pytest.param([owed(5, 999), owed(0, 400, 2)], set(), [], id="due today does not count"),
        pytest.param([owed(5), owed(9, 9990, 2)], set(), [2, 1], id="oldest first"),
        pytest.param([owed(5), owed(9, 9990, 2)], {2}, [1], id="the other was told"),
        pytest.param([owed(5)], {1}, [], id="told already"),
        pytest.param([owed(5, 0), owed(6, 9990, 2)], set(), [2], id="settled ones are not told"),
    ],
)
def test_of_which_invoices(invoices: list[OpenInvoice], told: set[int], expected: list[int]) -> None:
    assert [notice.invoice_id for notice in wanted(*invoices, told=frozenset(told))] == expected


def test_a_notice_says_the_first_level_and_the_amount() -> None:
    assert wanted(owed(5)) == [WantedNotice(7, 1, TODAY - timedelta(days=5), 9990, Level.PARTIAL, date(2026, 4, 10))]


def test_the_cutoff_is_none_where_nothing_is_told() -> None:
    assert notice_cutoff(RULES, TODAY) == date(2026, 3, 26)
    assert notice_cutoff(replace(RULES, notice_days=0), TODAY) is None


@given(
    st.lists(st.tuples(st.integers(-5, 60), st.integers(1, 3000)), min_size=1, max_size=4),
    st.integers(1, 40),
    st.none() | st.integers(20, 40),
    st.none() | st.integers(1, 19),
)
def test_what_a_notice_promises_is_kept(
    items: list[tuple[int, int]], notice_days: int, total: int | None, partial: int | None
) -> None:
    """Told today and left unpaid, nobody is restricted before the day that the notice names, and on it somebody is."""
    rules = SuspensionRules("x", 1, total, partial, 0, notice_days)
    invoices = [owed(days, cents, number) for number, (days, cents) in enumerate(items, 1)]
    found = wanted(*invoices, rules=rules)
    given_on = {7: {notice.invoice_id: TODAY for notice in found}}
    if not found:
        return
    first = min(notice.restriction_from for notice in found)
    before = decide({7: invoices}, {7: rules}, first - timedelta(days=1), given_on)
    assert before == []
    [order] = decide({7: invoices}, {7: rules}, first, given_on)
    assert order.level is (Level.TOTAL if partial is None else order.level)
