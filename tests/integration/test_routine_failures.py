"""Runs that overlap, get lost, fail, or meet a database out of reach; the alarm that a failure is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from core.alarms import open_alarms
from core.database import Database
from core.errors import Unavailable
from core.leases import hold_lease
from core.runtime import Runtime
from provisioning.routines.commands import change_routine
from provisioning.routines.jobs import tick
from provisioning.routines.models import Routine
from provisioning.routines.runs import ALARM
from provisioning.routines.tasks import TaskResult
from tests.factories_routines import Chore, carry_out, known, make_routine, runs_of, tick_and_run
from tests.ticking import FakeClock


def utc(day: int, hour: int) -> datetime:
    """An instant of March 2026; six in the morning in São Paulo is nine."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


@pytest.fixture
def chore() -> Iterator[Chore]:
    with known(Chore()) as task:
        yield task


@pytest.fixture
def routine_id(database: Database, chore: Chore) -> int:
    """Daily at six, since noon of 2 March."""
    return make_routine(database)


def alarms(database: Database) -> list[tuple[str, str]]:
    with database.reading() as tx:
        return [(alarm.subject, alarm.detail) for alarm in open_alarms(tx, [ALARM])]


def test_a_run_that_goes_on_lets_the_next_slot_pass(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    with database.transaction() as tx:
        change_routine(tx, routine_id=routine_id, hours=[], minutes=[0])
    clock.now = utc(3, 9)
    tick(runtime)
    clock.now = utc(3, 10)
    tick(runtime)
    first, second = runs_of(database, routine_id)
    assert (first.status, second.status, second.finished_at) == ("running", "skipped", utc(3, 10))
    assert f"run {first.id}" in second.detail
    carry_out(runtime)
    clock.now = utc(3, 11)
    tick_and_run(runtime)
    assert [run.status for run in runs_of(database, routine_id)] == ["done", "skipped", "done"]
    assert len(chore.runs) == 2


def test_a_run_that_was_lost_keeps_nobody_back(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    clock.now = utc(3, 9)
    tick(runtime)
    clock.now = utc(4, 9)
    assert sorted(tick_and_run(runtime)) == ["done: three counted", "it has ended already: failed"]
    assert [run.status for run in runs_of(database, routine_id)] == ["failed", "done"]
    assert len(chore.runs) == 1
    assert alarms(database) == [], "the good run after it ended the alarm"


def test_a_task_that_raises_fails_with_its_words_and_an_alarm_until_a_good_run(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    chore.error = ValueError("the feed has no header, password=hunter2")
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    [run] = runs_of(database, routine_id)
    assert (run.status, run.finished_at) == ("failed", utc(3, 9))
    assert "ValueError: the feed has no header" in run.detail
    assert "hunter2" not in run.detail
    assert alarms(database) == [(str(routine_id), f"Suspensão diária: {run.detail}")]
    chore.error = None
    clock.now = utc(4, 9)
    tick_and_run(runtime)
    assert alarms(database) == []


@pytest.mark.parametrize(
    ("status", "finished", "alarm"),
    [
        pytest.param("waiting", "waiting", 0, id="waits for a person"),
        pytest.param("running", "running", 0, id="jobs go on with it"),
        pytest.param("held", "held", 1, id="held by a guard: no good run"),
        pytest.param("failed", "failed", 1, id="says itself that it failed"),
        pytest.param("nonsense", "done", 0, id="an unknown word is done"),
    ],
)
def test_the_end_of_a_run(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, routine_id: int,
    status: str, finished: str, alarm: int,
) -> None:  # fmt: skip
    chore.error = RuntimeError("first a failure")
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    chore.error, chore.result = None, TaskResult(status=status)
    clock.now = utc(4, 9)
    tick_and_run(runtime)
    run = runs_of(database, routine_id)[-1]
    assert (run.status, run.finished_at, len(alarms(database))) == (finished, utc(4, 9), alarm)
    clock.now = utc(5, 9)
    tick_and_run(runtime)
    assert len(chore.runs) == 3, "a run that has ended keeps no other back"


def test_a_database_out_of_reach_is_tried_again_and_fails_in_the_end(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    chore.error = Unavailable("the database is locked")
    clock.now = utc(3, 9)
    tick(runtime)
    for _ in range(6):
        assert [run.status for run in runs_of(database, routine_id)] == ["running"]
        carry_out(runtime)
        clock.advance(minutes=10)
    [run] = runs_of(database, routine_id)
    assert (run.status, run.detail, len(chore.runs)) == ("failed", "the database is locked", 6)


def test_a_task_that_is_not_known_any_more_fails(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    with known(Chore()):
        routine_id = make_routine(database)
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    [run] = runs_of(database, routine_id)
    assert (run.status, "one of" in run.detail) == ("failed", True)


def test_a_run_that_outlives_its_jobs_lease_is_not_begun_beside_itself(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, routine_id: int
) -> None:
    clock.now = utc(3, 9)
    tick(runtime)
    [run] = runs_of(database, routine_id)
    with hold_lease(database, f"routine-run:{run.id}", timedelta(minutes=10)) as held:
        assert held
        carry_out(runtime)
        assert (chore.runs, runs_of(database, routine_id)[0].status) == ([], "running")
    clock.advance(seconds=30)
    assert carry_out(runtime) == ["done: three counted"]


def test_a_routine_that_cannot_be_read_keeps_no_other_back(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore
) -> None:
    broken, healthy = make_routine(database), make_routine(database)
    with database.transaction() as tx:
        tx.session.get_one(Routine, broken).hours = ["six"]  # type: ignore[list-item]
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    assert (len(runs_of(database, broken)), len(runs_of(database, healthy))) == (0, 1)
