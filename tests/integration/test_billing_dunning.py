"""The guarded run: whom it finds, the cap, and that a second run orders nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing_bridge.dunning.approval import approve_run
from billing_bridge.dunning.cap import cap_of
from billing_bridge.dunning.rules import OpenInvoice, decide
from billing_bridge.dunning.work import get_run, list_runs, preview_dunning, run_dunning, start_run
from billing_bridge.invoices import list_invoices
from billing_bridge.models import BillingMethod
from billing_bridge.payments import receive
from core.actor import Actor
from core.database import Database, Transaction
from core.errors import NeedsApproval, NotFound
from core.job_queue import Job
from core.settings import Settings
from provisioning.cancellation import cancel
from provisioning.facts import Level
from provisioning.models import RestrictionOrderRow, Subscription
from provisioning.orders import order_restriction
from provisioning.pauses import pause, resume
from tests.factories import make_plan, make_subscription
from tests.factories_billing import make_billed, make_invoice, make_method, state_of
from tests.ticking import FakeClock

JOANA = Actor("joana", "api")
Debts = list[list[tuple[int, int]]]
Rule = tuple[int | None, int | None, int]


def many_late(tx: Transaction, count: int, *, late: int = 30) -> list[Subscription]:
    method, plan = make_method(tx), make_plan(tx)
    subscriptions = [make_billed(tx, method, plan_id=plan.id) for _ in range(count)]
    for subscription in subscriptions:
        make_invoice(tx, subscription, late=late)
    return subscriptions


def first_invoice(tx: Transaction, subscription: Subscription) -> int:
    return list_invoices(tx, subscription_id=subscription.id)[0].id


def orders_in(tx: Transaction) -> int:
    return tx.session.scalar(select(func.count()).select_from(RestrictionOrderRow)) or 0


def test_the_preview_tells_who_and_why_and_changes_nothing(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx, minimum_open_cents=1000)
        suspended, reduced, _fine = (make_billed(tx, method) for _ in range(3))
        oldest = make_invoice(tx, suspended, late=30)
        make_invoice(tx, reduced, late=15)
    with database.reading() as tx:
        plan = preview_dunning(tx)
        assert (plan.total_count, plan.partial_count, plan.active_count, plan.exceeds_cap) == (1, 1, 3, False)
        assert [(order.subscription_id, order.level) for order in plan.orders] == [
            (suspended.id, Level.TOTAL),
            (reduced.id, Level.PARTIAL),
        ]
        assert plan.orders[0].why == (
            f"invoice {oldest.id} was due on 2026-01-31, 30 days ago; R$ 99,90 late (minimum R$ 10,00); "
            "Boleto v1: total after 30 days"
        )
    assert state_of(database, suspended.id) == "ACTIVE"


def test_a_run_keeps_its_counts_and_who_started_it(database: Database, clock: FakeClock) -> None:
    with database.transaction(JOANA) as tx:
        method = make_method(tx)
        for late in (30, 31, 15, 14):
            make_invoice(tx, make_billed(tx, method), late=late)
        done = run_dunning(tx)
    with database.reading() as tx:
        run = get_run(tx, done.id)
        assert (run.status, run.actor, run.source, run.day.isoformat()) == ("done", "joana", "api", "2026-03-02")
        assert (run.planned_total, run.planned_partial, run.ordered_total, run.ordered_partial) == (2, 1, 2, 1)
        assert (run.started_at, run.finished_at, run.skipped) == (clock.now, clock.now, 0)
        marks = tx.session.scalars(select(RestrictionOrderRow.run)).all()
        assert marks == [run.name] * 3
        with pytest.raises(NotFound, match="dunning run 999"):
            get_run(tx, 999)


def test_the_second_run_orders_nothing(database: Database) -> None:
    with database.transaction() as tx:
        many_late(tx, 4)
        assert run_dunning(tx).ordered == 4
        assert (run_dunning(tx).ordered, preview_dunning(tx).count) == (0, 0)
        assert orders_in(tx) == 4


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda tx, s: cancel(tx, subscription_id=s.id), id="cancelled"),
        pytest.param(lambda tx, s: receive(tx, invoice_id=first_invoice(tx, s)), id="paid"),
        pytest.param(
            lambda tx, s: order_restriction(
                tx, subscription_id=s.id, level="total", invoice_ids=[first_invoice(tx, s)]
            ),
            id="under a total order already",
        ),
    ],
)
def test_who_is_left_alone(database: Database, change: Callable[[Transaction, Subscription], object]) -> None:
    with database.transaction() as tx:
        [subscription] = many_late(tx, 1)
        assert preview_dunning(tx).count == 1
        change(tx, subscription)
        assert (preview_dunning(tx).count, preview_dunning(tx).orders, run_dunning(tx).ordered) == (0, (), 0)


def test_without_a_billing_account_or_an_installation_nobody_is_ordered(database: Database) -> None:
    with database.transaction() as tx:
        make_invoice(tx, make_subscription(tx), late=300)
        make_invoice(tx, make_billed(tx, make_method(tx), active=False), late=300)
        assert (preview_dunning(tx).count, run_dunning(tx).ordered) == (0, 0)


@pytest.mark.parametrize(
    ("invoices", "count"),
    [
        pytest.param([(30, 999)], 0, id="a cent below the minimum"),
        pytest.param([(30, 1000)], 1, id="at the minimum"),
        pytest.param([(30, 600), (1, 399)], 0, id="a cent below with a younger late one"),
        pytest.param([(30, 600), (1, 400)], 1, id="at it with a younger late one"),
        pytest.param([(30, 999), (0, 5000)], 0, id="what is due today counts for nothing"),
        pytest.param([(14, 9990)], 0, id="the day before partial"),
        pytest.param([(15, 9990)], 1, id="the day of partial"),
    ],
)
def test_the_minimum_and_the_days_in_the_count(database: Database, invoices: list[tuple[int, int]], count: int) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx, minimum_open_cents=1000))
        for late, cents in invoices:
            make_invoice(tx, subscription, cents=cents, late=late)
        plan = preview_dunning(tx)
        assert (plan.count, len(plan.orders)) == (count, count)


def test_a_paused_subscription_is_ordered_and_comes_back_suspended(database: Database) -> None:
    with database.transaction() as tx:
        [subscription] = many_late(tx, 1)
        pause(tx, subscription_id=subscription.id)
        assert run_dunning(tx).ordered == 1
    assert state_of(database, subscription.id) == "PAUSED"
    with database.transaction() as tx:
        resume(tx, subscription_id=subscription.id)
    assert state_of(database, subscription.id) == "SUSPENDED"


def test_total_comes_on_top_of_partial_and_both_end_together(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        [subscription] = many_late(tx, 1, late=15)
        assert (run_dunning(tx).ordered_partial, run_dunning(tx).ordered) == (1, 0)
    clock.advance(days=15)
    with database.transaction() as tx:
        assert (run_dunning(tx).ordered_total, run_dunning(tx).ordered) == (1, 0)
    assert state_of(database, subscription.id) == "SUSPENDED"


@pytest.mark.parametrize(
    ("now", "ordered"),
    [
        pytest.param(datetime(2026, 3, 26, 2, 30, tzinfo=UTC), 0, id="23:30 in São Paulo, day 14 of the debt"),
        pytest.param(datetime(2026, 3, 26, 3, 0, tzinfo=UTC), 1, id="midnight in São Paulo, day 15"),
    ],
)
def test_the_companys_midnight_counts(database: Database, clock: FakeClock, now: datetime, ordered: int) -> None:
    clock.now = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
    with database.transaction() as tx:
        many_late(tx, 1, late=0)
    clock.now = now
    with database.transaction() as tx:
        assert (preview_dunning(tx).count, run_dunning(tx).ordered) == (ordered, ordered)


@pytest.mark.parametrize(
    ("active", "percent", "minimum", "cap"),
    [
        pytest.param(0, 3.0, 10, 10, id="nobody active"),
        pytest.param(333, 3.0, 10, 10, id="share just below the minimum"),
        pytest.param(366, 3.0, 10, 10, id="fractions are not rounded up"),
        pytest.param(367, 3.0, 10, 11, id="share above the minimum"),
        pytest.param(1000, 3.0, 0, 30, id="exactly"),
        pytest.param(100, 0.07, 0, 0, id="less than one"),
        pytest.param(100, 29.0, 0, 29, id="no float error"),
    ],
)
def test_the_cap(active: int, percent: float, minimum: int, cap: int) -> None:
    assert cap_of(Settings(suspension_cap_percent=percent, suspension_cap_minimum=minimum), active) == cap


def test_at_the_cap_it_runs(database: Database) -> None:
    with database.transaction() as tx:
        many_late(tx, 10)
        plan = preview_dunning(tx)
        assert (plan.count, plan.cap, plan.exceeds_cap) == (10, 10, False)
        assert run_dunning(tx).ordered == 10


def test_one_more_than_the_cap_orders_nobody_until_approved(database: Database) -> None:
    with database.transaction() as tx:
        subscriptions = many_late(tx, 11)
        assert preview_dunning(tx).exceeds_cap
    with pytest.raises(NeedsApproval) as stopped, database.transaction() as tx:
        run_dunning(tx)
    assert stopped.value.extras == {"planned": 11, "cap": 10, "active": 11}
    with database.reading() as tx:
        assert (orders_in(tx), list(list_runs(tx))) == (0, [])
    with database.transaction(JOANA) as tx:
        run = run_dunning(tx, approve=True)
        assert (run.ordered, run.approved, run.actor) == (11, True, "joana")
    assert {state_of(database, item.id) for item in subscriptions} == {"SUSPENDED"}


def test_approving_what_needs_none_is_not_called_approved(database: Database) -> None:
    with database.transaction() as tx:
        many_late(tx, 1)
        assert run_dunning(tx, approve=True).approved is False


def test_a_big_run_leaves_the_rest_to_a_job(database: Database) -> None:
    with database.transaction(JOANA) as tx:
        many_late(tx, 7)
        run = run_dunning(tx, chunk=3)
        assert (run.status, run.ordered, run.planned) == ("running", 3, 7)
    with database.reading() as tx:
        [job] = tx.session.scalars(select(Job).where(Job.kind == "dunning.continue"))
        assert (job.key, orders_in(tx)) == (str(run.id), 3)


def test_a_run_takes_no_more_than_it_planned(database: Database) -> None:
    """Whoever became late after the plan does not slip in under an approval for fewer."""
    with database.transaction() as tx:
        planned = many_late(tx, 11)
        run = start_run(tx)
        more = make_billed(tx, tx.session.scalars(select(BillingMethod)).one())
        make_invoice(tx, more, late=30)
        approve_run(tx, run.id)
        assert (run.planned, run.ordered, run.status, orders_in(tx)) == (11, 11, "done", 11)
    assert {state_of(database, item.id) for item in planned} == {"SUSPENDED"}
    assert state_of(database, more.id) == "ACTIVE"


def test_the_preview_goes_on_where_it_ended(database: Database) -> None:
    with database.transaction() as tx:
        subscriptions = many_late(tx, 5)
        first = preview_dunning(tx, limit=3)
        rest = preview_dunning(tx, limit=3, after=first.orders[-1].subscription_id)
        ids = [order.subscription_id for plan in (first, rest) for order in plan.orders]
        assert (ids, first.count, rest.count) == ([item.id for item in subscriptions], 5, 5)


DAYS = st.sampled_from([-1, 0, 1, 9, 10, 11, 14, 15, 16, 19, 20, 21, 29, 30, 31])
CENTS = st.sampled_from([1, 499, 500, 501, 999, 1000, 1001])
DEBTS = st.lists(st.lists(st.tuples(DAYS, CENTS), max_size=3), min_size=1, max_size=5)
RULES = st.tuples(st.sampled_from([None, 30, 20]), st.sampled_from([None, 15, 10]), st.sampled_from([0, 500, 1000]))


@settings(max_examples=30)
@given(debts=DEBTS, rules=st.tuples(RULES, RULES))
def test_the_filter_finds_exactly_whom_the_rules_want(
    database: Database, debts: Debts, rules: tuple[Rule, Rule]
) -> None:
    with database.reading() as tx:  # rolled back: each example begins with nothing
        plan = make_plan(tx)
        methods = [
            make_method(tx, name=str(number), total_days=total, partial_days=partial, minimum_open_cents=minimum)
            for number, (total, partial, minimum) in enumerate(rules)
        ]
        owed, by_rules = {}, {}
        for number, invoices in enumerate(debts):
            subscription = make_billed(tx, methods[number % 2], plan_id=plan.id)
            made = [make_invoice(tx, subscription, cents=cents, late=late) for late, cents in invoices]
            owed[subscription.id] = [OpenInvoice(item.id, item.due_on, item.amount_cents) for item in made]
            by_rules[subscription.id] = methods[number % 2].rules
        found = preview_dunning(tx)
        wanted = decide(owed, by_rules, found.day)
        levels = [order.level for order in wanted]
        assert list(found.orders) == wanted
        assert (found.total_count, found.partial_count) == (levels.count(Level.TOTAL), levels.count(Level.PARTIAL))
