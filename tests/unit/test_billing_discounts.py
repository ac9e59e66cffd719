"""Promotional discounts: until which day they hold, what earns them, what settles an invoice."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_bridge.discounts import Discount, available, discount_words, discounts_of, granted, payable

DUE = date(2026, 3, 10)
TEN = (Discount(1000, DUE),)
DAYS = st.integers(-12, 5).map(lambda days: DUE + timedelta(days=days))
PROMISES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=4)


@pytest.mark.parametrize(
    ("promised", "expected"),
    [
        pytest.param([(0, 0)], (), id="none"),
        pytest.param([(1000, 0)], (Discount(1000, DUE),), id="until the due date"),
        pytest.param([(1000, 5)], (Discount(1000, date(2026, 3, 5)),), id="five days before"),
        pytest.param([(1000, 10)], (Discount(1000, date(2026, 2, 28)),), id="in the month before"),
        pytest.param([(1000, 5), (200, 5)], (Discount(1200, date(2026, 3, 5)),), id="two charges, one day"),
        pytest.param(
            [(1000, 0), (0, 3), (200, 5)], (Discount(200, date(2026, 3, 5)), Discount(1000, DUE)), id="two days"
        ),
    ],
)
def test_discounts_of_an_invoice(promised: list[tuple[int, int]], expected: tuple[Discount, ...]) -> None:
    assert discounts_of(DUE, promised) == expected


@pytest.mark.parametrize(
    ("days", "day", "cents"),
    [
        pytest.param(0, date(2026, 3, 9), 1000, id="0: the day before the due date"),
        pytest.param(0, date(2026, 3, 10), 1000, id="0: the due date"),
        pytest.param(0, date(2026, 3, 11), 0, id="0: the day after"),
        pytest.param(5, date(2026, 3, 4), 1000, id="5: the day before"),
        pytest.param(5, date(2026, 3, 5), 1000, id="5: the day itself"),
        pytest.param(5, date(2026, 3, 6), 0, id="5: the day after"),
    ],
)
def test_until_which_day_it_holds(days: int, day: date, cents: int) -> None:
    assert available(discounts_of(DUE, [(1000, days)]), day) == cents


@pytest.mark.parametrize(
    ("payments", "off"),
    [
        pytest.param([], 0, id="nothing paid"),
        pytest.param([(0, 8999)], 0, id="a cent too little"),
        pytest.param([(0, 9000)], 1000, id="what was asked for"),
        pytest.param([(0, 9500)], 500, id="more than was asked for"),
        pytest.param([(0, 10000)], 0, id="all of it in time"),
        pytest.param([(1, 9000)], 0, id="a day late"),
        pytest.param([(-3, 4000), (0, 5000)], 1000, id="in two parts, in time"),
        pytest.param([(-3, 4000), (1, 5000)], 0, id="in two parts, the second late"),
        pytest.param([(-3, 4000), (1, 6000)], 0, id="the rest paid late"),
        pytest.param([(1, 500), (0, 9000)], 500, id="a late part entered before"),
    ],
)
def test_what_earns_a_discount(payments: list[tuple[int, int]], off: int) -> None:
    facts = [(DUE + timedelta(days=days), cents) for days, cents in payments]
    assert granted(10000, TEN, facts) == off


@pytest.mark.parametrize(
    ("payments", "late", "cents"),
    [
        pytest.param([], 0, 9000, id="in time"),
        pytest.param([], 1, 10000, id="late"),
        pytest.param([(-3, 4000)], 0, 5000, id="the rest, in time"),
        pytest.param([(-3, 4000)], 1, 6000, id="the rest, late"),
        pytest.param([(1, 500)], 0, 9000, id="a late part entered before: a part of the discount"),
        pytest.param([(1, 1500)], 0, 8500, id="a late part that leaves nothing to gain"),
        pytest.param([(0, 9000)], 0, 0, id="settled"),
        pytest.param([(0, 9000)], 1, 0, id="settled, asked later"),
    ],
)
def test_what_settles(payments: list[tuple[int, int]], late: int, cents: int) -> None:
    facts = [(DUE + timedelta(days=days), paid) for days, paid in payments]
    assert payable(10000, TEN, facts, DUE + timedelta(days=late)) == cents


@st.composite
def paid_invoices(draw: st.DrawFn) -> tuple[int, tuple[Discount, ...], list[tuple[date, int]]]:
    """An invoice with discounts and payments that fit, each of at most what was open when it was entered."""
    promises = draw(PROMISES)
    amount = sum(cents for cents, _ in promises) + draw(st.integers(1, 100))
    discounts, payments = discounts_of(DUE, promises), list[tuple[date, int]]()
    for _ in range(draw(st.integers(0, 4))):
        left = amount - granted(amount, discounts, payments) - sum(cents for _, cents in payments)
        if left:
            payments.append((draw(DAYS), draw(st.integers(1, left))))
    return amount, discounts, payments


@given(paid_invoices(), DAYS)
def test_what_is_asked_for_settles(case: tuple[int, tuple[Discount, ...], list[tuple[date, int]]], day: date) -> None:
    amount, discounts, payments = case
    asked = payable(amount, discounts, payments, day)
    after = [*payments, (day, asked)] if asked else payments
    assert sum(cents for _, cents in after) + granted(amount, discounts, after) == amount


@given(paid_invoices(), st.randoms())
def test_nothing_is_lost_or_made_whatever_the_order(
    case: tuple[int, tuple[Discount, ...], list[tuple[date, int]]], random: Random
) -> None:
    amount, discounts, payments = case
    off = granted(amount, discounts, payments)
    paid = sum(cents for _, cents in payments)
    assert 0 <= off <= sum(discount.cents for discount in discounts)
    assert paid + off <= amount
    assert off == 0 or paid + off == amount, "a discount settles, or it is not granted"
    random.shuffle(payments)
    assert granted(amount, discounts, payments) == off


@pytest.mark.parametrize(
    ("language", "words"),
    [
        pytest.param("pt-BR", "Desconto de R$ 10,00 para pagamento até o dia 10/03/2026", id="pt-BR"),
        pytest.param("en", "Discount of R$ 10,00 for payment until 10/03/2026", id="en"),
    ],
)
def test_the_words_on_an_invoice(language: str, words: str) -> None:
    assert discount_words(TEN[0], language) == words
    assert words in (TEN[0].words, TEN[0].palavras)
