"""The outbox: what is waiting to be done, what was refused, and doing it again."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Instant, PathKey
from api.models import Page, View, columns
from api.paging import Pages
from api.requests import read, write
from core.database import Transaction
from core.errors import NotAllowed
from core.job_queue import Job
from core.rows import get_row

router = APIRouter(prefix="/api/v1/jobs", tags=["job"])
JobId = Annotated[PathKey, Path(description="The job's id", examples=[41])]
Status = Literal["waiting", "running", "done", "refused"]


class JobView(View):
    model_config = columns("id", "kind", "key", "status", "due_at", "runs", "detail")

    id: int = Field(description="The job's id", examples=[41])
    kind: str = Field(description="What is to be done, or what has happened", examples=["session.changed"])
    key: str = Field(description="To what", examples=["3"])
    status: Status = Field(description="waiting, running, done or refused", examples=["waiting"])
    created_at: Instant = Field(description="When it was put into the outbox", examples=["2026-03-02T12:00:00Z"])
    due_at: Instant = Field(description="Not to be started before", examples=["2026-03-02T12:00:00Z"])
    done_at: Instant | None = Field(description="When it ended", examples=["2026-03-02T12:00:01Z"])
    runs: int = Field(description="How often it was started", examples=[1])
    failures: int = Field(description="How often it failed since it last worked", examples=[0])
    detail: str = Field(description="How its last run ended", examples=["the NAS did not answer in 3 tries"])


@router.get("", operation_id="job.list", summary="The jobs, newest first")
def list_jobs(
    pages: Pages,
    status: Annotated[Status | None, Query(description="Only in this status", examples=["refused"])] = None,
    kind: Annotated[
        str | None, Query(max_length=64, description="Only this kind", examples=["session.changed"])
    ] = None,
) -> Page[JobView]:
    wanted = select(Job)
    if status is not None:
        wanted = wanted.where(Job.status == status)
    if kind is not None:
        wanted = wanted.where(Job.kind == kind)
    return pages.of(wanted, Job.id, JobView.of, newest_first=True)


@router.get("/{job_id}", operation_id="job.show", summary="One job")
def show(request: Request, job_id: JobId) -> JobView:
    return read(request, lambda tx: JobView.of(_get(tx, job_id)))


@router.post("/{job_id}/retry", operation_id="job.retry", summary="Start a waiting or refused job now")
def retry(request: Request, job_id: JobId) -> JobView:
    return write(request, lambda tx: JobView.of(_retry(tx, job_id)))


def _retry(tx: Transaction, job_id: int) -> Job:
    job = _get(tx, job_id)
    if job.status not in ("waiting", "refused"):
        raise NotAllowed(
            f"the job is {job.status}; only a waiting or refused one can be started", status_now=job.status
        )
    before = {"status": job.status, "due_at": job.due_at}
    job.status, job.due_at, job.done_at = "waiting", tx.now, None
    tx.session.flush()
    tx.audit("retried", "job", job.id, before=before, after={"status": job.status, "due_at": job.due_at})
    return job


def _get(tx: Transaction, job_id: int) -> Job:
    return get_row(tx, Job, job_id, "job")
