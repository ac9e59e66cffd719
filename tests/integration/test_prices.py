"""What a subscription costs: its plan's price, or its own, and which of them a change of plan leaves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.database import Database
from core.errors import Conflict, InvalidInput, NotFound
from provisioning.models import Plan, Subscription
from provisioning.plans import change_plan, clone_plan, get_plan
from provisioning.prices import own_price_after, price_of
from provisioning.subscriptions import change_price, switch_plan
from tests.factories import ANA, make_plan, make_subscription
from tests.factories_core import audit_of
from tests.factories_moves import told_of

CENTS = st.integers(0, 10**8)


@given(CENTS, st.none() | CENTS, CENTS, st.booleans())
@settings(max_examples=50)
def test_the_switch_decides_between_two_prices(old: int, own: int | None, new: int, change: bool) -> None:
    subscription = Subscription(plan=Plan(price_cents=old), price_cents=own)
    paid = price_of(subscription)
    subscription.price_cents = own_price_after(subscription, change_price=change)
    subscription.plan = Plan(price_cents=new)
    assert price_of(subscription) == (new if change else paid)


@pytest.mark.parametrize(
    ("own", "change", "cents", "follows"),
    [
        pytest.param(None, True, 14990, True, id="the new plan's"),
        pytest.param(5000, True, 14990, True, id="its own is given up"),
        pytest.param(None, False, 9990, False, id="the old plan's stays, as its own"),
        pytest.param(5000, False, 5000, False, id="its own stays"),
    ],
)
def test_a_switch_of_plan(database: Database, own: int | None, change: bool, cents: int, follows: bool) -> None:
    with database.transaction(ANA) as tx:
        plan = make_plan(tx, price_cents=14990)
        subscription = make_subscription(tx)
        change_price(tx, subscription_id=subscription.id, price_cents=own)
        before = price_of(subscription)
        switch_plan(tx, subscription_id=subscription.id, plan_id=plan.id, change_price=change, note="faster")
        assert price_of(subscription) == cents
        change_plan(tx, plan_id=plan.id, price_cents=15990)
        assert price_of(subscription) == (15990 if follows else cents)
    [entry] = told_of(database, subscription.id, "plan.switched")
    assert (entry.details["change_price"], entry.note) == (change, "faster")
    assert entry.details["price"] == ("price of the new plan" if change else "price kept")
    assert (entry.details["from_cents"], entry.details["to_cents"]) == (before, cents)
    [line] = [line for line in audit_of(database, "subscription") if line.action == "switch-plan"]
    assert line.after is not None
    assert (line.after["price_cents"], line.after["change_price"]) == (cents, change)


def test_a_price_of_its_own_and_back(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription = make_subscription(tx)
        change_price(tx, subscription_id=subscription.id, price_cents=0, note="employee")
        assert price_of(subscription) == 0
        change_price(tx, subscription_id=subscription.id)
        assert price_of(subscription) == 9990
    first, second = told_of(database, subscription.id, "price.changed")
    assert first.details == {"from_cents": 9990, "to_cents": 0, "own_price": True}
    assert second.details == {"from_cents": 0, "to_cents": 9990, "own_price": False}


@pytest.mark.parametrize("cents", [-1, 100_000_001])
def test_prices_that_are_none(database: Database, cents: int) -> None:
    with database.transaction(ANA) as tx, pytest.raises(InvalidInput, match="price_cents"):
        change_price(tx, subscription_id=make_subscription(tx).id, price_cents=cents)


def test_a_cloned_plan_differs_in_what_is_given_only(database: Database) -> None:
    with database.transaction(ANA) as tx:
        plan = make_plan(tx, technology="FTTH", pool="cgnat-1", ipv6_pool="v6")
        copy = clone_plan(tx, plan_id=plan.id, name="Copy", price_cents=1, group="business")
        columns = [column.key for column in Plan.__table__.columns if column.key not in ("id", "group_name")]
        assert [name for name in columns if getattr(plan, name) != getattr(copy, name)] == ["name", "price_cents"]
        assert (plan.group, copy.group) == ("", "business")
        assert get_plan(tx, plan.id).price_cents == 9990


@pytest.mark.parametrize(
    ("values", "error"),
    [
        pytest.param({"name": ""}, InvalidInput, id="no name"),
        pytest.param({"name": "Taken"}, Conflict, id="a name that is taken"),
        pytest.param({"name": "Copy", "colour": "red"}, InvalidInput, id="no field of a plan"),
        pytest.param({"name": "Copy", "reduced_upload_bps": None}, InvalidInput, id="half a reduced speed"),
        pytest.param({"plan_id": 10**9, "name": "Copy"}, NotFound, id="of no plan"),
    ],
)
def test_clones_that_are_refused(database: Database, values: dict[str, object], error: type[Exception]) -> None:
    with database.transaction(ANA) as tx:
        plan = make_plan(tx, name="Taken").id
        with pytest.raises(error):
            clone_plan(tx, **{"plan_id": plan, **values})  # type: ignore[arg-type]
