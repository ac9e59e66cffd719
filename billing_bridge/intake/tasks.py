"""What intake does without being asked: full comparisons by routine and by job, the watch over silent sources."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

import billing_bridge.gateways.hubsoft  # noqa: F401  (registers its feed)
from billing_bridge.intake.feed_health import watch_sources
from billing_bridge.intake.models import BillingSource, IntakeEvent
from billing_bridge.intake.receive import RECEIVED, apply_left_behind, purge_events, retry_unmatched
from billing_bridge.intake.reconcile import advance, connected
from billing_bridge.intake.runs import SYNC, start_run
from billing_bridge.intake.sources import list_sources
from core.actor import Actor
from core.database import Transaction
from core.errors import InvalidInput
from core.job_queue import Job
from core.jobs import every, handles
from core.outcomes import Applied, Outcome
from core.runtime import Runtime
from provisioning.routines.tasks import RoutineTask, TaskResult, register_task

STEPS_OF_A_JOB = 20
SECONDS_OF_A_JOB = 30.0
"""Well below a job's lease: one question with all its tries takes less than what is left."""
WATCH = Actor("intake", "system")


@handles(SYNC)
def go_on_comparing(runtime: Runtime, job: Job) -> Outcome:
    """The next steps of the run that is the job's key."""
    until = time.monotonic() + SECONDS_OF_A_JOB
    with connected(runtime, int(job.key)) as feed:
        for _ in range(STEPS_OF_A_JOB):
            if not advance(runtime, int(job.key), feed):
                return Applied("over")
            if time.monotonic() > until:
                break
    with runtime.database.transaction() as tx:
        tx.enqueue(SYNC, job.key)
    return Applied("goes on")


@every(600, "watch-billing-sources")
def watch(runtime: Runtime) -> None:
    with runtime.database.transaction(WATCH) as tx:
        watch_sources(tx)


@every(20, "apply-events-left-behind", exclusive=False)
def apply_late_events(runtime: Runtime) -> None:
    with runtime.database.reading() as tx:
        if tx.session.scalar(select(IntakeEvent.id).where(IntakeEvent.outcome == RECEIVED).limit(1)) is None:
            return
    with runtime.database.transaction(WATCH) as tx:
        apply_left_behind(tx)


@every(3600, "retry-unmatched-events")
def retry_hourly(runtime: Runtime) -> None:
    """A subscription may have been opened since; a source that pushes has no full comparison that would see it."""
    with runtime.database.transaction(WATCH) as tx:
        purge_events(tx)
        waiting = select(IntakeEvent.source_id).where(IntakeEvent.outcome == "unmatched").distinct()
        for source_id in tx.session.scalars(waiting.order_by(IntakeEvent.source_id)).all():
            retry_unmatched(tx, source_id=source_id)


def run_sync(runtime: Runtime, actor: Actor, parameters: Mapping[str, Any]) -> TaskResult:
    """Start a comparison with each source; jobs carry them out."""
    with runtime.database.transaction(actor) as tx:
        names = [source.name for source in _wanted(tx, parameters)]
        for source in _wanted(tx, parameters):
            start_run(tx, source_id=source.id)
    return TaskResult({"sources": len(names)}, ", ".join(names), "running" if names else "done")


def rehearse_sync(tx: Transaction, parameters: Mapping[str, Any]) -> TaskResult:
    names = [source.name for source in _wanted(tx, parameters)]
    return TaskResult({"sources": len(names)}, ", ".join(names))


def _wanted(tx: Transaction, parameters: Mapping[str, Any]) -> list[BillingSource]:
    asked = list(list_sources(tx, enabled=True, pulled=True))
    wanted = parameters.get("source")
    if wanted in (None, ""):
        return asked
    named = [source for source in asked if str(wanted) in (source.name, str(source.id))]
    if not named:
        raise InvalidInput("source", "the id or name of a source that is enabled and is asked", "HubSoft")
    return named


SYNC_TASK = register_task(
    RoutineTask(
        name="sync",
        words="Compare with the billing sources",
        palavras="Sincronizar com as fontes de cobrança",
        run=run_sync,
        rehearse=rehearse_sync,
        parameters={"source": "the id or name of one source; absent: all that are enabled and are asked"},
    )
)
