"""What billing does when a subscription was cancelled: a fine once, and nothing that came later goes."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_bridge.invoices import list_invoices
from billing_bridge.models import Invoice
from core.database import Database, Transaction
from core.job_queue import Job
from core.jobs import run_job, sweep
from core.runtime import Runtime
from core.settings import Settings
from provisioning.cancellation import cancel
from provisioning.timeline import entries
from tests.factories import make_subscription
from tests.factories_billing import debts_of, make_invoice
from tests.ticking import FakeClock

EVENT = "subscription.cancelled"


def follow(runtime: Runtime) -> list[str]:
    """Run the follow-ups that wait; gives the outcomes' words."""
    with runtime.database.reading() as tx:
        mine = set(tx.session.scalars(select(Job.id).where(Job.kind == EVENT)))
    due = [job_id for job_id in sweep(runtime) if job_id in mine]
    return [str(getattr(run_job(runtime, job_id), "detail", "")) for job_id in due]


def again(runtime: Runtime) -> None:
    """The same event once more, as after a crash before its outcome was written."""
    with runtime.database.transaction() as tx:
        [first, *_] = tx.session.scalars(select(Job).where(Job.kind == EVENT).order_by(Job.id)).all()
        tx.enqueue(EVENT, first.key, payload=first.payload)


def invoices(database: Database) -> list[Invoice]:
    with database.reading() as tx:
        return list(list_invoices(tx))


@pytest.mark.parametrize(
    ("cancel_open", "words", "statuses"),
    [
        pytest.param(True, "1 invoices cancelled, fine charged", ["CANCELLED", "OPEN"], id="the open ones go"),
        pytest.param(False, "open invoices stay, fine charged", ["OPEN", "OPEN"], id="the open ones stay"),
    ],
)
def test_a_fine_is_charged_once(runtime: Runtime, cancel_open: bool, words: str, statuses: list[str]) -> None:
    with runtime.database.transaction() as tx:
        gone = make_subscription(tx)
        make_invoice(tx, gone)
        cancel(tx, subscription_id=gone.id, cancel_open_invoices=cancel_open, fine_cents=15_000)
    assert follow(runtime) == [words]
    for _ in range(2):
        again(runtime)
        assert follow(runtime) == ["it was done before"]
    found = invoices(runtime.database)
    assert [item.status.value for item in found] == statuses
    [charge] = found[1].charges
    assert (charge.description, charge.amount_cents, found[1].due_on) == (
        "Multa por cancelamento",
        15_000,
        date(2026, 3, 12),
    )
    with runtime.database.reading() as tx:
        assert debts_of(tx, gone.id)[found[1].id] == 15_000
        [told] = [entry for entry in entries(tx, gone.id) if entry.event == "fine.charged"]
        assert told.details["amount_cents"] == 15_000
        assert told.details["protocol"]


def test_when_the_fine_is_due_is_a_setting(runtime: Runtime) -> None:
    runtime.database.settings = Settings(fine_due_days=0)
    with runtime.database.transaction() as tx:
        cancel(tx, subscription_id=make_subscription(tx).id, fine_cents=1)
    follow(runtime)
    assert [item.due_on for item in invoices(runtime.database)] == [date(2026, 3, 2)]


def test_no_fine_no_invoice(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        cancel(tx, subscription_id=make_subscription(tx).id)
    assert follow(runtime) == ["0 invoices cancelled"]
    assert invoices(runtime.database) == []


def test_what_was_invoiced_after_the_cancellation_stays(runtime: Runtime, clock: FakeClock) -> None:
    def bill(tx: Transaction) -> None:
        make_invoice(tx, gone)

    with runtime.database.transaction() as tx:
        gone = make_subscription(tx)
        bill(tx)
        cancel(tx, subscription_id=gone.id)
    clock.now += timedelta(microseconds=1)
    with runtime.database.transaction() as tx:
        bill(tx)  # the router was kept
    assert follow(runtime) == ["1 invoices cancelled"]
    again(runtime)
    assert follow(runtime) == ["0 invoices cancelled"]
    assert [item.status.value for item in invoices(runtime.database)] == ["CANCELLED", "OPEN"]
