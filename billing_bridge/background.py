"""What billing does without being asked; importing this module registers it. Whoever runs a worker imports it."""

from __future__ import annotations

from typing import cast

from billing_bridge.cancelled_subscriptions import follow_up
from billing_bridge.dunning.work import CONTINUE, continue_run, get_run
from core.actor import Actor, Source
from core.job_queue import Job
from core.jobs import handles
from core.outcomes import Applied, Outcome
from core.runtime import Runtime

FOLLOW_UP = Actor("billing", "system")


@handles(CONTINUE)
def continue_dunning(runtime: Runtime, job: Job) -> Outcome:
    """The next step of the run that is the job's key, in the name of whoever started or approved it."""
    with runtime.database.reading() as tx:
        run = get_run(tx, int(job.key))
        starter = Actor(run.decided_by or run.actor, cast("Source", run.source))
    with runtime.database.transaction(starter) as tx:
        run = continue_run(tx, int(job.key))
        return Applied(f"{run.ordered} of {run.planned} ordered, {run.status}")


@handles("subscription.cancelled")
def follow_cancellation(runtime: Runtime, job: Job) -> Outcome:
    """Cancels open invoices and charges a fine, where whoever cancelled the subscription asked for that."""
    with runtime.database.transaction(FOLLOW_UP) as tx:
        done = follow_up(
            tx,
            int(job.payload["subscription_id"]),
            cancel_invoices=bool(job.payload.get("cancel_open_invoices")),
            fine_cents=int(job.payload.get("fine_cents") or 0),
            protocol=str(job.payload.get("protocol") or ""),
        )
        return Applied(done)
