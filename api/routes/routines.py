"""Routines: tasks with the hours at which they run, running them by hand, and how they went."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Flag, Instant, Int, Name, PathKey, Text
from api.models import Body, Change, Page, View, columns
from api.paging import Pages
from api.requests import read, remove, write
from api.values import Values
from core.database import Transaction
from provisioning.routines import commands as routines
from provisioning.routines import runs as routine_runs
from provisioning.routines.models import Routine, RoutineRun
from provisioning.routines.tasks import TASKS
from provisioning.routines.words import in_words

router = APIRouter(prefix="/api/v1/routines", tags=["routine"])
RoutineId = Annotated[PathKey, Path(description="The routine's id", examples=[3])]
Numbers = Annotated[list[Int], Field(max_length=60)]

_ALL_FIT = "empty: every one. A routine runs when all of its fields fit, day and weekday both"
_MONTHS = f"Months, 1 to 12; {_ALL_FIT}"
_DAYS = f"Days of the month, 1 to 31, -1 for the last day; 31 only in months that have it; {_ALL_FIT}"
_WEEKDAYS = f"Weekdays, 1 (Monday) to 7 (Sunday); {_ALL_FIT}"
_HOURS = f"Hours, 0 to 23, of the company's time zone; {_ALL_FIT}"
_MINUTES = f"Minutes, 0 to 59; {_ALL_FIT}"


class RoutineIn(Body):
    description: Name = Field(description="What people call it", examples=["Suspensão diária"])
    task: Text = Field(description="What it does: one of `routine.tasks`", examples=["enable"])
    parameters: Values = Field(
        default_factory=dict, description="The task's parameters, by name", examples=[{"method": 2}]
    )
    months: Numbers = Field([], description=_MONTHS, examples=[[1, 7]])
    days: Numbers = Field([], description=_DAYS, examples=[[5, -1]])
    weekdays: Numbers = Field([], description=_WEEKDAYS, examples=[[1, 2, 3, 4]])
    hours: Numbers = Field(description=_HOURS, examples=[[6]])
    minutes: Numbers = Field(description=_MINUTES, examples=[[0]])
    enabled: Flag = Field(True, description="Whether it runs by itself", examples=[True])


class RoutineChange(Change):
    description: Name = Field(default_factory=str, description="What people call it", examples=["Suspensão diária"])
    task: Text = Field(default_factory=str, description="What it does: one of `routine.tasks`", examples=["enable"])
    parameters: Values = Field(
        default_factory=dict, description="The task's parameters, by name: all of them", examples=[{"method": 2}]
    )
    months: Numbers = Field(default_factory=list, description=_MONTHS, examples=[[1, 7]])
    days: Numbers = Field(default_factory=list, description=_DAYS, examples=[[5, -1]])
    weekdays: Numbers = Field(default_factory=list, description=_WEEKDAYS, examples=[[1, 2, 3, 4]])
    hours: Numbers = Field(default_factory=list, description=_HOURS, examples=[[6]])
    minutes: Numbers = Field(default_factory=list, description=_MINUTES, examples=[[0]])
    enabled: Flag = Field(default_factory=bool, description="Whether it runs by itself", examples=[True])


class RoutineRunView(View):
    model_config = columns("id", "slot_at", "trigger", "status", "started_at", "finished_at", "missed", "detail")

    id: int = Field(description="The run's id", examples=[41])
    routine_id: int = Field(description="Of which routine", examples=[3])
    slot_at: Instant | None = Field(description="For which hour; null: by hand", examples=["2026-03-02T09:00:00Z"])
    trigger: str = Field(description="schedule or hand", examples=["schedule"])
    status: str = Field(
        description="running, done, waiting (for a person), held (by a guard), failed or skipped (the run before it "
        "was still going on)",
        examples=["done"],
    )
    started_at: Instant = Field(description="When it began", examples=["2026-03-02T09:00:02Z"])
    finished_at: Instant | None = Field(description="When it ended", examples=["2026-03-02T09:00:05Z"])
    counts: dict[str, int] = Field(description="What it counted, by name", examples=[{"restored": 2}])
    detail: str = Field(description="How it went", examples=["2 restored"])
    missed: int = Field(description="How many older slots it stands for, that nobody was there to run", examples=[0])
    actor: str = Field(description="Who started it", examples=["routines"])


class RoutineView(View):
    model_config = columns("id", "description", "task", "words", "enabled", "next_at", "last_status", "last_at")

    id: int = Field(description="The routine's id", examples=[3])
    description: str = Field(description="What people call it", examples=["Suspensão diária"])
    task: str = Field(description="What it does", examples=["enable"])
    parameters: dict[str, object] = Field(description="The task's parameters", examples=[{"method": 2}])
    months: list[int] = Field(description=_MONTHS, examples=[[1, 7]])
    days: list[int] = Field(description=_DAYS, examples=[[5, -1]])
    weekdays: list[int] = Field(description=_WEEKDAYS, examples=[[1, 2, 3, 4]])
    hours: list[int] = Field(description=_HOURS, examples=[[6]])
    minutes: list[int] = Field(description=_MINUTES, examples=[[0]])
    words: str = Field(description="Its hours in English", examples=["Monday to Thursday at 06:00"])
    palavras: str = Field(description="Its hours in Portuguese", examples=["segunda a quinta às 06:00"])
    enabled: bool = Field(description="Whether it runs by itself", examples=[True])
    next_at: Instant | None = Field(description="When it runs next; null: it is off", examples=["2026-03-03T09:00:00Z"])
    last_at: Instant | None = Field(description="When its last run began", examples=["2026-03-02T09:00:02Z"])
    last_status: str = Field(description='How its last run ended; "" before the first', examples=["done"])
    last_detail: str = Field(description="What it said", examples=["2 restored"])
    created_at: Instant = Field(description="When it was added", examples=["2026-03-01T12:00:00Z"])
    created_by: str = Field(description="By whom", examples=["ana"])
    removed_at: Instant | None = Field(description="When it was removed", examples=["2026-04-01T12:00:00Z"])


class RehearsalView(View):
    counts: dict[str, int] = Field(description="What a run would count now, by name", examples=[{"lapsed": 2}])
    detail: str = Field(description="In words", examples=["2 orders would lapse"])
    status: str = Field(description="How it would end: done, waiting, held", examples=["done"])


class SlotView(View):
    at: Instant = Field(description="When it runs", examples=["2026-03-03T09:00:00Z"])


class TaskView(View):
    name: str = Field(description="The task's name", examples=["enable"])
    words: str = Field(description="What it does", examples=["Restore everybody who no longer owes"])
    palavras: str = Field(description="The same in Portuguese", examples=["Habilitar quem não deve mais"])
    parameters: dict[str, str] = Field(description="Its parameters, each with its rule", examples=[{"method": "an id"}])


@router.post("", operation_id="routine.add", status_code=201, summary="Add a routine; its first run is after now")
def add(request: Request, body: RoutineIn) -> RoutineView:
    return write(request, lambda tx: _shown(routines.add_routine(tx, **body.given())))


@router.get("", operation_id="routine.list", summary="The routines, with how their last runs went")
def list_all(request: Request, pages: Pages) -> Page[RoutineView]:
    def look(tx: Transaction) -> Page[RoutineView]:
        rows = routines.list_routines(tx, after=pages.place or 0, limit=pages.limit + 1)
        last = routine_runs.last_runs(tx, [row.id for row in rows])
        return pages.made([(row.id, row) for row in rows], lambda row: _shown(row, last.get(row.id)))

    return read(request, look)


@router.get("/tasks", operation_id="routine.tasks", summary="What a routine can do, with the parameters of each task")
def tasks() -> Page[TaskView]:
    return Page(items=[TaskView.of(TASKS[name]) for name in sorted(TASKS)], next=None)


@router.get("/{routine_id}", operation_id="routine.show", summary="One routine")
def show(request: Request, routine_id: RoutineId) -> RoutineView:
    return read(request, lambda tx: _latest(tx, routines.get_routine(tx, routine_id)))


@router.patch("/{routine_id}", operation_id="routine.change", summary="Change a routine; other hours count from now")
def change(request: Request, routine_id: RoutineId, body: RoutineChange) -> RoutineView:
    def work(tx: Transaction) -> RoutineView:
        return _latest(tx, routines.change_routine(tx, routine_id=routine_id, **body.given()))

    return write(request, work)


@router.delete(
    "/{routine_id}", operation_id="routine.remove", status_code=204, summary="Remove a routine; its runs are kept"
)
def delete(request: Request, routine_id: RoutineId) -> None:
    remove(request, lambda tx: routines.remove_routine(tx, routine_id=routine_id))


@router.post("/{routine_id}/run", operation_id="routine.run", status_code=201, summary="Run it now, whatever its hours")
def run(request: Request, routine_id: RoutineId) -> RoutineRunView:
    return write(request, lambda tx: RoutineRunView.of(routine_runs.run_now(tx, routine_id=routine_id)))


@router.get(
    "/{routine_id}/rehearsal",
    operation_id="routine.rehearse",
    summary="What a run would count now; nothing is changed",
)
def rehearse(request: Request, routine_id: RoutineId) -> RehearsalView:
    return read(request, lambda tx: RehearsalView.of(routine_runs.rehearse(tx, routine_id=routine_id)))


@router.get("/{routine_id}/next", operation_id="routine.next", summary="The next hours of a routine")
def following(
    request: Request,
    routine_id: RoutineId,
    count: Annotated[int, Query(ge=1, le=routines.MOST_NEXT, description="How many", examples=[10])] = 10,
) -> Page[SlotView]:
    def look(tx: Transaction) -> Page[SlotView]:
        slots = routines.next_runs(tx, routine_id=routine_id, count=count)
        return Page(items=[SlotView(at=slot) for slot in slots], next=None)

    return read(request, look)


@router.get("/{routine_id}/runs", operation_id="routine.runs", summary="The runs of a routine, newest first")
def runs(request: Request, routine_id: RoutineId, pages: Pages) -> Page[RoutineRunView]:
    read(request, lambda tx: routines.get_routine(tx, routine_id))
    wanted = select(RoutineRun).where(RoutineRun.routine_id == routine_id)
    return pages.of(wanted, RoutineRun.id, RoutineRunView.of, newest_first=True)


def _latest(tx: Transaction, routine: Routine) -> RoutineView:
    return _shown(routine, routine_runs.last_runs(tx, [routine.id]).get(routine.id))


def _shown(routine: Routine, last: RoutineRun | None = None) -> RoutineView:
    schedule = routines.schedule_of(routine)
    return RoutineView.of(
        routine,
        words=in_words(schedule, "en"),
        palavras=in_words(schedule, "pt"),
        last_at=last.started_at if last else None,
        last_status=last.status if last else "",
        last_detail=last.detail if last else "",
    )
