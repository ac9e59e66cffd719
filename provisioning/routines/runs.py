"""Running routines: claiming slots, carrying out the task, writing down how it went.

A slot is claimed by inserting its run, in the transaction that moves the routine's `next_at` on and puts the job into
the outbox: the unique key of routine and slot lets one scheduler have it, and a crash behind the claim leaves a job
that runs. Of slots that were missed the newest is run, once; `missed` says how many older ones were left out. Where
the clock has stepped back, no slot up to the last one comes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError

from core.alarms import end_alarm, raise_alarm
from core.database import Transaction
from core.errors import NotAllowed
from core.logs import get_logger
from core.redaction import redact_text
from core.rows import get_row, lock_row
from provisioning.routines.commands import following, get_routine, lock_routine, schedule_of, task_named
from provisioning.routines.models import Routine, RoutineRun
from provisioning.routines.schedule import slots_between
from provisioning.routines.tasks import TaskResult

RUN = "routine.run"
RUNNING, DONE, WAITING, HELD, FAILED, SKIPPED = "running", "done", "waiting", "held", "failed", "skipped"
STATUSES = (RUNNING, DONE, WAITING, HELD, FAILED, SKIPPED)
BY_SCHEDULE, BY_HAND = "schedule", "hand"
ALARM = "routine-failed"
LOST_AFTER = timedelta(days=1)
"""A run that has not ended for this long does not end any more, and keeps no other back."""
CLOCK_WAS_WRONG = timedelta(days=1)
"""A last slot this far ahead was claimed by a clock that has been mended since; waiting for it would be silence."""
log = get_logger("provisioning.routines.runs")


def due_routines(tx: Transaction) -> Sequence[int]:
    """The ids of routines that have a slot to be claimed."""
    wrong = Routine.last_slot_at > tx.now + CLOCK_WAS_WRONG
    query = select(Routine.id).where(Routine.enabled, or_(Routine.next_at <= tx.now, wrong))
    return tx.session.scalars(query.order_by(Routine.id)).all()


def claim_slot(tx: Transaction, routine_id: int) -> RoutineRun | None:
    """Claim the routine's newest slot up to now and ask for its run; None when there is none, or another has it."""
    due = Routine.enabled & (Routine.next_at <= tx.now)
    query = select(Routine).where(Routine.id == routine_id, due | (Routine.last_slot_at > tx.now + CLOCK_WAS_WRONG))
    routine = tx.session.scalar(query.with_for_update(), execution_options={"populate_existing": True})
    if routine is None:
        return None
    slots = _owed(tx, routine)
    routine.next_at = following(tx, routine)
    routine.last_slot_at = slots[-1] if slots else _trusted(tx, routine.last_slot_at)
    tx.session.flush()
    return _claimed(tx, routine, slots) if slots else None


def run_now(tx: Transaction, *, routine_id: int) -> RoutineRun:
    """Run it at once, whatever its hours say. NotAllowed while a run of it goes on."""
    routine = lock_routine(tx, routine_id)
    task_named(routine.task)
    if going_on := _going_on(tx, routine):
        raise NotAllowed(
            f"run {going_on.id} of routine {routine_id} began at {going_on.started_at:%Y-%m-%d %H:%M} UTC and goes on; "
            "wait until it has ended",
            run_id=going_on.id,
        )
    run = _begin(tx, routine, BY_HAND)
    tx.audit("run", "routine", routine_id, after={"run": run.id, "task": routine.task})
    return run


def rehearse(tx: Transaction, *, routine_id: int) -> TaskResult:
    """The counts that a run would have now; changes nothing."""
    routine = get_routine(tx, routine_id)
    return task_named(routine.task).rehearse(tx, routine.parameters)


def conclude(tx: Transaction, run_id: int, result: TaskResult) -> RoutineRun:
    """Write down how the run went; one that has ended already is left alone. A failure is an alarm until a good run."""
    run = _locked_run(tx, run_id)
    if run.status != RUNNING or run.finished_at is not None:
        return run
    run.status = result.status if result.status in STATUSES else DONE
    run.finished_at, run.counts, run.detail = tx.now, dict(result.counts), redact_text(result.detail)
    subject = str(run.routine_id)
    if run.status == FAILED:
        raise_alarm(tx, ALARM, subject, detail=f"{run.routine.description}: {run.detail}")
    elif run.status in (DONE, WAITING, RUNNING):
        end_alarm(tx, ALARM, subject, note=f"run {run.id} ended well")
    tx.session.flush()
    return run


def get_run(tx: Transaction, run_id: int) -> RoutineRun:
    return get_row(tx, RoutineRun, run_id, "run of a routine")


def list_runs(tx: Transaction, *, routine_id: int, limit: int = 100) -> Sequence[RoutineRun]:
    """Newest first."""
    query = select(RoutineRun).where(RoutineRun.routine_id == routine_id)
    return tx.session.scalars(query.order_by(RoutineRun.id.desc()).limit(limit)).all()


def last_runs(tx: Transaction, routine_ids: Sequence[int]) -> dict[int, RoutineRun]:
    """The newest run of each routine that has one."""
    newest = (
        select(func.max(RoutineRun.id)).where(RoutineRun.routine_id.in_(routine_ids)).group_by(RoutineRun.routine_id)
    )
    return {run.routine_id: run for run in tx.session.scalars(select(RoutineRun).where(RoutineRun.id.in_(newest)))}


def _owed(tx: Transaction, routine: Routine) -> list[datetime]:
    """The slots from the one that is due up to now that come behind the last one."""
    if routine.next_at is None:
        return []
    behind = routine.next_at - timedelta(microseconds=1)
    if (last := _trusted(tx, routine.last_slot_at)) is not None:
        behind = max(behind, last)
    return list(slots_between(schedule_of(routine), behind, tx.now, tx.settings.timezone))


def _trusted(tx: Transaction, last_slot_at: datetime | None) -> datetime | None:
    return None if last_slot_at is None or last_slot_at > tx.now + CLOCK_WAS_WRONG else last_slot_at


def _claimed(tx: Transaction, routine: Routine, slots: Sequence[datetime]) -> RoutineRun | None:
    going_on = _going_on(tx, routine)
    try:
        with tx.session.begin_nested():
            if going_on is None:
                return _begin(tx, routine, BY_SCHEDULE, slots[-1], len(slots) - 1)
            return _skip(tx, routine, going_on, slots[-1], len(slots) - 1)
    except IntegrityError:
        return None  # that slot was run already


def _going_on(tx: Transaction, routine: Routine) -> RoutineRun | None:
    """The run of the routine that has not ended; one that is lost is closed on the way."""
    query = select(RoutineRun).where(
        RoutineRun.routine_id == routine.id, RoutineRun.status == RUNNING, RoutineRun.finished_at.is_(None)
    )
    for run in tx.session.scalars(query.order_by(RoutineRun.id)).all():
        if run.started_at > tx.now - LOST_AFTER:
            return run
        conclude(tx, run.id, TaskResult(detail=f"run {run.id} never came to an end", status=FAILED))
    return None


def _begin(
    tx: Transaction, routine: Routine, trigger: str, slot_at: datetime | None = None, missed: int = 0
) -> RoutineRun:
    run = _row(tx, routine, trigger, RUNNING, slot_at, missed)
    tx.session.add(run)
    tx.session.flush()
    tx.enqueue(RUN, str(run.id))
    return run


def _skip(tx: Transaction, routine: Routine, going_on: RoutineRun, slot_at: datetime, missed: int) -> RoutineRun:
    run = _row(tx, routine, BY_SCHEDULE, SKIPPED, slot_at, missed)
    run.finished_at = tx.now
    run.detail = f"run {going_on.id}, which began at {going_on.started_at:%Y-%m-%d %H:%M} UTC, was still going on"
    tx.session.add(run)
    tx.session.flush()
    log.warning("routine skipped", routine=routine.id, task=routine.task, reason=run.detail)
    return run


def _row(
    tx: Transaction, routine: Routine, trigger: str, status: str, slot_at: datetime | None, missed: int
) -> RoutineRun:
    return RoutineRun(
        routine_id=routine.id,
        routine=routine,
        slot_at=slot_at,
        trigger=trigger,
        status=status,
        started_at=tx.now,
        counts={},
        missed=missed,
        actor=tx.actor.name,
    )


def _locked_run(tx: Transaction, run_id: int) -> RoutineRun:
    return lock_row(tx, RoutineRun, run_id, "run of a routine")
