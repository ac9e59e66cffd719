"""Monthly runs for tests: a base to bill, runs that come as far as they can, what they have billed."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import select

from billing_bridge.models import BillingMethod, Invoice
from billing_bridge.monthly.generate import generate_chunk
from billing_bridge.monthly.models import BillingRun, BillingRunLine, MonthlyBill
from billing_bridge.monthly.run import (
    GENERATING,
    PREPARING,
    confirm_alerts,
    generate_billing_run,
    lock_billing_run,
    prepare_billing_run,
    prepare_chunk,
)
from core.database import Database, Transaction
from provisioning.models import Subscription
from tests.factories import make_plan
from tests.factories_billing import make_billed

MARCH = date(2026, 3, 1)
LONG_AGO = datetime(2025, 6, 1, 12, tzinfo=UTC)


def make_base(tx: Transaction, method: BillingMethod, count: int, **values: object) -> list[int]:
    """Ids of subscriptions that were installed long ago, each of a subscriber of its own, due on the 10th."""
    values.setdefault("plan_id", make_plan(tx).id)
    return [make_settled(tx, method, **values).id for _ in range(count)]


def make_settled(tx: Transaction, method: BillingMethod, **values: object) -> Subscription:
    """A subscription that was installed long ago."""
    subscription = make_billed(tx, method, **values)  # type: ignore[arg-type]
    subscription.installed_at = LONG_AGO
    tx.session.flush()
    return subscription


def prepared(tx: Transaction, **values: object) -> BillingRun:
    """A run whose lines are all written."""
    run = prepare_billing_run(tx, **values)  # type: ignore[arg-type]
    while run.status == PREPARING:
        prepare_chunk(tx, run, 3)
    return run


def generated(tx: Transaction, **values: object) -> BillingRun:
    """A run that has issued its invoices, whatever its alerts."""
    run = prepared(tx, **values)
    confirm_alerts(tx, run_id=run.id)
    generate_billing_run(tx, run_id=run.id)
    work_through(tx, run)
    return run


def work_through(tx: Transaction, run: BillingRun) -> None:
    while run.status == GENERATING:
        generate_chunk(tx, run, 2)


def next_chunk(database: Database, run_id: int, chunk: int = 2) -> str:
    """One chunk of a run in a transaction of its own, as a job does it; gives the run's status."""
    with database.transaction() as tx:
        run = lock_billing_run(tx, run_id)
        if run.status == PREPARING:
            prepare_chunk(tx, run, chunk)
        elif run.status == GENERATING:
            generate_chunk(tx, run, chunk)
        return run.status


def lines_of(tx: Transaction, run: BillingRun) -> list[BillingRunLine]:
    """In order of the subscriptions."""
    query = select(BillingRunLine).where(BillingRunLine.run_id == run.id).order_by(BillingRunLine.subscription_id)
    return list(tx.session.scalars(query))


def codes_of(tx: Transaction, run: BillingRun) -> list[list[str]]:
    """The codes of the alerts of each line, without those about the contact."""
    return [[item.code for item in line.alerts if not item.warning] for line in lines_of(tx, run)]


def invoices_of(tx: Transaction) -> list[Invoice]:
    return list(tx.session.scalars(select(Invoice).order_by(Invoice.id)))


def bills_of(tx: Transaction) -> list[tuple[int, date, int]]:
    """(subscription, month, cents) of everything that is billed."""
    query = select(MonthlyBill).order_by(MonthlyBill.subscription_id, MonthlyBill.month)
    return [(bill.subscription_id, bill.month, bill.amount_cents) for bill in tx.session.scalars(query)]
