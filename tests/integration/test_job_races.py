"""Real threads on both databases: a job is run once, and no wish for work is lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import event, func, select

from core.audit import AuditEntry
from core.database import Database, Transaction
from core.job_queue import Job
from core.jobs import run_job, sweep
from core.outcomes import Applied, Outcome
from core.runtime import Runtime
from tests.factories_core import PATIENCE, note, race
from tests.factories_jobs import handler, jobs_in, make_job

RACERS = 16
FACTS = select(func.count()).select_from(AuditEntry).where(AuditEntry.entity == "fact")


class Counting:
    """A handler that reads the facts again, as all of ours do; `seen` has what each run found."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, runtime: Runtime, _job: Job) -> Outcome:
        with runtime.database.reading() as tx:
            self.seen.append(tx.session.scalars(FACTS).one())
        return Applied()


def run_all(runtime: Runtime) -> None:
    """Run what is due until nothing is."""
    while found := sweep(runtime):
        for job_id in found:
            run_job(runtime, job_id)


def runner(runtime: Runtime, job_id: int) -> Callable[[int], Outcome | None]:
    """A racer that wants to run this job."""
    return lambda _racer: run_job(runtime, job_id)


def test_racing_workers_run_a_job_once(runtime: Runtime) -> None:
    runs: Counter[int] = Counter()

    def work(_runtime: Runtime, job: Job) -> Outcome:
        runs[job.id] += 1
        return Applied()

    with handler(work):
        for job_id in [make_job(runtime.database, key=str(number)) for number in range(5)]:
            outcomes = race(RACERS, runner(runtime, job_id))
            assert [outcome for outcome in outcomes if outcome is not None] == [Applied()]
    assert set(runs.values()) == {1}
    assert [job.runs for job in jobs_in(runtime.database)] == [1] * 5


def test_racing_workers_share_the_jobs(runtime: Runtime) -> None:
    jobs = [make_job(runtime.database, key=str(number)) for number in range(12)]
    counting = Counting()
    with handler(counting):
        race(RACERS, lambda racer: [run_job(runtime, job_id) for job_id in jobs[racer % 12 :] + jobs])
    assert len(counting.seen) == 12
    assert {job.status for job in jobs_in(runtime.database)} == {"done"}


def test_racing_wishes_for_the_same_work_are_one_job(runtime: Runtime) -> None:
    make_job(runtime.database)
    race(RACERS, lambda _racer: make_job(runtime.database))
    assert len(jobs_in(runtime.database)) == 1


def test_a_worker_that_comes_while_a_job_absorbs_work_sees_the_work(runtime: Runtime) -> None:
    """The absorbed row stays locked until its facts are committed: the worker waits, and then reads them."""
    job_id = make_job(runtime.database)
    absorbed, arriving = threading.Event(), threading.Event()
    counting = Counting()

    def hold_before_commit(_tx: Transaction) -> None:
        absorbed.set()
        assert arriving.wait(PATIENCE)
        threading.Event().wait(0.3)  # let the worker run into the lock; without one it would run past us

    def worker() -> None:
        assert absorbed.wait(PATIENCE)
        arriving.set()
        run_job(runtime, job_id)

    with handler(counting):
        thread = threading.Thread(target=worker)
        thread.start()
        with runtime.database.transaction() as tx:
            note(tx, "fact", "1")
            tx.enqueue("test.kind", "1")
            tx.at_commit("hold", hold_before_commit)
        thread.join(PATIENCE)
        run_all(runtime)
    assert [job.id for job in jobs_in(runtime.database)] == [job_id], "it was absorbed"
    assert counting.seen == [1]


def test_work_that_just_missed_a_job_gets_a_job_of_its_own(runtime: Runtime) -> None:
    """A worker claims the row after it was found and before it is locked. SQLite lets no worker in between."""
    job_id = make_job(runtime.database)
    counting = Counting()
    writer = threading.get_ident()
    claimed = threading.Event()

    def claim_in_between(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("UPDATE job") and threading.get_ident() == writer and not worker.is_alive():
            worker.start()
            claimed.wait(PATIENCE if runtime.database.dialect == "postgresql" else 0.3)

    def work() -> None:
        run_job(runtime, job_id)
        claimed.set()

    worker = threading.Thread(target=work)
    with handler(counting):
        event.listen(runtime.database.engine, "before_cursor_execute", claim_in_between)
        with runtime.database.transaction() as tx:
            note(tx, "fact", "1")
            tx.enqueue("test.kind", "1")
        event.remove(runtime.database.engine, "before_cursor_execute", claim_in_between)
        worker.join(PATIENCE)
        if runtime.database.dialect == "postgresql":
            assert counting.seen == [0], "the worker was first and could not see the fact"
            assert [job.status for job in jobs_in(runtime.database)] == ["done", "waiting"]
        run_all(runtime)
    assert counting.seen[-1] == 1


def test_no_wish_is_lost_in_a_crowd(runtime: Runtime) -> None:
    """Writers add facts and ask for the same work; workers do it. In the end the work was done with all facts known."""
    writers, rounds = 8, 12
    left = threading.Semaphore(0)
    counting = Counting()

    def write(database: Database, number: int) -> None:
        for round_number in range(rounds):
            with database.transaction() as tx:
                note(tx, "fact", f"{number}/{round_number}")
                tx.enqueue("test.kind", "1")
        left.release()

    def crowd(number: int) -> None:
        if number < writers:
            write(runtime.database, number)
            return
        while not left.acquire(blocking=False):
            for job in jobs_in(runtime.database):
                run_job(runtime, job.id)
        left.release()

    with handler(counting):
        race(writers + 4, crowd)
        run_all(runtime)
    assert max(counting.seen) == writers * rounds
    assert {job.status for job in jobs_in(runtime.database)} == {"done"}
