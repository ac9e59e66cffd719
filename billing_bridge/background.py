"""What billing does without being asked; importing this module registers it. Whoever runs a worker imports it."""

from __future__ import annotations

from typing import cast

from billing_bridge.cancelled_subscriptions import cancel_open_invoices
from billing_bridge.daily_dunning import owed_day, run_daily
from billing_bridge.dunning import CONTINUE, RUNNING, get_run, lock_run, order_chunk
from core.actor import Actor, Source
from core.job_queue import Job
from core.jobs import every, handles
from core.outcomes import Applied, Outcome
from core.runtime import Runtime

ROUTINE = Actor("daily-dunning", "routine")
FOLLOW_UP = Actor("billing", "system")


@every(20, "daily-dunning", exclusive=False)
def run_daily_dunning(runtime: Runtime) -> None:
    """Asks often, because the process may have been down at the hour; runs once a day."""
    with runtime.database.reading() as tx:
        if owed_day(tx) is None:
            return
    with runtime.database.transaction(ROUTINE) as tx:
        run_daily(tx)


@handles(CONTINUE)
def continue_dunning(runtime: Runtime, job: Job) -> Outcome:
    """The next chunk of the run that is the job's key, in the name of whoever started it."""
    with runtime.database.reading() as tx:
        run = get_run(tx, int(job.key))
        starter = Actor(run.actor, cast("Source", run.source))
    with runtime.database.transaction(starter) as tx:
        run = lock_run(tx, int(job.key))
        if run.status == RUNNING:
            order_chunk(tx, run)
        return Applied(f"{run.ordered} of {run.planned} ordered, {run.status}")


@handles("subscription.cancelled")
def follow_cancellation(runtime: Runtime, job: Job) -> Outcome:
    """Cancels the open invoices of the subscription where whoever cancelled it asked for that."""
    if not job.payload.get("cancel_open_invoices"):
        return Applied("open invoices stay")
    with runtime.database.transaction(FOLLOW_UP) as tx:
        cancelled = cancel_open_invoices(tx, int(job.payload["subscription_id"]))
        return Applied(f"{len(cancelled)} invoices cancelled")
