"""Jobs for tests: handlers that exist for one test, rows in a given state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import func, select, update

from core.clock import system_clock
from core.database import Database
from core.job_queue import LEASE, Job, claim
from core.jobs import APART, HANDLERS, SCHEDULES, Handler, handles


@contextmanager
def registry() -> Iterator[None]:
    """What the block registers is forgotten at its end."""
    handlers, schedules, apart = dict(HANDLERS), dict(SCHEDULES), set(APART)
    try:
        yield
    finally:
        APART.intersection_update(apart)
        for table, saved in ((HANDLERS, handlers), (SCHEDULES, schedules)):
            table.clear()
            table.update(saved)  # type: ignore[arg-type]


@contextmanager
def handler(run: Handler, kind: str = "test.kind") -> Iterator[None]:
    """`run` handles that kind inside the block."""
    with registry():
        handles(kind)(run)
        yield


def make_job(database: Database, kind: str = "test.kind", key: str = "1", **options: object) -> int:
    """Enqueue one job in a transaction of its own; gives its id. `options` are those of `enqueue`."""
    with database.transaction() as tx:
        tx.enqueue(kind, key, **options)  # type: ignore[arg-type]
    with database.reading() as tx:
        found = tx.session.scalar(select(func.max(Job.id)).where(Job.kind == kind, Job.key == key))
    assert found is not None
    return found


def jobs_in(database: Database) -> list[Job]:
    """All jobs, oldest first."""
    with database.reading() as tx:
        return list(tx.session.scalars(select(Job).order_by(Job.id)))


def job_in(database: Database, job_id: int) -> Job:
    with database.reading() as tx:
        return tx.session.get_one(Job, job_id)


def change_job(database: Database, job_id: int, **values: object) -> None:
    with database.transaction() as tx:
        tx.session.execute(update(Job).where(Job.id == job_id).values(values))


def take(database: Database, job_id: int, ago: timedelta = timedelta(0)) -> Job | None:
    """Claim the job as a worker does that took it `ago` and was not heard of since."""
    with database.transaction() as tx:
        return claim(tx.session, job_id, tx.now, system_clock() - ago)


LONG_AGO = LEASE + timedelta(seconds=1)
"""So long that a lease taken then has run out."""
