"""Routines for tests: tasks that exist for one test, ticks, runs in a given state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select

from core.actor import Actor
from core.database import Database, Transaction
from core.job_queue import Job
from core.jobs import run_job, sweep
from core.runtime import Runtime
from provisioning.routines.commands import add_routine
from provisioning.routines.jobs import tick
from provisioning.routines.models import Routine, RoutineRun
from provisioning.routines.tasks import TASKS, RoutineTask, TaskResult, register_task

TASK = "test-task"


class Chore:
    """A task that writes down who ran it with what; it ends as `result` says, or raises `error`."""

    def __init__(self, result: TaskResult | None = None, error: Exception | None = None) -> None:
        self.runs: list[tuple[Actor, Mapping[str, Any]]] = []
        self.result = result or TaskResult({"counted": 3}, "three counted")
        self.error = error

    def run(self, _runtime: Runtime, actor: Actor, parameters: Mapping[str, Any]) -> TaskResult:
        self.runs.append((actor, parameters))
        if self.error is not None:
            raise self.error
        return self.result

    def rehearse(self, _tx: Transaction, parameters: Mapping[str, Any]) -> TaskResult:
        return TaskResult({"would": len(parameters)}, "nothing was changed")


@contextmanager
def known(chore: Chore, name: str = TASK) -> Iterator[Chore]:
    """The task exists inside the block, with the parameters `city` and `days`."""
    before = dict(TASKS)
    parameters = {"city": "a city's name", "days": "a whole number"}
    register_task(RoutineTask(name, "A test", "Um teste", chore.run, chore.rehearse, parameters))
    try:
        yield chore
    finally:
        TASKS.clear()
        TASKS.update(before)


def make_routine(database: Database, **values: Any) -> int:
    """A routine of the test's task, daily at 06:00 unless told otherwise; gives its id."""
    given = {"description": "Suspensão diária", "task": TASK, "hours": [6], "minutes": [0], **values}
    with database.transaction(Actor("ana", "api")) as tx:
        return add_routine(tx, **given).id


def carry_out(runtime: Runtime, kind: str = "routine.run") -> list[str]:
    """Run the jobs of a kind that are due, and those that they write; gives how they ended."""
    details: list[str] = []
    while due := _due(runtime, kind):
        details += [getattr(run_job(runtime, job_id), "detail", "") for job_id in due]
    return details


def tick_and_run(runtime: Runtime) -> list[str]:
    """What a worker does at one beat."""
    tick(runtime)
    return carry_out(runtime)


def runs_of(database: Database, routine_id: int) -> list[RoutineRun]:
    """Oldest first."""
    with database.reading() as tx:
        query = select(RoutineRun).where(RoutineRun.routine_id == routine_id).order_by(RoutineRun.id)
        return list(tx.session.scalars(query).all())


def routine_in(database: Database, routine_id: int) -> Routine:
    with database.reading() as tx:
        return tx.session.get_one(Routine, routine_id)


def _due(runtime: Runtime, kind: str) -> list[int]:
    with runtime.database.reading() as tx:
        mine = set(tx.session.scalars(select(Job.id).where(Job.kind == kind)))
    return [job_id for job_id in sweep(runtime) if job_id in mine]
