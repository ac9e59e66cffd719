"""Running what the outbox holds: a registry of handlers, and one way to run a job.

A handler takes the runtime and the job, reads the facts again and returns an outcome. It must be idempotent: a
crash between its work and the commit of its outcome runs it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from core.clock import system_clock
from core.job_queue import Job, claim, due_jobs, free_claims, mark_announced, purge_done
from core.leases import forget_leases, hold_lease
from core.logs import get_logger
from core.outcomes import Applied, Outcome, Refused, Retry
from core.patience import persist
from core.redaction import redact_text

if TYPE_CHECKING:
    from core.runtime import Runtime

Handler = Callable[["Runtime", Job], Outcome]
Periodic = Callable[["Runtime"], None]
log = get_logger("core.jobs")

LONGEST_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True)
class Schedule:
    name: str
    seconds: float
    run: Periodic
    exclusive: bool


HANDLERS: dict[str, Handler] = {}
APART: set[str] = set()
"""Kinds that wait for other machines; see `core.apart`."""
SCHEDULES: dict[str, Schedule] = {}


def handles(kind: str, *, apart: bool = False) -> Callable[[Handler], Handler]:
    """Register the handler of a kind of job, or of a past-tense event.

    `apart`: it may wait long for another machine, so it runs in threads of its own and takes no slot of the worker's.
    """

    def register(handler: Handler) -> Handler:
        if kind in HANDLERS and HANDLERS[kind] is not handler:
            raise ValueError(f"two handlers for job kind {kind}")
        HANDLERS[kind] = handler
        if apart:
            APART.add(kind)
        return handler

    return register


def every(seconds: float, name: str, *, exclusive: bool = True) -> Callable[[Periodic], Periodic]:
    """Register work that beat starts every `seconds`.

    `exclusive`: two never run at once, on any number of hosts; the lease costs two commits a run. Work that is safe
    beside itself and usually finds nothing to do goes without.
    """

    def register(run: Periodic) -> Periodic:
        SCHEDULES[name] = Schedule(name, seconds, run, exclusive)
        return run

    return register


def runs_apart(runtime: Runtime, job_id: int) -> bool:
    """Whether the job is of a kind that runs apart; a job that is gone is not."""
    if not APART:
        return False
    with runtime.database.reading() as tx:
        return tx.session.scalar(select(Job.kind).where(Job.id == job_id)) in APART


def run_job(runtime: Runtime, job_id: int) -> Outcome | None:
    """Claim the job, run it, write down how it ended. None: somebody else has it, or it is done."""
    with runtime.database.transaction() as tx:
        job = claim(tx.session, job_id, tx.now, system_clock())
    if job is None:
        return None
    outcome = _attempt(runtime, job)
    persist(lambda: _conclude(runtime, job, outcome), job.lease_until or system_clock())
    return outcome


def _attempt(runtime: Runtime, job: Job) -> Outcome:
    handler = HANDLERS.get(job.kind)
    if handler is None:
        return Refused(f"no handler for {job.kind} is installed")
    try:
        return handler(runtime, job)
    except Exception as error:
        log.exception("job failed", kind=job.kind, key=job.key, runs=job.runs)
        return Retry(backoff(job.failures), f"{type(error).__name__}: {error}")


def backoff(failures: int) -> timedelta:
    """1, 2, 4, … seconds, at most ten minutes."""
    return min(timedelta(seconds=2 ** min(failures, 16)), LONGEST_PAUSE)


def _conclude(runtime: Runtime, job: Job, outcome: Outcome) -> None:
    with runtime.database.transaction() as tx:
        row = tx.session.get(Job, job.id, with_for_update=True)
        if row is None or row.runs != job.runs:
            return  # our lease ran out and somebody else took over
        row.lease_until = None
        match outcome:
            case Applied(detail=detail):
                row.status, row.done_at, row.detail, row.failures = "done", tx.now, redact_text(detail), 0
            case Refused(reason=reason):
                row.status, row.done_at, row.detail = "refused", tx.now, redact_text(reason)
            case Retry(after=after, reason=reason):
                row.status, row.due_at, row.detail = "waiting", tx.now + after, redact_text(reason)
                row.failures += 1


def sweep(runtime: Runtime) -> list[int]:
    """Ids of jobs that wait for a worker, to be announced: covers lost messages, crashes and a flushed broker."""
    real_now = system_clock()
    with runtime.database.reading() as tx:
        found = due_jobs(tx.session, tx.now, real_now)
    if found:
        with runtime.database.transaction() as tx:
            mark_announced(tx.session, found, real_now)
    return found


def take_over(runtime: Runtime) -> None:
    """Free every claim and lease that an earlier life left behind, instead of waiting until they run out.

    Only for a worker that knows that nobody else works on this database.
    """
    with runtime.database.transaction() as tx:
        free_claims(tx.session)
        forget_leases(tx.session)


def run_periodic(runtime: Runtime, name: str) -> bool:
    """Run one schedule unless it is running somewhere already; says whether it ran."""
    schedule = SCHEDULES[name]
    if not schedule.exclusive:
        schedule.run(runtime)
        return True
    with hold_lease(runtime.database, f"periodic:{name}", timedelta(minutes=10)) as held:
        if held:
            schedule.run(runtime)
        return held


@every(3600, "purge-finished-jobs")
def purge_finished_jobs(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        purge_done(tx.session, tx.now)
