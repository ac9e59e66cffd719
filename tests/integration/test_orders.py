"""Many orders at once: what each is given or refused with, and that it is as many single ones."""

from __future__ import annotations

import pytest
from sqlalchemy import event, select

from core.actor import Actor
from core.database import Database, Transaction
from core.errors import CatracaError, InvalidInput, NotAllowed, NotFound
from provisioning.cancellation import cancel
from provisioning.debts import record_debt
from provisioning.models import RestrictionOrderRow, Subscription
from provisioning.orders import RestrictionRequest, live_orders, order_restriction, order_restrictions
from provisioning.timeline import entries
from tests.factories import make_plan, make_subscription
from tests.factories_billing import address_list_of, state_of
from tests.factories_core import audit_of

ANA = Actor("ana", "routine", "request-9")


def owing(tx: Transaction, count: int, cents: int = 9990) -> list[int]:
    """Ids of subscriptions that owe that on invoice 100 + their place."""
    plan = make_plan(tx)
    ids = [make_subscription(tx, plan_id=plan.id).id for _ in range(count)]
    for number, key in enumerate(ids):
        record_debt(tx, subscription_id=key, invoice_id=100 + number, due_on=tx.now.date(), open_cents=cents)
    return ids


def wanted(key: int, invoice: int, level: str = "total", minimum: int = 0) -> RestrictionRequest:
    return RestrictionRequest(key, level, [invoice], minimum, "Boleto v3", "dunning-7", {"days_late": 30}, 3)


def test_each_is_restricted_and_told(database: Database) -> None:
    with database.transaction(ANA) as tx:
        ids = owing(tx, 3)
        requests = [wanted(key, 100 + number, ("total", "partial", "total")[number]) for number, key in enumerate(ids)]
        outcomes = order_restrictions(tx, requests)
        assert [(item.given, item.error, item.request) for item in outcomes] == [
            (True, None, each) for each in requests
        ]
    assert [state_of(database, key) for key in ids] == ["SUSPENDED", "REDUCED", "SUSPENDED"]
    assert address_list_of(database, ids[0]) == "catraca-suspended"
    with database.reading() as tx:
        [row] = live_orders(tx, ids[1])
        assert (row.level, row.invoice_ids, row.rule, row.run, row.ordered_by) == (
            "partial", [101], "Boleto v3", "dunning-7", "ana",
        )  # fmt: skip
        assert (row.evidence, row.rule_version) == ({"days_late": 30}, 3)
        told = entries(tx, ids[1])[-2:]
        assert [(item.event, item.state_after, item.actor) for item in told] == [
            ("order.given", "", "ana"),
            ("state.changed", "REDUCED", "ana"),
        ]
        assert told[0].details == {"level": "partial", "invoices": [101], "rule": "Boleto v3", "run": "dunning-7"}
    given = [item for item in audit_of(database, "subscription") if item.action == "order-restriction"]
    assert [(item.entity_id, item.actor, item.request_id) for item in given] == [
        (str(key), "ana", "request-9") for key in ids
    ]


def test_the_objects_of_the_session_follow(database: Database) -> None:
    with database.transaction() as tx:
        [key] = owing(tx, 1)
        subscription = tx.session.get_one(Subscription, key)
        order_restrictions(tx, [wanted(key, 100)])
        assert (subscription.state, subscription.state_since) == ("SUSPENDED", tx.now)
        stored = tx.session.execute(select(Subscription.state).where(Subscription.id == key)).scalar_one()
        assert stored == "SUSPENDED"


@pytest.mark.parametrize(
    ("request_of", "error", "words"),
    [
        pytest.param(lambda key: wanted(999_999, 101), NotFound, "no subscription 999999", id="unknown"),
        pytest.param(lambda key: wanted(key, 7), NotAllowed, "owes nothing", id="nothing owed on that invoice"),
        pytest.param(lambda key: wanted(key, 101, minimum=9991), NotAllowed, "owes nothing", id="a cent too little"),
        pytest.param(lambda key: wanted(key, 101, "all"), InvalidInput, "total, partial", id="no such level"),
    ],
)
def test_one_that_is_refused_holds_up_no_other(
    database: Database, request_of: object, error: type[CatracaError], words: str
) -> None:
    with database.transaction() as tx:
        one, other, third = owing(tx, 3)
        bad = request_of(other)  # type: ignore[operator]
        outcomes = order_restrictions(tx, [wanted(third, 102), bad, wanted(one, 100)])
        assert [item.given for item in outcomes] == [True, False, True]
        assert outcomes[1].order is None
        assert isinstance(outcomes[1].error, error)
        assert words in outcomes[1].error.detail
    assert [state_of(database, key) for key in (one, other, third)] == ["SUSPENDED", "ACTIVE", "SUSPENDED"]


def test_a_cancelled_one_is_refused(database: Database) -> None:
    with database.transaction() as tx:
        [key] = owing(tx, 1)
        cancel(tx, subscription_id=key)
        [outcome] = order_restrictions(tx, [wanted(key, 100)])
        assert isinstance(outcome.error, NotAllowed)
        with pytest.raises(NotAllowed, match="was cancelled on"):
            order_restriction(tx, subscription_id=key, level="total", invoice_ids=[100])


def test_a_twin_is_given_back(database: Database) -> None:
    with database.transaction() as tx:
        [key] = owing(tx, 1)
        [first] = order_restrictions(tx, [wanted(key, 100)])
        [second] = order_restrictions(tx, [wanted(key, 100)])
        assert (second.given, second.order) == (False, first.order)
        assert order_restriction(tx, subscription_id=key, level="total", invoice_ids=[100]) is first.order
        assert len(live_orders(tx, key)) == 1


def test_one_subscription_twice_is_a_mistake(database: Database) -> None:
    with database.transaction() as tx:
        [key] = owing(tx, 1)
        with pytest.raises(InvalidInput, match="once"):
            order_restrictions(tx, [wanted(key, 100), wanted(key, 100)])
        assert order_restrictions(tx, []) == []


def test_many_cost_as_many_queries_as_few(database: Database) -> None:
    seen: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *told: seen.append(told[2]))
    counts = []
    for count in (2, 40):
        with database.transaction() as tx:
            ids = owing(tx, count)
        seen.clear()
        with database.transaction() as tx:
            order_restrictions(tx, [wanted(key, 100 + number) for number, key in enumerate(ids)])
        counts.append([text.split()[0] for text in seen])
    assert counts[0] == counts[1]


def test_what_is_ordered_lapses_with_the_debt(database: Database) -> None:
    with database.transaction() as tx:
        one, other = owing(tx, 2)
        order_restrictions(tx, [wanted(one, 100), wanted(other, 101)])
        record_debt(tx, subscription_id=one, invoice_id=100, due_on=tx.now.date(), open_cents=0)
    assert (state_of(database, one), state_of(database, other)) == ("ACTIVE", "SUSPENDED")
    with database.reading() as tx:
        rows = tx.session.scalars(select(RestrictionOrderRow).order_by(RestrictionOrderRow.id)).all()
        assert [row.lapsed_at is None for row in rows] == [False, True]
