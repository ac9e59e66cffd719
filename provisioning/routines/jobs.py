"""The routines' alarm clock, and the job that carries out one run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from core.actor import Actor
from core.errors import CatracaError, Unavailable
from core.job_queue import Job
from core.jobs import every, handles
from core.leases import hold_lease
from core.logs import get_logger
from core.outcomes import Applied, Outcome, Retry
from core.redaction import redact_text
from core.runtime import Runtime
from provisioning.routines.commands import task_named
from provisioning.routines.models import RoutineRun
from provisioning.routines.runs import (
    BY_HAND,
    FAILED,
    RUN,
    RUNNING,
    claim_slot,
    conclude,
    due_routines,
    get_run,
)
from provisioning.routines.seeds import missing_seeds, seed_routines
from provisioning.routines.tasks import TaskResult

SCHEDULER = Actor("routines", "routine")
TRIES = 5
"""How often a run begins anew while the database is out of reach."""
LONGEST = timedelta(minutes=10)
log = get_logger("provisioning.routines.jobs")


@every(5, "routines", exclusive=False)
def tick(runtime: Runtime) -> None:
    """Claim the slots that came; often, because the process may have been down at the hour."""
    with runtime.database.reading() as tx:
        unseeded, due = missing_seeds(tx), due_routines(tx)
    if unseeded:
        with runtime.database.transaction(SCHEDULER) as tx:
            seed_routines(tx)
    for routine_id in due:
        try:
            with runtime.database.transaction(SCHEDULER) as tx:
                claim_slot(tx, routine_id)
        except Unavailable:
            raise
        except Exception:
            log.exception("the slot of a routine could not be claimed", routine=routine_id)  # the others go on


@handles(RUN)
def run_routine(runtime: Runtime, job: Job) -> Outcome:
    """Carry out the run that is the job's key, unless it has ended. A crash in between carries it out again."""
    with hold_lease(runtime.database, f"routine-run:{job.key}", LONGEST) as held:
        if not held:  # a run that outlives its job's lease is still at work
            return Retry(timedelta(seconds=30), "the run goes on elsewhere")
        return _run(runtime, int(job.key), job.failures)


def _run(runtime: Runtime, run_id: int, failures: int) -> Outcome:
    with runtime.database.reading() as tx:
        run = get_run(tx, run_id)
        name, parameters = run.routine.task, dict(run.routine.parameters)
        if run.status != RUNNING or run.finished_at is not None:
            return Applied(f"it has ended already: {run.status}")
    actor = _actor(run)
    result = _carried_out(runtime, actor, name, parameters, last_try=failures >= TRIES)
    with runtime.database.transaction(actor) as tx:
        run = conclude(tx, run_id, result)
        return Applied(f"{run.status}: {run.detail}")


def _actor(run: RoutineRun) -> Actor:
    """In whose name the task works; who pressed the button stands before the routine."""
    name = f"routine {run.routine_id} {run.routine.description}"
    name = f"{run.actor}: {name}" if run.trigger == BY_HAND else name
    return Actor(name[:120], "routine", request_id=f"routine-run-{run.id}")


def _carried_out(
    runtime: Runtime, actor: Actor, name: str, parameters: Mapping[str, Any], *, last_try: bool
) -> TaskResult:
    try:
        return task_named(name).run(runtime, actor, parameters)
    except Unavailable as error:
        if not last_try:
            raise
        return TaskResult(detail=error.detail, status=FAILED)
    except CatracaError as error:
        return TaskResult(detail=error.detail, status=FAILED)
    except Exception as error:
        log.exception("routine failed", task=name, actor=actor.name)
        return TaskResult(detail=redact_text(f"{type(error).__name__}: {error}")[:2000], status=FAILED)
