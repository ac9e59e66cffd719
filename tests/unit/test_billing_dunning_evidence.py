"""Notices and the calendar in the decision, and the evidence of an order."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_bridge.calendar.company import DayCheck, Hold, HoldReason, check_day
from billing_bridge.dunning.rules import OpenInvoice, SuspensionRules, WantedOrder, decide
from provisioning.facts import Level

TODAY = date(2026, 3, 31)
RULES = SuspensionRules("Boleto", 3, total_days=30, partial_days=15, minimum_open_cents=1000)
NOTICED = replace(RULES, notice_days=10)
FREE = DayCheck(None, {"weekday": 2})
HELD = DayCheck(Hold(TODAY, HoldReason.WEEKDAY), {"weekday": 2})


def owed(days_ago: int, cents: int = 9990, invoice_id: int = 1) -> OpenInvoice:
    return OpenInvoice(invoice_id, TODAY - timedelta(days=days_ago), cents)


def decided(
    *invoices: OpenInvoice,
    rules: SuspensionRules = RULES,
    noticed: dict[int, int] | None = None,
    check: DayCheck | None = None,
) -> WantedOrder | None:
    """`noticed`: how many days ago each invoice's notice was given."""
    notices = {7: {invoice: TODAY - timedelta(days=days) for invoice, days in (noticed or {}).items()}}
    orders = decide({7: invoices}, {7: rules}, TODAY, notices, {7: check} if check else None)
    return orders[0] if orders else None


@pytest.mark.parametrize(
    ("invoices", "noticed", "expected"),
    [
        pytest.param([owed(15)], {}, None, id="never told"),
        pytest.param([owed(15)], {1: 9}, None, id="told a day too late"),
        pytest.param([owed(15)], {1: 10}, Level.PARTIAL, id="told on the day"),
        pytest.param([owed(15)], {1: 11}, Level.PARTIAL, id="told the day before"),
        pytest.param([owed(14)], {1: 30}, None, id="told, but not late enough"),
        pytest.param([owed(30)], {1: 9}, None, id="late enough for total, told too late for either"),
        pytest.param([owed(30)], {1: 10}, Level.TOTAL, id="total in time"),
        pytest.param([owed(30), owed(16, 9990, 2)], {2: 10}, Level.PARTIAL, id="only the younger was told"),
        pytest.param([owed(15)], {2: 30}, None, id="told of another invoice"),
        pytest.param([owed(30, 600), owed(2, 400, 2)], {1: 10}, Level.TOTAL, id="the younger sums up untold"),
    ],
)
def test_an_invoice_is_ripe_when_its_notice_is(
    invoices: list[OpenInvoice], noticed: dict[int, int], expected: Level | None
) -> None:
    order = decided(*invoices, rules=NOTICED, noticed=noticed)
    assert (order and order.level) == expected


def test_only_the_told_invoice_is_named() -> None:
    order = decided(owed(30), owed(16, 9990, 2), rules=NOTICED, noticed={2: 10})
    assert order is not None
    assert (order.invoice_ids, order.days_late, order.open_cents) == ((2,), 16, 19980)


@pytest.mark.parametrize(
    ("check", "wanted"),
    [
        pytest.param(None, True, id="nothing known of the day"),
        pytest.param(FREE, True, id="a free day"),
        pytest.param(HELD, False, id="a held day"),
    ],
)
def test_a_held_day_wants_nothing(check: DayCheck | None, wanted: bool) -> None:
    assert (decided(owed(30), check=check) is not None) is wanted


def test_a_hold_of_one_place_leaves_the_others() -> None:
    late = {3: [owed(30)], 9: [owed(30)]}
    orders = decide(late, dict.fromkeys(late, RULES), TODAY, None, {3: HELD, 9: FREE})
    assert [order.subscription_id for order in orders] == [9]


def test_the_evidence_is_all_that_decided_and_fits_json() -> None:
    lawful = replace(NOTICED, held_weekdays=frozenset({5, 6, 7}), hold_holidays=True, hold_holiday_eves=True)
    check = check_day(TODAY, lawful, {date(2026, 4, 3): "Sexta-feira Santa"})
    order = decided(owed(31, 9990, 4711), owed(16, 9990, 4712), rules=lawful, noticed={4711: 12, 4712: 10}, check=check)
    assert order is not None
    assert order.rule_version == 3
    assert json.loads(json.dumps(order.evidence)) == {
        "method": "Boleto",
        "version": 3,
        "level": "total",
        "day": "2026-03-31",
        "days": 30,
        "days_late": 31,
        "oldest": {"invoice": 4711, "due_on": "2026-02-28", "open_cents": 9990},
        "invoices": [
            {"invoice": 4711, "due_on": "2026-02-28", "open_cents": 9990},
            {"invoice": 4712, "due_on": "2026-03-15", "open_cents": 9990},
        ],
        "open_cents": 19980,
        "minimum_open_cents": 1000,
        "notice": {"on": "2026-03-19", "days": 10},
        "calendar": {
            "weekday": 2,
            "held_weekdays": [5, 6, 7],
            "hold_holidays": True,
            "hold_holiday_eves": True,
            "holidays": [{"day": "2026-04-03", "name": "Sexta-feira Santa", "applies": False}],
        },
    }


def test_a_notice_that_no_rule_asks_for_is_no_evidence() -> None:
    order = decided(owed(30), noticed={1: 12})
    assert order is not None
    assert (order.evidence["notice"], order.evidence["calendar"]) == (None, None)


@pytest.mark.parametrize(
    ("total", "partial", "expected"),
    [
        pytest.param(30, 15, (Level.PARTIAL, 15), id="both"),
        pytest.param(30, None, (Level.TOTAL, 30), id="total only"),
        pytest.param(None, 15, (Level.PARTIAL, 15), id="partial only"),
        pytest.param(None, None, None, id="neither"),
    ],
)
def test_the_first_level(total: int | None, partial: int | None, expected: object) -> None:
    assert SuspensionRules("x", 1, total, partial).first_level == expected


DEBTS = st.dictionaries(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 3000), st.integers(1, 5)), max_size=4),
    max_size=4,
)
NOTICES = st.dictionaries(st.integers(1, 4), st.dictionaries(st.integers(1, 5), st.integers(-3, 40), max_size=5))
ANY_RULES = st.builds(
    SuspensionRules,
    st.just("x"),
    st.integers(1, 9),
    st.none() | st.integers(20, 40),
    st.none() | st.integers(1, 19),
    st.integers(0, 3000),
    st.integers(0, 20),
)
Given = dict[int, list[tuple[int, int, int]]]


def invoices_of(debts: Given) -> dict[int, list[OpenInvoice]]:
    return {key: [owed(*item) for item in items] for key, items in debts.items()}


def dates_of(notices: dict[int, dict[int, int]]) -> dict[int, dict[int, date]]:
    return {
        key: {number: TODAY - timedelta(days=days) for number, days in given.items()} for key, given in notices.items()
    }


@given(DEBTS, ANY_RULES, NOTICES, st.sets(st.integers(1, 4)))
def test_a_hold_lets_no_order_through_and_changes_no_other(
    debts: Given, rules: SuspensionRules, notices: dict[int, dict[int, int]], held: set[int]
) -> None:
    late, given = invoices_of(debts), dates_of(notices)
    by_rule = dict.fromkeys(late, rules)
    free = decide(late, by_rule, TODAY, given)
    orders = decide(late, by_rule, TODAY, given, {key: HELD if key in held else FREE for key in late})
    assert orders == [order for order in free if order.subscription_id not in held]


@given(DEBTS, ANY_RULES, NOTICES)
def test_without_notice_days_and_holds_notices_change_nothing(
    debts: Given, rules: SuspensionRules, notices: dict[int, dict[int, int]]
) -> None:
    late, plain = invoices_of(debts), replace(rules, notice_days=0)
    by_rule = dict.fromkeys(late, plain)
    assert decide(late, by_rule, TODAY, dates_of(notices), dict.fromkeys(late, FREE)) == decide(late, by_rule, TODAY)


@given(DEBTS, ANY_RULES, NOTICES)
def test_asking_for_notice_never_restricts_more(
    debts: Given, rules: SuspensionRules, notices: dict[int, dict[int, int]]
) -> None:
    late = invoices_of(debts)
    strict = {
        order.subscription_id: order
        for order in decide(late, dict.fromkeys(late, replace(rules, notice_days=0)), TODAY)
    }
    for order in decide(late, dict.fromkeys(late, rules), TODAY, dates_of(notices)):
        assert order.level is Level.PARTIAL or strict[order.subscription_id].level is Level.TOTAL
        assert order.days_late <= strict[order.subscription_id].days_late
