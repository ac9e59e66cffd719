"""Work that runs in the background: expiries taking effect on routers, plans that changed, convergence."""

from __future__ import annotations

from sqlalchemy import select

from core.job_queue import Job
from core.jobs import every, handles
from core.outcomes import Applied, Outcome
from core.runtime import Runtime
from provisioning.convergence import converge
from provisioning.models import Subscription
from provisioning.refresh import CHUNK, refresh

__all__ = ["converge"]


@every(1.0, "service-changes", exclusive=False)
def apply_service_changes(runtime: Runtime) -> None:
    """Carry out what time alone has changed: a trust unblock or a custom speed that is over.

    RADIUS answers rightly at the instant itself; this step tells live sessions, and writes the timeline.
    """
    while True:
        with runtime.database.reading() as tx:
            due = tx.session.scalars(
                select(Subscription.id).where(Subscription.next_change_at <= tx.now).limit(CHUNK)
            ).all()
        if not due:
            return
        with runtime.database.transaction() as tx:
            refresh(tx, due)
        if len(due) < CHUNK:
            return


@handles("plan.changed")
def refresh_plan(runtime: Runtime, job: Job) -> Outcome:
    """Recompile every subscription of a plan, a chunk a transaction; a crash resumes with what is left."""
    count = refresh_all(runtime, plan_id=int(job.key))
    return Applied(f"{count} access records published")


def refresh_all(runtime: Runtime, *, plan_id: int | None = None, republish: bool = False) -> int:
    """Evaluate all subscriptions (of one plan) anew; gives how many records were published."""
    published, after = 0, 0
    while True:
        with runtime.database.transaction() as tx:
            query = select(Subscription.id).where(Subscription.id > after, Subscription.cancelled_at.is_(None))
            if plan_id is not None:
                query = query.where(Subscription.plan_id == plan_id)
            ids = tx.session.scalars(query.order_by(Subscription.id).limit(CHUNK)).all()
            if not ids:
                return published
            published += refresh(tx, ids, republish=republish)
        after = ids[-1]
