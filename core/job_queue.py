"""The outbox: rows in `job` are the queue, a broker is only the alarm clock.

A row is written in the transaction of the change that wants it. Whoever claims it (one UPDATE, the row count
decides) holds a lease; a crash lets the lease run out, and the sweep finds the row again. Leases are measured
with the machine's own time, because they are about processes being alive; due dates with the product's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, Integer, String, Text, delete, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.columns import Id, JsonDict, UtcDateTime
from core.tables import Base

LEASE = timedelta(seconds=120)
REMIND = timedelta(seconds=10)
"""How long the sweep leaves a job alone that it has just announced: else a busy hour would flood the broker."""
KEEP_DONE = timedelta(days=7)


class Job(Base):
    """`status`: waiting, running, done or refused. `runs` counts claims; `announced_at` is the sweep's note."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_due", "status", "due_at"), Index("ix_job_key", "kind", "key", "status"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(128), default="")
    payload: Mapped[dict[str, Any]] = mapped_column(JsonDict, default=dict)
    status: Mapped[str] = mapped_column(String(16), default="waiting")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    announced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    runs: Mapped[int] = mapped_column(Integer, default=0)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    detail: Mapped[str] = mapped_column(Text, default="")
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Enqueued:
    kind: str
    key: str
    due_at: datetime
    payload: dict[str, Any] = field(default_factory=dict)


def flush_jobs(session: Session, wanted: Sequence[Enqueued], now: datetime) -> list[int]:
    """Write the jobs, in one order for all transactions; gives the ids of those due now."""
    due: dict[int, None] = {}
    for item in sorted(wanted, key=lambda item: (item.kind, item.key, item.due_at)):
        job_id = _put(session, item, now)
        if item.due_at <= now:
            due[job_id] = None
    return list(due)


def _put(session: Session, item: Enqueued, now: datetime) -> int:
    if item.key and not item.payload and (waiting := _absorb(session, item, now)):
        return waiting
    job = Job(kind=item.kind, key=item.key, payload=item.payload, created_at=now, due_at=item.due_at)
    session.add(job)
    session.flush()
    return job.id


def _absorb(session: Session, item: Enqueued, now: datetime) -> int | None:
    """Let a waiting job of the same kind and key do this work too; its row stays locked until we commit.

    The lock is the point: a worker that is about to claim the row waits for our commit and then reads our facts;
    one that claimed before us makes the row count 0, and the work gets a row of its own.
    """
    waiting = session.execute(
        select(Job.id, Job.due_at, Job.runs, Job.payload)
        .where(Job.kind == item.kind, Job.key == item.key, Job.status == "waiting")
        .order_by(Job.due_at, Job.id)
    )
    for job_id, due_at, runs, payload in waiting.all():
        if not payload and _serves(item, now, due_at, runs):
            locked = update(Job).where(Job.id == job_id, Job.status == "waiting", Job.due_at == due_at)
            if _rows(session.execute(locked.values(due_at=min(due_at, item.due_at)))):
                return int(job_id)
    return None


def _serves(item: Enqueued, now: datetime, due_at: datetime, runs: int) -> bool:
    """Whether a row due at `due_at` does the item's work and still its own.

    What is due now is done by any row that is due, and cuts short the pause of one that will try again. A row that
    waits for its own hour keeps it: moved forward it would be missed then, and one due earlier would see too little.
    """
    return due_at == item.due_at or (item.due_at <= now and (due_at <= now or runs > 0))


def claim(session: Session, job_id: int, now: datetime, real_now: datetime) -> Job | None:
    """Take the job for one lease, or None when it is done, not due or in somebody else's hands."""
    taken = session.execute(
        update(Job)
        .where(
            Job.id == job_id,
            Job.status.in_(("waiting", "running")),
            Job.due_at <= now,
            or_(Job.lease_until.is_(None), Job.lease_until < real_now),
        )
        .values(status="running", lease_until=real_now + LEASE, announced_at=None, runs=Job.runs + 1)
    )
    return session.get(Job, job_id, populate_existing=True) if _rows(taken) else None


def due_jobs(session: Session, now: datetime, real_now: datetime, limit: int = 200) -> list[int]:
    """Jobs that somebody should be woken for: due, leased by nobody alive, and not announced a moment ago."""
    return list(
        session.scalars(
            select(Job.id)
            .where(
                Job.status.in_(("waiting", "running")),
                Job.due_at <= now,
                or_(Job.lease_until.is_(None), Job.lease_until < real_now),
                or_(Job.announced_at.is_(None), Job.announced_at < real_now - REMIND),
            )
            .order_by(Job.due_at, Job.id)
            .limit(limit)
        )
    )


def mark_announced(session: Session, job_ids: Sequence[int], real_now: datetime) -> None:
    """Note that a wake-up went out; a claim takes the note off again."""
    free = or_(Job.lease_until.is_(None), Job.lease_until < real_now)
    session.execute(update(Job).where(Job.id.in_(job_ids), free).values(announced_at=real_now))


def free_claims(session: Session) -> None:
    """End the lease of every claimed job and take back what was announced: the sweep finds them at once."""
    held = or_(Job.lease_until.is_not(None), Job.announced_at.is_not(None))
    session.execute(update(Job).where(held).values(lease_until=None, announced_at=None))


def purge_done(session: Session, now: datetime) -> int:
    """Forget finished jobs after a week; refused ones stay as long, for the NOC to see."""
    gone = session.execute(delete(Job).where(Job.status.in_(("done", "refused")), Job.done_at < now - KEEP_DONE))
    return _rows(gone)


def _rows(result: Any) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0
