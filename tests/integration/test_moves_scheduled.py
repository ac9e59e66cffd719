"""Moves and the schedule: what is scheduled follows a migration, and moves can be scheduled."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core.database import Database
from provisioning.models import Subscription
from provisioning.moves.migration import start_migration
from provisioning.scheduled.changes import carry_out, get_change, lock_change, schedule_change
from tests.factories import ANA, make_plan, make_subscriber, make_subscription
from tests.ticking import FakeClock


def subscribed(database: Database) -> tuple[int, int]:
    """A subscription, and the plan that it is to move to."""
    with database.transaction(ANA) as tx:
        return make_subscription(tx).id, make_plan(tx).id


def test_what_is_scheduled_goes_over_but_for_custom_speeds(database: Database) -> None:
    old, plan = subscribed(database)
    with database.transaction(ANA) as tx:
        soon = tx.now + timedelta(days=1)
        speeds = {"download_bps": 10_000_000, "upload_bps": 10_000_000}
        kept = schedule_change(tx, subscription_id=old, action="cancel", due_at=soon).id
        left = schedule_change(tx, subscription_id=old, action="override-speed", due_at=soon, arguments=speeds).id
        new = start_migration(tx, subscription_id=old, plan_id=plan, immediate=True).id
    with database.reading() as tx:
        assert (get_change(tx, kept).subscription_id, get_change(tx, kept).status) == (new, "waiting")
        assert (get_change(tx, left).subscription_id, get_change(tx, left).status) == (old, "cancelled")


@pytest.mark.parametrize("immediate", [True, False])
def test_a_migration_can_be_scheduled(database: Database, clock: FakeClock, immediate: bool) -> None:
    old, plan = subscribed(database)
    with database.transaction(ANA) as tx:
        wanted = {"plan_id": plan, "immediate": immediate}
        due_at = tx.now + timedelta(days=1)
        change = schedule_change(tx, subscription_id=old, action="migrate", due_at=due_at, arguments=wanted).id
    clock.advance(days=1)
    with database.transaction(ANA) as tx:
        carry_out(tx, lock_change(tx, change))
        new = tx.session.scalars(select(Subscription).where(Subscription.migrates_from_id == old)).one()
        state = "ACTIVE" if immediate else "PENDING_MIGRATION"
        assert (get_change(tx, change).status, new.state) == ("done", state)
        assert get_change(tx, change).result == f"subscription {new.id} is {state}"


def test_a_transfer_can_be_scheduled(database: Database, clock: FakeClock) -> None:
    old, _ = subscribed(database)
    with database.transaction(ANA) as tx:
        wanted = {"subscriber_id": make_subscriber(tx).id}
        due_at = tx.now + timedelta(days=1)
        change = schedule_change(tx, subscription_id=old, action="transfer", due_at=due_at, arguments=wanted).id
    clock.advance(days=1)
    with database.transaction(ANA) as tx:
        carry_out(tx, lock_change(tx, change))
        assert tx.session.get_one(Subscription, old).subscriber_id == wanted["subscriber_id"]
        assert get_change(tx, change).status == "done"
