"""Routines: what runs by itself, and at which hours. Adding, changing, switching on and off, removing.

A routine that is new, switched on or given other hours has its first slot after now: nothing from before is made up
for. What a slot that came does is in `routine_runs`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from core.database import Transaction
from core.errors import InvalidInput, NotFound
from core.rows import get_row
from provisioning import checks
from provisioning.routines.models import Routine
from provisioning.routines.schedule import FIELDS, Schedule, make_schedule, next_at
from provisioning.routines.tasks import TASKS, RoutineTask

MOST_NEXT = 100


def add_routine(
    tx: Transaction,
    *,
    description: str,
    task: str,
    parameters: Mapping[str, Any] | None = None,
    months: Collection[int] = (),
    days: Collection[int] = (),
    weekdays: Collection[int] = (),
    hours: Collection[int] = (),
    minutes: Collection[int] = (),
    enabled: bool = True,
    seed: str | None = None,
) -> Routine:
    """Add a routine. InvalidInput: no such task or parameter (the error lists them), hours that never come."""
    schedule = make_schedule(months=months, days=days, weekdays=weekdays, hours=hours, minutes=minutes)
    routine = Routine(
        description=_description(description),
        task=task,
        parameters=_parameters(task, parameters or {}),
        enabled=enabled,
        seed=seed,
        created_at=tx.now,
        created_by=tx.actor.name,
        **_lists(schedule),
    )
    routine.next_at = following(tx, routine)
    tx.session.add(routine)
    tx.session.flush()
    tx.audit("add", "routine", routine.id, after=_told(routine))
    return routine


def change_routine(tx: Transaction, *, routine_id: int, **changes: Any) -> Routine:
    """Change what is given, of the fields of `add_routine`. Other hours, or switching it on, count from now."""
    routine = lock_routine(tx, routine_id)
    before = _told(routine)
    schedule = make_schedule(**{name: changes.pop(name, getattr(routine, name)) for name in FIELDS})
    values = {**_lists(schedule), **_checked(routine, changes)}
    changed = {name: value for name, value in values.items() if getattr(routine, name) != value}
    for name, value in changed.items():
        setattr(routine, name, value)
    if changed.keys() & {*FIELDS, "enabled"}:
        routine.next_at = following(tx, routine)
    if changed:
        tx.session.flush()
        after = _told(routine)
        tx.audit(
            "change", "routine", routine_id, {name: before[name] for name in changed}, {n: after[n] for n in changed}
        )
    return routine


def remove_routine(tx: Transaction, *, routine_id: int) -> Routine:
    """It runs no more and leaves the list; its runs are kept."""
    routine = lock_routine(tx, routine_id)
    routine.removed_at, routine.enabled, routine.next_at = tx.now, False, None
    tx.session.flush()
    tx.audit("remove", "routine", routine_id, before=_told(routine))
    return routine


def next_runs(tx: Transaction, *, routine_id: int, count: int = 10) -> list[datetime]:
    """The next `count` slots, were the routine switched on."""
    if not 1 <= count <= MOST_NEXT:
        raise InvalidInput("count", f"a number from 1 to {MOST_NEXT}", 10)
    schedule, at = schedule_of(get_routine(tx, routine_id)), tx.now
    slots: list[datetime] = []
    while len(slots) < count and (slot := next_at(schedule, at, tx.settings.timezone)):
        slots.append(slot)
        at = slot
    return slots


def get_routine(tx: Transaction, routine_id: int) -> Routine:
    """Also a removed one: its runs refer to it."""
    return get_row(tx, Routine, routine_id, "routine")


def lock_routine(tx: Transaction, routine_id: int) -> Routine:
    """The routine, locked for a change and read again; a removed one is not found."""
    query = select(Routine).where(Routine.id == routine_id, Routine.removed_at.is_(None)).with_for_update()
    routine = tx.session.scalar(query, execution_options={"populate_existing": True})
    if routine is None:
        raise NotFound("routine", routine_id)
    return routine


def list_routines(tx: Transaction, *, after: int = 0, limit: int = 100) -> Sequence[Routine]:
    """Those that were not removed, in order of id, from behind `after`."""
    query = select(Routine).where(Routine.removed_at.is_(None), Routine.id > after)
    return tx.session.scalars(query.order_by(Routine.id).limit(limit)).all()


def schedule_of(routine: Routine) -> Schedule:
    return Schedule(**{name: tuple(getattr(routine, name)) for name in FIELDS})


def following(tx: Transaction, routine: Routine) -> datetime | None:
    """Its next slot after now; None while it is off."""
    return next_at(schedule_of(routine), tx.now, tx.settings.timezone) if routine.enabled else None


def task_named(name: str) -> RoutineTask:
    task = TASKS.get(name)
    if task is None:
        raise InvalidInput("task", f"one of {', '.join(sorted(TASKS))}", min(TASKS, default=""))
    return task


def _checked(routine: Routine, changes: Mapping[str, Any]) -> dict[str, Any]:
    known = ("description", "task", "parameters", "enabled")
    if unknown := set(changes) - set(known):
        raise InvalidInput(min(unknown), f"one of {', '.join((*known, *FIELDS))}", "hours")
    values = dict(changes)
    if "description" in values:
        values["description"] = _description(values["description"])
    if "enabled" in values and not isinstance(values["enabled"], bool):
        raise InvalidInput("enabled", "true or false", True)
    if "task" in values or "parameters" in values:
        task = values.get("task", routine.task)
        values["parameters"] = _parameters(task, values.get("parameters", routine.parameters))
    return values


def _parameters(task_name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the task takes; it looks at the values itself, at each run."""
    task = task_named(task_name)
    if unknown := set(given) - set(task.parameters):
        taken = "; ".join(f"{name}: {rule}" for name, rule in task.parameters.items())
        rule = f"{task.name} has no parameter {min(unknown)}; " + (f"it takes {taken}" if taken else "it takes none")
        raise InvalidInput("parameters", rule, {})
    return dict(given)


def _description(text: str) -> str:
    return checks.required_text(text, "description", 120, "Suspensão diária")


def _lists(schedule: Schedule) -> dict[str, list[int]]:
    return {name: list(getattr(schedule, name)) for name in FIELDS}


def _told(routine: Routine) -> dict[str, Any]:
    return {name: getattr(routine, name) for name in ("description", "task", "parameters", "enabled", *FIELDS)}
