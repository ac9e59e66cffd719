"""Rows of the core for tests, and threads that race."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import func, select

from core.audit import AuditEntry
from core.database import Database, Transaction
from core.job_queue import Job

Result = TypeVar("Result")
PATIENCE = 60.0
"""Seconds until a test that waits for another thread or process gives up; nothing is measured by it."""


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


def audit_of(database: Database, entity: str) -> list[AuditEntry]:
    """The audit trail of one kind of thing, oldest first."""
    with database.reading() as tx:
        return list(tx.session.scalars(select(AuditEntry).where(AuditEntry.entity == entity).order_by(AuditEntry.id)))


def note(tx: Transaction, entity: str, key: str) -> None:
    """Leave a trace that a test can count."""
    tx.audit("noted", entity, key)


def race(count: int, attempt: Callable[[int], Result]) -> list[Result]:
    """Run `attempt(0)` … `attempt(count - 1)` in threads that start together; the first error is raised."""
    start = threading.Barrier(count)

    def run(number: int) -> Result:
        start.wait()
        return attempt(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))
