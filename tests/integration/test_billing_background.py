"""What billing does without being asked: the rest of a big run, cancelled subscriptions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from billing_bridge.dunning.work import list_runs, run_dunning
from billing_bridge.invoices import get_invoice
from billing_bridge.models import DunningRun
from billing_bridge.payments import receive
from core.actor import Actor
from core.database import Database
from core.job_queue import Job
from core.jobs import run_job, sweep
from core.runtime import Runtime
from provisioning.cancellation import cancel
from provisioning.models import RestrictionOrderRow, TimelineEntry
from tests.factories import make_plan, make_subscription
from tests.factories_billing import (
    debts_of,
    make_billed,
    make_invoice,
    make_method,
    make_shared_invoice,
    state_of,
)
from tests.ticking import FakeClock

SIX = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""Six in the morning in São Paulo."""


@pytest.fixture(autouse=True)
def _at_six(clock: FakeClock) -> None:
    clock.now = SIX


def work_off(runtime: Runtime, kind: str) -> list[str]:
    """Run the waiting jobs of a kind, and those that they write, as a worker would; gives their outcomes' words."""
    details: list[str] = []
    while True:
        with runtime.database.reading() as tx:
            mine = set(tx.session.scalars(select(Job.id).where(Job.kind == kind)))
        due = [job_id for job_id in sweep(runtime) if job_id in mine]
        if not due:
            return details
        for job_id in due:
            outcome = run_job(runtime, job_id)
            details.append(getattr(outcome, "detail", str(outcome)))


def late_subscriptions(database: Database, count: int) -> list[int]:
    with database.transaction() as tx:
        method, plan = make_method(tx), make_plan(tx)
        subscriptions = [make_billed(tx, method, plan_id=plan.id) for _ in range(count)]
        for subscription in subscriptions:
            make_invoice(tx, subscription, late=30)
        return [subscription.id for subscription in subscriptions]


def runs(database: Database) -> list[DunningRun]:
    with database.reading() as tx:
        return list(list_runs(tx))


def test_the_rest_of_a_big_run_is_ordered_by_jobs(runtime: Runtime) -> None:
    ids = late_subscriptions(runtime.database, 7)
    with runtime.database.transaction(Actor("joana", "api")) as tx:
        run_dunning(tx, chunk=3)
    assert work_off(runtime, "dunning.continue") == ["7 of 7 ordered, done"]
    with runtime.database.reading() as tx:
        orders = tx.session.scalars(select(RestrictionOrderRow).order_by(RestrictionOrderRow.subscription_id)).all()
        assert [order.subscription_id for order in orders] == ids
        assert {order.ordered_by for order in orders} == {"joana"}


def test_who_pays_between_two_chunks_is_not_ordered(runtime: Runtime) -> None:
    ids = late_subscriptions(runtime.database, 4)
    with runtime.database.transaction() as tx:
        run_dunning(tx, chunk=2)
        receive(tx, invoice_id=next(iter(debts_of(tx, ids[3]))))
    work_off(runtime, "dunning.continue")
    [run] = runs(runtime.database)
    assert (run.status, run.ordered, state_of(runtime.database, ids[3])) == ("done", 3, "ACTIVE")


def test_a_job_of_a_run_that_is_done_does_nothing(runtime: Runtime) -> None:
    late_subscriptions(runtime.database, 1)
    with runtime.database.transaction() as tx:
        run = run_dunning(tx)
        tx.enqueue("dunning.continue", str(run.id))
    assert work_off(runtime, "dunning.continue") == ["1 of 1 ordered, done"]
    assert len(runs(runtime.database)) == 1


def test_cancelling_a_subscription_cancels_its_open_invoices(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        gone = make_subscription(tx)
        other = make_subscription(tx, subscriber_id=gone.subscriber_id)
        opened, part, paid = (make_invoice(tx, gone, cents=100) for _ in range(3))
        shared = make_shared_invoice(tx, [(gone, 100), (other, 100)])
        theirs = make_invoice(tx, other)
        receive(tx, invoice_id=part.id, amount_cents=40)
        receive(tx, invoice_id=paid.id)
        cancel(tx, subscription_id=gone.id)
    assert work_off(runtime, "subscription.cancelled") == ["1 invoices cancelled"]
    with runtime.database.reading() as tx:
        statuses = [get_invoice(tx, item.id).status.value for item in (opened, part, paid, shared, theirs)]
        assert statuses == ["CANCELLED", "PARTIALLY_PAID", "PAID", "OPEN", "OPEN"]
        assert debts_of(tx, gone.id) == {opened.id: 0, part.id: 60, paid.id: 0, shared.id: 100}
        [entry] = tx.session.scalars(select(TimelineEntry).where(TimelineEntry.event == "invoices.left"))
        assert entry.details["invoices"] == [
            {"invoice": part.id, "open_cents": 60, "reason": "it is partly paid"},
            {"invoice": shared.id, "open_cents": 200, "reason": "it holds charges of another subscription"},
        ]


def test_the_event_twice_tells_once(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        gone = make_subscription(tx)
        receive(tx, invoice_id=make_invoice(tx, gone).id, amount_cents=40)
        cancel(tx, subscription_id=gone.id)
        tx.enqueue(
            "subscription.cancelled",
            str(gone.id),
            payload={"subscription_id": gone.id, "cancel_open_invoices": True, "again": 1},
            due_at=tx.now - timedelta(seconds=1),
        )
    assert work_off(runtime, "subscription.cancelled") == ["0 invoices cancelled"] * 2
    with runtime.database.reading() as tx:
        assert len(tx.session.scalars(select(TimelineEntry).where(TimelineEntry.event == "invoices.left")).all()) == 1


def test_invoices_stay_where_the_caller_wanted_that(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        gone = make_subscription(tx)
        invoice = make_invoice(tx, gone)
        cancel(tx, subscription_id=gone.id, cancel_open_invoices=False)
    assert work_off(runtime, "subscription.cancelled") == ["open invoices stay"]
    with runtime.database.reading() as tx:
        assert get_invoice(tx, invoice.id).status == "OPEN"
