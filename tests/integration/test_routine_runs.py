"""Slots that come: claimed once, missed ones left out but for the newest, runs that fail, overlap or crash."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from core.actor import Actor
from core.database import Database
from core.errors import NotAllowed, NotFound
from core.jobs import SCHEDULES, run_job
from core.runtime import Runtime
from provisioning.routines.commands import change_routine
from provisioning.routines.jobs import tick
from provisioning.routines.models import RoutineRun
from provisioning.routines.runs import claim_slot, conclude, due_routines, run_now
from provisioning.routines.tasks import TaskResult
from tests.factories_core import audit_of, race
from tests.factories_jobs import LONG_AGO, change_job, jobs_in, take
from tests.factories_routines import Chore, carry_out, known, make_routine, routine_in, runs_of, tick_and_run
from tests.ticking import FakeClock


def utc(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """An instant of March 2026; six in the morning in São Paulo is nine."""
    return datetime(2026, 3, day, hour, minute, second, tzinfo=UTC)


@pytest.fixture
def chore() -> Iterator[Chore]:
    with known(Chore()) as task:
        yield task


@pytest.fixture
def routine_id(database: Database, chore: Chore) -> int:
    """Daily at six, since noon of 2 March."""
    return make_routine(database)


def told(run: RoutineRun) -> tuple[datetime | None, str, int]:
    return run.slot_at, run.status, run.missed


def test_the_tick_is_registered_and_needs_no_lease() -> None:
    assert (SCHEDULES["routines"].run, SCHEDULES["routines"].exclusive) == (tick, False)


@pytest.mark.parametrize(
    ("now", "runs"),
    [
        pytest.param(utc(3, 8, 59, 59), 0, id="a second before"),
        pytest.param(utc(3, 9), 1, id="at the slot"),
        pytest.param(utc(3, 9, 0, 1), 1, id="a second after"),
        pytest.param(utc(3, 23, 59), 1, id="hours after"),
    ],
)
def test_a_slot_that_came_is_run_once(
    runtime: Runtime, clock: FakeClock, chore: Chore, routine_id: int, now: datetime, runs: int
) -> None:
    clock.now = now
    for _ in range(3):
        tick_and_run(runtime)
    assert len(chore.runs) == runs
    assert [told(run) for run in runs_of(runtime.database, routine_id)] == [(utc(3, 9), "done", 0)] * runs


def test_a_run_keeps_what_the_task_said(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    with database.transaction() as tx:
        change_routine(tx, routine_id=routine_id, parameters={"city": "Campinas"})
    clock.now = utc(3, 9)
    assert tick_and_run(runtime) == ["done: three counted"]
    [run] = runs_of(database, routine_id)
    assert (run.trigger, run.counts, run.detail, run.finished_at) == (
        "schedule", {"counted": 3}, "three counted", utc(3, 9),
    )  # fmt: skip
    [(actor, parameters)] = chore.runs
    assert (actor.name, actor.source) == (f"routine {routine_id} Suspensão diária", "routine")
    assert parameters == {"city": "Campinas"}


def test_a_week_that_was_missed_is_one_run_of_the_newest_slot(
    runtime: Runtime, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    clock.now = utc(10, 15)
    tick_and_run(runtime)
    tick_and_run(runtime)
    clock.now = utc(11, 9)
    tick_and_run(runtime)
    found = [told(run) for run in runs_of(runtime.database, routine_id)]
    assert found == [(utc(3, 9), "done", 0), (utc(10, 9), "done", 6), (utc(11, 9), "done", 0)]
    assert len(chore.runs) == 3


@pytest.mark.parametrize(
    ("after_back", "expected"),
    [
        pytest.param([utc(4, 7), utc(4, 9)], 2, id="the last slot comes by again"),
        pytest.param([utc(4, 7), utc(4, 9), utc(5, 9)], 3, id="and the next one runs"),
    ],
)
def test_a_clock_that_steps_back_repeats_nothing(
    runtime: Runtime, clock: FakeClock, chore: Chore, routine_id: int, after_back: list[datetime], expected: int
) -> None:
    for now in (utc(3, 9), utc(4, 9), *after_back):
        clock.now = now
        tick_and_run(runtime)
    assert len(chore.runs) == expected


def test_a_clock_that_steps_back_and_new_hours_still_run_no_slot_twice(
    runtime: Runtime, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    clock.now = utc(3, 8)
    with runtime.database.transaction() as tx:
        change_routine(tx, routine_id=routine_id, enabled=False)
        change_routine(tx, routine_id=routine_id, enabled=True)
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    assert len(chore.runs) == 1
    assert routine_in(runtime.database, routine_id).next_at == utc(4, 9)


def test_a_clock_that_was_years_ahead_does_not_silence_a_routine(
    runtime: Runtime, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    clock.now = utc(2, 12) + timedelta(days=3650)
    tick_and_run(runtime)
    clock.now = utc(3, 8)
    tick_and_run(runtime)
    assert routine_in(runtime.database, routine_id).next_at == utc(3, 9)
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    assert len(chore.runs) == 2
    with runtime.database.reading() as tx:
        assert list(due_routines(tx)) == []


def test_schedulers_at_once_claim_a_slot_once(
    runtime: Runtime, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    for day in (3, 4, 5):
        clock.now = utc(day, 9)
        race(4, lambda _racer: tick(runtime))
        race(4, lambda _racer: [run_job(runtime, job.id) for job in jobs_in(runtime.database)])
    assert len(chore.runs) == 3
    assert [told(run) for run in runs_of(runtime.database, routine_id)] == [
        (utc(day, 9), "done", 0) for day in (3, 4, 5)
    ]


def test_a_slot_that_has_its_run_is_left_alone_even_where_the_routine_forgot(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    """The unique key decides, not what the routine's row says."""
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    with database.transaction() as tx:
        routine = tx.session.merge(routine_in(database, routine_id))
        routine.next_at, routine.last_slot_at = utc(3, 9), None
    with database.transaction() as tx:
        assert claim_slot(tx, routine_id) is None
    assert len(runs_of(database, routine_id)) == 1
    assert routine_in(database, routine_id).next_at == utc(4, 9)


def test_a_crash_between_claim_and_run_is_made_up_for(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    clock.now = utc(3, 9)
    tick(runtime)
    [job] = jobs_in(database)
    take(database, job.id, ago=LONG_AGO)  # a worker that died with the job in its hands
    tick(runtime)
    assert [run.status for run in runs_of(database, routine_id)] == ["running"]
    assert carry_out(runtime) == ["done: three counted"]
    assert len(chore.runs) == 1


def test_a_job_that_is_delivered_again_runs_nothing(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    [job] = jobs_in(database)
    change_job(database, job.id, status="waiting", announced_at=None)
    assert carry_out(runtime) == ["it has ended already: done"]
    assert len(chore.runs) == 1


def test_by_hand_at_any_time_but_not_beside_itself(
    runtime: Runtime, database: Database, chore: Chore, routine_id: int
) -> None:
    with database.transaction(Actor("joana", "api")) as tx:
        change_routine(tx, routine_id=routine_id, enabled=False)
        run = run_now(tx, routine_id=routine_id)
    with pytest.raises(NotAllowed, match=f"run {run.id} of routine"), database.transaction() as tx:
        run_now(tx, routine_id=routine_id)
    carry_out(runtime)
    [stored] = runs_of(database, routine_id)
    assert (stored.trigger, stored.slot_at, stored.status, stored.actor) == ("hand", None, "done", "joana")
    assert chore.runs[0][0].name == f"joana: routine {routine_id} Suspensão diária"
    with database.transaction() as tx:
        run_now(tx, routine_id=routine_id)
    assert [entry.action for entry in audit_of(database, "routine")][-1] == "run"


def test_a_person_who_presses_twice_at_once_runs_it_once(
    runtime: Runtime, database: Database, chore: Chore, routine_id: int
) -> None:
    def press(_racer: int) -> bool:
        try:
            with database.transaction() as tx:
                run_now(tx, routine_id=routine_id)
        except NotAllowed:
            return False
        return True

    assert sorted(race(4, press)) == [False, False, False, True]
    carry_out(runtime)
    assert len(chore.runs) == 1


def test_a_run_is_concluded_once(database: Database, routine_id: int) -> None:
    with database.transaction() as tx:
        run = run_now(tx, routine_id=routine_id)
        conclude(tx, run.id, TaskResult(detail="first"))
        assert conclude(tx, run.id, TaskResult(detail="second", status="failed")).detail == "first"
        with pytest.raises(NotFound):
            conclude(tx, run.id + 1, TaskResult())
