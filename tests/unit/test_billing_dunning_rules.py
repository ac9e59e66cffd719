"""Who is to be restricted: the boundaries of the rules, by name."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_bridge.calendar.days import company_today
from billing_bridge.dunning.rules import OpenInvoice, SuspensionRules, WantedOrder, decide, is_new
from provisioning.debts import still_justified
from provisioning.facts import Level

TODAY = date(2026, 3, 31)
RULES = SuspensionRules("Boleto", 3, total_days=30, partial_days=15, minimum_open_cents=1000)


def owed(days_ago: int, cents: int = 9990, invoice_id: int = 1) -> OpenInvoice:
    return OpenInvoice(invoice_id, TODAY - timedelta(days=days_ago), cents)


def decided(*invoices: OpenInvoice, rules: SuspensionRules = RULES, today: date = TODAY) -> WantedOrder | None:
    orders = decide({7: invoices}, {7: rules}, today)
    return orders[0] if orders else None


def level(order: WantedOrder | None) -> Level | None:
    return order.level if order else None


@pytest.mark.parametrize(
    ("days_ago", "expected"),
    [
        pytest.param(-1, None, id="due tomorrow"),
        pytest.param(0, None, id="due today"),
        pytest.param(1, None, id="late by a day"),
        pytest.param(14, None, id="the day before partial"),
        pytest.param(15, Level.PARTIAL, id="the day of partial"),
        pytest.param(16, Level.PARTIAL, id="the day after partial"),
        pytest.param(29, Level.PARTIAL, id="the day before total"),
        pytest.param(30, Level.TOTAL, id="the day of total"),
        pytest.param(31, Level.TOTAL, id="the day after total"),
    ],
)
def test_days_count_from_the_due_date(days_ago: int, expected: Level | None) -> None:
    assert level(decided(owed(days_ago))) == expected


@pytest.mark.parametrize(
    ("total_days", "partial_days", "days_ago", "expected"),
    [
        pytest.param(30, None, 29, None, id="no partial: nothing before total"),
        pytest.param(30, None, 30, Level.TOTAL, id="no partial: total in time"),
        pytest.param(None, 15, 300, Level.PARTIAL, id="no total: partial for ever"),
        pytest.param(None, None, 300, None, id="both off"),
        pytest.param(1, None, 0, None, id="one day: not on the due date"),
        pytest.param(1, None, 1, Level.TOTAL, id="one day: the day after"),
    ],
)
def test_levels_are_switched_apart(
    total_days: int | None, partial_days: int | None, days_ago: int, expected: Level | None
) -> None:
    assert level(decided(owed(days_ago), rules=SuspensionRules("x", 1, total_days, partial_days))) == expected


@pytest.mark.parametrize(
    ("invoices", "expected"),
    [
        pytest.param([owed(30, 999)], None, id="a cent below the minimum"),
        pytest.param([owed(30, 1000)], Level.TOTAL, id="at the minimum"),
        pytest.param([owed(30, 600), owed(2, 399, 2)], None, id="a cent below, with a younger late one"),
        pytest.param([owed(30, 600), owed(2, 400, 2)], Level.TOTAL, id="at it, with a younger late one"),
        pytest.param([owed(30, 999), owed(0, 5000, 2)], None, id="due today counts for nothing"),
        pytest.param([owed(30, 0), owed(2, 5000, 2)], None, id="a settled invoice is not late"),
        pytest.param([owed(15, 600), owed(30, 600, 2)], Level.TOTAL, id="the oldest decides the level"),
        pytest.param([], None, id="nothing owed"),
    ],
)
def test_the_minimum_sums_what_is_late_and_open(invoices: list[OpenInvoice], expected: Level | None) -> None:
    assert level(decided(*invoices)) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-03-26T02:30:00+00:00", None, id="23:30 in São Paulo: still the 25th, day 14"),
        pytest.param("2026-03-26T03:00:00+00:00", Level.PARTIAL, id="midnight in São Paulo: the 26th, day 15"),
    ],
)
def test_the_day_ends_when_it_does_for_the_company(now: str, expected: Level | None) -> None:
    today = company_today(datetime.fromisoformat(now), "America/Sao_Paulo")
    assert level(decided(OpenInvoice(1, date(2026, 3, 11), 9990), today=today)) == expected


def test_an_order_tells_its_rule_and_its_reason() -> None:
    order = decided(owed(31, 9990, 4711), owed(16, 9990, 4712), owed(3, 500, 4713))
    assert order is not None
    assert order.rule == "Boleto v3: total after 30 days"
    assert order.why == (
        "invoice 4711 was due on 2026-02-28, 31 days ago; R$ 204,80 late (minimum R$ 10,00); "
        "Boleto v3: total after 30 days"
    )
    assert (order.invoice_ids, order.open_cents, order.minimum_open_cents, order.days_late) == (
        (4711,),
        20480,
        1000,
        31,
    )


def test_without_rules_nobody_is_restricted() -> None:
    assert decide({7: [owed(300)]}, {}, TODAY) == []


def test_orders_come_by_subscription() -> None:
    late = {9: [owed(30)], 3: [owed(15)], 5: [owed(1)]}
    orders = decide(late, dict.fromkeys(late, RULES), TODAY)
    assert [(order.subscription_id, order.level) for order in orders] == [(3, Level.PARTIAL), (9, Level.TOTAL)]


@pytest.mark.parametrize(
    ("days_ago", "live", "expected"),
    [
        pytest.param(15, set(), True, id="nothing live"),
        pytest.param(15, {Level.PARTIAL}, False, id="partial under partial"),
        pytest.param(30, {Level.PARTIAL}, True, id="total over partial"),
        pytest.param(15, {Level.TOTAL}, False, id="partial under total"),
        pytest.param(30, {Level.TOTAL}, False, id="total under total"),
    ],
)
def test_a_live_order_is_not_given_again(days_ago: int, live: set[Level], expected: bool) -> None:
    order = decided(owed(days_ago))
    assert order is not None
    assert is_new(order, live) is expected


INVOICES = st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 3000)), min_size=1, max_size=6)


def _numbered(items: list[tuple[int, int]]) -> list[OpenInvoice]:
    return [owed(days, cents, number) for number, (days, cents) in enumerate(items, 1)]


@given(INVOICES)
def test_an_order_is_justified_by_what_it_names(items: list[tuple[int, int]]) -> None:
    invoices = _numbered(items)
    order = decided(*invoices)
    if order is not None:
        cents = {invoice.invoice_id: invoice.open_cents for invoice in invoices}
        assert still_justified(order.invoice_ids, order.minimum_open_cents, cents)


@given(INVOICES, st.data())
def test_an_order_never_outlives_its_reason(items: list[tuple[int, int]], data: st.DataObject) -> None:
    """Whatever is paid afterwards, a live order is one that the rules would still want, at least as strict."""
    invoices = _numbered(items)
    order = decided(*invoices)
    left = [
        OpenInvoice(
            item.invoice_id, item.due_on, data.draw(st.sampled_from([0, item.open_cents // 2, item.open_cents]))
        )
        for item in invoices
    ]
    if order is None:
        assert decided(*left) is None
    elif still_justified(order.invoice_ids, order.minimum_open_cents, {i.invoice_id: i.open_cents for i in left}):
        assert level(decided(*left)) == order.level


@given(INVOICES, st.integers(1, 60))
def test_time_alone_never_frees(items: list[tuple[int, int]], days: int) -> None:
    strictness: list[Level | None] = [None, Level.PARTIAL, Level.TOTAL]
    now, later = (level(decided(*_numbered(items), today=TODAY + timedelta(days=shift))) for shift in (0, days))
    assert strictness.index(later) >= strictness.index(now)
