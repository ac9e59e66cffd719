"""The routine that gives notices, and their event; importing this module registers both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing_bridge.dunning.guards import restriction_hold
from billing_bridge.notices.commands import CHUNK, GIVEN, give_notices, preview_notices
from core.actor import Actor
from core.database import Transaction
from core.job_queue import Job
from core.jobs import handles
from core.outcomes import Applied, Outcome
from core.runtime import Runtime
from provisioning.routines.tasks import RoutineTask, TaskResult, register_task


@handles(GIVEN)
def announce_notice(_runtime: Runtime, _job: Job) -> Outcome:
    """A hook for whoever sends messages; here nothing follows from it."""
    return Applied("told to whoever listens")


def give_all_notices(runtime: Runtime, actor: Actor, _parameters: Mapping[str, Any]) -> TaskResult:
    """A chunk a transaction. While a guard holds restrictions back nobody is threatened with one either."""
    notices, subscriptions, after = 0, 0, 0
    while True:
        with runtime.database.transaction(actor) as tx:
            if hold := restriction_hold(tx):
                return TaskResult(_counts(notices, subscriptions), hold, "held")
            given = give_notices(tx, after=after)
        notices, subscriptions = notices + given.notices, subscriptions + given.subscriptions
        if given.last is None:
            return TaskResult(_counts(notices, subscriptions), f"{notices} notices to {subscriptions} subscriptions")
        after = given.last


def count_notices(tx: Transaction, _parameters: Mapping[str, Any]) -> TaskResult:
    """What a run would give now."""
    notices, subscriptions, after = 0, set(), 0
    while True:
        found, last = preview_notices(tx, limit=CHUNK, after=after)
        notices += len(found)
        subscriptions |= {notice.subscription_id for notice in found}
        if last is None:
            break
        after = last
    counts = _counts(notices, len(subscriptions))
    if hold := restriction_hold(tx):
        return TaskResult(counts, hold, "held")
    return TaskResult(counts, f"it would give {notices} notices to {len(subscriptions)} subscriptions")


def _counts(notices: int, subscriptions: int) -> dict[str, int]:
    return {"notices": notices, "subscriptions": subscriptions}


register_task(
    RoutineTask(
        "notify",
        "Give notice of what may be restricted",
        "Avisar sobre débitos antes da suspensão",
        give_all_notices,
        count_notices,
    )
)
