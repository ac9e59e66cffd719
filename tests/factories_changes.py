"""Scheduled changes for tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from core.actor import Actor
from core.database import Database, Transaction
from core.job_queue import Job
from provisioning.models import Subscription, TimelineEntry
from provisioning.scheduled.changes import schedule_change
from provisioning.scheduled.models import ScheduledChange
from tests.factories import make_subscription

JOANA = Actor("joana", "api")


def make_change(database: Database, action: str, due_at: datetime, **values: Any) -> tuple[int, int]:
    """A change of a subscription (its own active one unless one is given): (id of the change, of the subscription)."""
    with database.transaction(JOANA) as tx:
        subscription_id = values.pop("subscription_id", None) or make_subscription(tx).id
        change = schedule_change(tx, subscription_id=subscription_id, action=action, due_at=due_at, **values)
        return change.id, subscription_id


def change_in(database: Database, change_id: int) -> ScheduledChange:
    with database.reading() as tx:
        return tx.session.get_one(ScheduledChange, change_id)


def subscription_in(database: Database, subscription_id: int) -> Subscription:
    with database.reading() as tx:
        return tx.session.get_one(Subscription, subscription_id)


def told(database: Database, subscription_id: int, prefix: str = "change.") -> list[TimelineEntry]:
    """The timeline's entries of that kind, oldest first."""
    with database.reading() as tx:
        query = select(TimelineEntry).where(TimelineEntry.subscription_id == subscription_id)
        entries = tx.session.scalars(query.order_by(TimelineEntry.id)).all()
        return [entry for entry in entries if entry.event.startswith(prefix)]


def jobs_of(database: Database, change_id: int) -> list[Job]:
    """Its jobs, oldest first."""
    with database.reading() as tx:
        query = select(Job).where(Job.kind == "change.due", Job.key == str(change_id))
        return list(tx.session.scalars(query.order_by(Job.id)).all())


def count_rows(tx: Transaction, table: Any, subscription_id: int) -> int:
    found: int = tx.session.query(table).filter_by(subscription_id=subscription_id).count()
    return found
