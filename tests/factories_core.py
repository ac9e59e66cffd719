"""Traces in the database for tests to count, and threads that race."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import select

from core.audit import AuditEntry
from core.database import Database, Transaction

Result = TypeVar("Result")
PATIENCE = 60.0
"""Seconds until a test that waits for another thread or process gives up; nothing is measured by it."""


def audit_of(database: Database, entity: str) -> list[AuditEntry]:
    """The audit trail of one kind of thing, oldest first."""
    with database.reading() as tx:
        return list(tx.session.scalars(select(AuditEntry).where(AuditEntry.entity == entity).order_by(AuditEntry.id)))


def note(tx: Transaction, entity: str, key: str) -> None:
    """Leave a trace that a test can count."""
    tx.audit("noted", entity, key)


def eventually(check: Callable[[], Result]) -> Result:
    """Ask again and again until the answer is true; gives it. Fails after a patience that no test should need."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {answer!r} after {PATIENCE:.0f} s")
        time.sleep(0.02)
    return answer


def race(count: int, attempt: Callable[[int], Result]) -> list[Result]:
    """Run `attempt(0)` … `attempt(count - 1)` in threads that start together; the first error is raised."""
    start = threading.Barrier(count)

    def run(number: int) -> Result:
        start.wait()
        return attempt(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))
