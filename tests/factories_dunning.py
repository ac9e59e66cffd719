"""Many who are late, and a run driven step by step, for tests of dunning."""

from __future__ import annotations

from sqlalchemy import func, select

from billing_bridge.dunning.lines import lines_of
from billing_bridge.dunning.work import continue_run, get_run
from billing_bridge.models import BillingMethod, DunningRun
from core.actor import Actor
from core.database import Database, Transaction
from provisioning.models import RestrictionOrderRow
from tests.factories import make_plan
from tests.factories_billing import make_billed, make_invoice, make_method

ROUTINE = Actor("routine 2", "routine")
JOANA = Actor("joana", "api")


def add_late(tx: Transaction, count: int, *, late: int = 30) -> list[int]:
    """Ids of so many subscriptions with an invoice each, due `late` days ago, all on one plan and method."""
    method = tx.session.scalar(select(BillingMethod)) or make_method(tx)
    plan = make_plan(tx)
    subscriptions = [make_billed(tx, method, plan_id=plan.id) for _ in range(count)]
    for subscription in subscriptions:
        make_invoice(tx, subscription, late=late)
    return [subscription.id for subscription in subscriptions]


def late_in(database: Database, count: int, *, late: int = 30) -> list[int]:
    with database.transaction() as tx:
        return add_late(tx, count, late=late)


def step(database: Database, run_id: int, size: int = 2) -> DunningRun:
    """What one job of the run does, in chunks of `size`."""
    with database.transaction(ROUTINE) as tx:
        return continue_run(tx, run_id, chunk=size, planning=size)


def run_of(database: Database, run_id: int) -> DunningRun:
    with database.reading() as tx:
        return get_run(tx, run_id)


def restricted(database: Database) -> list[int]:
    """Subscriptions by their orders, one entry an order."""
    with database.reading() as tx:
        query = select(RestrictionOrderRow.subscription_id).order_by(RestrictionOrderRow.subscription_id)
        return list(tx.session.scalars(query))


def orders_in(database: Database) -> int:
    with database.reading() as tx:
        return tx.session.scalar(select(func.count()).select_from(RestrictionOrderRow)) or 0


def statuses(database: Database, run_id: int) -> list[str]:
    """Of the run's lines, by subscription."""
    with database.reading() as tx:
        return [line.status for line in lines_of(tx, run_id)]
