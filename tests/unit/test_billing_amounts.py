"""Arithmetic of invoices: shares, statuses, what each subscription owes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_bridge.amounts import InvoiceStatus, allocate, open_by_subscription, status_of

AMOUNTS = st.lists(st.integers(1, 10**9), min_size=1, max_size=12)


@st.composite
def charges_and_paid(draw: st.DrawFn) -> tuple[list[tuple[int, int]], int]:
    charges = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 10**9)), min_size=1, max_size=12))
    return charges, draw(st.integers(0, sum(amount for _, amount in charges)))


@pytest.mark.parametrize(
    ("amount", "paid", "cancelled", "expected"),
    [
        pytest.param(100, 0, False, InvoiceStatus.OPEN, id="nothing paid"),
        pytest.param(100, 1, False, InvoiceStatus.PARTIALLY_PAID, id="one cent paid"),
        pytest.param(100, 99, False, InvoiceStatus.PARTIALLY_PAID, id="one cent open"),
        pytest.param(100, 100, False, InvoiceStatus.PAID, id="paid"),
        pytest.param(100, 0, True, InvoiceStatus.CANCELLED, id="cancelled"),
    ],
)
def test_status_follows_from_the_amounts(amount: int, paid: int, cancelled: bool, expected: InvoiceStatus) -> None:
    assert status_of(amount, paid, cancelled=cancelled) is expected


@pytest.mark.parametrize(
    ("paid", "amounts", "shares"),
    [
        pytest.param(0, [50, 30], [0, 0], id="nothing"),
        pytest.param(49, [50, 30], [49, 0], id="part of the first"),
        pytest.param(50, [50, 30], [50, 0], id="exactly the first"),
        pytest.param(51, [50, 30], [50, 1], id="a cent of the second"),
        pytest.param(80, [50, 30], [50, 30], id="all"),
    ],
)
def test_amounts_are_filled_in_their_order(paid: int, amounts: list[int], shares: list[int]) -> None:
    assert allocate(paid, amounts) == shares


@pytest.mark.parametrize("paid", [-1, 81])
def test_what_does_not_fit_is_refused(paid: int) -> None:
    with pytest.raises(ValueError, match="cannot be spread"):
        allocate(paid, [50, 30])


@given(AMOUNTS, st.data())
def test_shares_keep_the_sum_and_fit(amounts: list[int], data: st.DataObject) -> None:
    paid = data.draw(st.integers(0, sum(amounts)))
    shares = allocate(paid, amounts)
    assert sum(shares) == paid
    assert all(0 <= share <= amount for share, amount in zip(shares, amounts, strict=True))


@given(AMOUNTS, st.data())
def test_a_later_charge_gets_nothing_before_the_earlier_is_full(amounts: list[int], data: st.DataObject) -> None:
    shares = allocate(data.draw(st.integers(0, sum(amounts))), amounts)
    touched = [index for index, share in enumerate(shares) if share]
    assert all(shares[index] == amounts[index] for index in touched[:-1])


@given(charges_and_paid())
def test_what_subscriptions_owe_adds_up_to_what_is_open(case: tuple[list[tuple[int, int]], int]) -> None:
    charges, paid = case
    owed = open_by_subscription(charges, paid)
    assert owed.keys() == {subscription for subscription, _ in charges}
    assert all(cents >= 0 for cents in owed.values())
    assert sum(owed.values()) == sum(amount for _, amount in charges) - paid


@given(charges_and_paid(), st.data())
def test_paying_more_never_raises_what_anybody_owes(
    case: tuple[list[tuple[int, int]], int], data: st.DataObject
) -> None:
    charges, paid = case
    less = open_by_subscription(charges, data.draw(st.integers(0, paid)))
    more = open_by_subscription(charges, paid)
    assert all(more[subscription] <= less[subscription] for subscription in more)
