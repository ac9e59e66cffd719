"""A database that goes away while something is held: what was held is given back as soon as it is there again."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from core import jobs
from core.clock import system_clock
from core.database import Database
from core.errors import Unavailable
from core.job_queue import Job, claim
from core.jobs import run_job, take_over
from core.leases import Lease, hold_lease
from core.outcomes import Applied, Outcome
from core.patience import persist
from core.runtime import Runtime
from tests.outage import outage

MINUTES = timedelta(minutes=2)
DEADLINE = 60.0


def through_an_outage(database: Database, table: str, held: threading.Event, go_on: threading.Event) -> None:
    """Take the database away between `held` and what follows `go_on`."""
    assert held.wait(DEADLINE)
    with outage(database, table):
        go_on.set()
        go_on.wait()
        threading.Event().wait(0.3)  # long enough for the first try to fail; if it is not, the test proves less


def test_a_lease_is_given_back(database: Database) -> None:
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with hold_lease(database, "nas:1", MINUTES) as mine:
            assert mine
            held.set()
            go_on.wait(DEADLINE)

    thread = threading.Thread(target=hold)
    thread.start()
    through_an_outage(database, "lease", held, go_on)
    thread.join(DEADLINE)
    with hold_lease(database, "nas:1", MINUTES) as mine:
        assert mine


def test_a_job_is_concluded(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    held, go_on = threading.Event(), threading.Event()

    def handler(_runtime: Runtime, _job: Job) -> Outcome:
        held.set()
        go_on.wait(DEADLINE)
        return Applied("done all the same")

    monkeypatch.setitem(jobs.HANDLERS, "test.slow", handler)
    job = enqueued(runtime.database)
    thread = threading.Thread(target=run_job, args=(runtime, job.id))
    thread.start()
    through_an_outage(runtime.database, "job", held, go_on)
    thread.join(DEADLINE)
    with runtime.database.reading() as tx:
        row = tx.session.get_one(Job, job.id)
        assert (row.status, row.detail, row.lease_until) == ("done", "done all the same", None)


@pytest.mark.parametrize("wait", [timedelta(0), timedelta(seconds=-1)], ids=["over now", "over"])
def test_nobody_insists_when_the_time_has_run_out(wait: timedelta) -> None:
    tries: list[int] = []

    def write() -> None:
        tries.append(1)
        raise Unavailable("gone")

    with pytest.raises(Unavailable):
        persist(write, system_clock() + wait)
    assert tries == [1]


def test_a_worker_that_is_alone_takes_over_what_a_dead_one_held(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(jobs.HANDLERS, "test.slow", lambda _runtime, _job: Applied())
    job = enqueued(runtime.database)
    die_holding(runtime, job.id)
    assert run_job(runtime, job.id) is None, "it is claimed"
    with hold_lease(runtime.database, "nas:1", MINUTES) as mine:
        assert not mine
    take_over(runtime)
    assert jobs.sweep(runtime) == [job.id]
    assert run_job(runtime, job.id) == Applied()
    with hold_lease(runtime.database, "nas:1", MINUTES) as mine:
        assert mine


def enqueued(database: Database) -> Job:
    with database.transaction() as tx:
        tx.enqueue("test.slow", "1")
    with database.reading() as tx:
        return tx.session.scalars(select(Job)).one()


def die_holding(runtime: Runtime, job_id: int) -> None:
    """Claim the job and the lease of a NAS, and do no more."""
    with runtime.database.transaction() as tx:
        assert claim(tx.session, job_id, tx.now, system_clock())
        tx.session.add(Lease(name="nas:1", holder="the dead one", until=system_clock() + MINUTES))
