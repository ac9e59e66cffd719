"""Migrations and transfers for tests: what a subscription holds, and the jobs that follow a move."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

import billing_bridge.moved_subscriptions  # noqa: F401  (its handlers)
from core.database import Database, Transaction
from core.job_queue import Job
from core.jobs import run_job
from core.runtime import Runtime
from ipam.allocation import fixed_address_of
from ipam.routed import prefixes_of
from provisioning.models import Subscription, TimelineEntry
from provisioning.subscriber_history import subscriber_entries
from tests.factories_billing import debts_of


@dataclass(frozen=True)
class Holding:
    """What a subscription has."""

    state: str
    login: str | None
    mac: str | None
    address: str
    prefixes: tuple[str, ...]
    debts: tuple[tuple[int, int], ...]


def holding_of(tx: Transaction, subscription_id: int) -> Holding:
    """Everything that a migration has to carry over; settled debts are left out."""
    row = tx.session.get_one(Subscription, subscription_id, populate_existing=True)
    prefixes = prefixes_of(tx, [subscription_id]).get(subscription_id, ())
    owed = {invoice: cents for invoice, cents in debts_of(tx, subscription_id).items() if cents}
    return Holding(
        row.state,
        row.login,
        row.mac,
        str(fixed_address_of(tx, subscription_id) or ""),
        tuple(str(prefix.network) for prefix in prefixes),
        tuple(sorted(owed.items())),
    )


def nothing_held(state: str) -> Holding:
    return Holding(state, None, None, "", (), ())


def follow_up(runtime: Runtime, kind: str) -> list[str]:
    """Run every waiting job of that kind, oldest first; gives how each ended."""
    with runtime.database.reading() as tx:
        waiting = select(Job.id).where(Job.kind == kind, Job.status == "waiting").order_by(Job.id)
        ids = tx.session.scalars(waiting).all()
    return [type(run_job(runtime, job_id)).__name__ for job_id in ids]


def told_of(database: Database, subscription_id: int, event: str) -> list[TimelineEntry]:
    """The timeline's entries of one event, oldest first."""
    mine = select(TimelineEntry).where(TimelineEntry.subscription_id == subscription_id, TimelineEntry.event == event)
    with database.reading() as tx:
        return list(tx.session.scalars(mine.order_by(TimelineEntry.id)))


def history_of(database: Database, subscriber_id: int) -> list[str]:
    """The events of a subscriber's history, oldest first."""
    with database.reading() as tx:
        return [entry.event for entry in subscriber_entries(tx, subscriber_id)]
