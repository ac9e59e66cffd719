"""The job that carries out a scheduled change."""

from __future__ import annotations

from core.actor import Actor
from core.database import Transaction
from core.errors import CatracaError, Unavailable
from core.job_queue import Job
from core.jobs import handles
from core.outcomes import Applied, Outcome, Retry
from core.runtime import Runtime
from provisioning.scheduled.changes import DUE, WAITING, carry_out, fail, get_change, lock_change
from provisioning.scheduled.models import ScheduledChange

TRIES = 5
"""How often an unforeseen error is tried again before the change has failed."""


@handles(DUE)
def carry_out_due(runtime: Runtime, job: Job) -> Outcome:
    """Carry out the change that is the job's key, if it still waits as it did when the job was written."""
    change_id, version = int(job.key), int(job.payload["version"])
    with runtime.database.reading() as tx:
        actor = _actor(get_change(tx, change_id))
    try:
        with runtime.database.transaction(actor) as tx:
            change = lock_change(tx, change_id)
            if (early := _not_now(tx, change, version)) is not None:
                return early
            carry_out(tx, change)
            return Applied(f"done: {change.result}")
    except Unavailable:
        raise
    except CatracaError as error:
        return _failed(runtime, actor, change_id, version, error.detail)
    except Exception as error:
        if job.failures < TRIES:
            raise
        return _failed(runtime, actor, change_id, version, f"{type(error).__name__}: {error}")


def _failed(runtime: Runtime, actor: Actor, change_id: int, version: int, reason: str) -> Outcome:
    """The attempt was undone; whoever edited or cancelled it since then has the last word."""
    with runtime.database.transaction(actor) as tx:
        change = lock_change(tx, change_id)
        if (early := _not_now(tx, change, version)) is not None:
            return early
        fail(tx, change, reason)
        return Applied(f"failed: {change.result}")


def _not_now(tx: Transaction, change: ScheduledChange, version: int) -> Outcome | None:
    """Why there is nothing to do (now); None: it is due."""
    if change.status != WAITING:
        return Applied(f"it is {change.status} already")
    if change.version != version:
        return Applied("it was edited since; another job does it")
    if change.due_at > tx.now:  # the clock stepped back, or somebody started the job by hand
        return Retry(change.due_at - tx.now, "it is not due yet")
    return None


def _actor(change: ScheduledChange) -> Actor:
    allowed = None if change.permissions is None else frozenset(change.permissions)
    return Actor(change.actor, "routine", f"change-{change.id}", allowed)
