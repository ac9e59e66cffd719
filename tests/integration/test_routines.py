"""Routines: added, changed, switched off, removed, seeded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import InvalidInput, NotFound
from core.runtime import Runtime
from provisioning.routines import own_tasks as routine_own_tasks  # noqa: F401 - its import registers the tasks
from provisioning.routines.commands import change_routine, get_routine, list_routines, next_runs, remove_routine
from provisioning.routines.jobs import tick
from provisioning.routines.models import Routine
from provisioning.routines.runs import rehearse
from provisioning.routines.seeds import SEEDS
from provisioning.routines.tasks import TASKS
from tests.factories_core import audit_of, race
from tests.factories_routines import TASK, Chore, carry_out, known, make_routine, routine_in, runs_of, tick_and_run
from tests.ticking import FakeClock


def utc(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant of March 2026; six in the morning in São Paulo is nine."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


@pytest.fixture
def chore() -> Iterator[Chore]:
    with known(Chore()) as task:
        yield task


@pytest.mark.usefixtures("chore")
@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        pytest.param({"task": "mow-the-lawn"}, "task", TASK, id="unknown task: the list"),
        pytest.param({"parameters": {"colour": 1}}, "parameters", "city: a city's name", id="parameter: the list"),
        pytest.param({"description": " "}, "description", "1 to 120", id="no description"),
        pytest.param({"description": "x" * 121}, "description", "1 to 120", id="long description"),
        pytest.param({"hours": [24]}, "hours", "0 to 23", id="no such hour"),
        pytest.param({"months": [2], "days": [30]}, "days", "never", id="30 February"),
    ],
)
def test_what_is_refused(database: Database, values: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        make_routine(database, **values)
    assert refused.value.field == field
    with database.reading() as tx:
        assert list_routines(tx) == []


@pytest.mark.usefixtures("chore")
def test_the_first_slot_is_after_now(database: Database, clock: FakeClock) -> None:
    clock.now = utc(2, 9)
    assert routine_in(database, make_routine(database)).next_at == utc(3, 9), "a slot at this very instant is over"
    assert routine_in(database, make_routine(database, minutes=[1])).next_at == utc(2, 9, 1)
    assert routine_in(database, make_routine(database, enabled=False)).next_at is None


def test_nothing_from_before_is_made_up_for(runtime: Runtime, clock: FakeClock, chore: Chore) -> None:
    routine_id = make_routine(runtime.database, enabled=False)
    clock.now = utc(5, 12)
    tick_and_run(runtime)
    with runtime.database.transaction() as tx:
        change_routine(tx, routine_id=routine_id, enabled=True)
    tick_and_run(runtime)
    assert chore.runs == []
    assert routine_in(runtime.database, routine_id).next_at == utc(6, 9)


def test_other_hours_count_from_now(runtime: Runtime, clock: FakeClock, chore: Chore) -> None:
    routine_id = make_routine(runtime.database)
    clock.now = utc(3, 8, 59)
    with runtime.database.transaction() as tx:
        change_routine(tx, routine_id=routine_id, hours=[5])
    assert routine_in(runtime.database, routine_id).next_at == utc(4, 8)
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    assert chore.runs == []


@pytest.mark.usefixtures("chore")
def test_a_change_is_audited_with_what_changed(database: Database) -> None:
    routine_id = make_routine(database)
    with database.transaction() as tx:
        change_routine(tx, routine_id=routine_id, hours=[6, 18], description="Suspensão diária", enabled=True)
        change_routine(tx, routine_id=routine_id, hours=[18, 6])
    entries = audit_of(database, "routine")
    assert [(entry.action, entry.actor) for entry in entries] == [("add", "ana"), ("change", "catraca")]
    assert (entries[1].before, entries[1].after) == ({"hours": [6]}, {"hours": [6, 18]})


@pytest.mark.usefixtures("chore")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"task": "mow-the-lawn"}, "task", id="task"),
        pytest.param({"parameters": {"colour": 1}}, "parameters", id="parameters"),
        pytest.param({"weekdays": [0]}, "weekdays", id="weekday"),
        pytest.param({"enabled": 1}, "enabled", id="switch"),
        pytest.param({"colour": "red"}, "colour", id="no such field"),
    ],
)
def test_a_change_is_checked_as_an_addition_is(database: Database, changes: dict[str, Any], field: str) -> None:
    routine_id = make_routine(database)
    with pytest.raises(InvalidInput) as refused, database.transaction() as tx:
        change_routine(tx, routine_id=routine_id, **changes)
    assert refused.value.field == field


def test_a_removed_one_is_gone_and_its_runs_are_kept(runtime: Runtime, clock: FakeClock, chore: Chore) -> None:
    routine_id = make_routine(runtime.database)
    clock.now = utc(3, 9)
    tick_and_run(runtime)
    with runtime.database.transaction() as tx:
        remove_routine(tx, routine_id=routine_id)
    clock.now = utc(4, 9)
    tick_and_run(runtime)
    assert len(chore.runs) == len(runs_of(runtime.database, routine_id)) == 1
    with runtime.database.transaction() as tx:
        assert list_routines(tx) == []
        assert get_routine(tx, routine_id).removed_at == utc(3, 9)
        with pytest.raises(NotFound):
            change_routine(tx, routine_id=routine_id, enabled=True)


@pytest.mark.usefixtures("chore")
def test_the_next_slots(database: Database, clock: FakeClock) -> None:
    clock.now = utc(6, 9)  # a Friday
    routine_id = make_routine(database, weekdays=[1, 2, 3, 4, 5], enabled=False)
    with database.reading() as tx:
        assert next_runs(tx, routine_id=routine_id, count=3) == [utc(9, 9), utc(10, 9), utc(11, 9)]
        with pytest.raises(InvalidInput, match="1 to 100"):
            next_runs(tx, routine_id=routine_id, count=101)


def test_a_rehearsal_changes_nothing(database: Database, chore: Chore) -> None:
    routine_id = make_routine(database, parameters={"city": "Campinas"})
    with database.reading() as tx:
        assert rehearse(tx, routine_id=routine_id).counts == {"would": 1}
    assert (chore.runs, runs_of(database, routine_id)) == ([], [])


def seeded(database: Database) -> list[tuple[str | None, str, bool]]:
    with database.reading() as tx:
        rows = tx.session.scalars(select(Routine).order_by(Routine.id)).all()
        return [(row.seed, row.task, row.removed_at is None) for row in rows]


@pytest.fixture
def only_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the tasks of this layer are known, as in an installation of before."""
    for name in set(TASKS) - {"enable", "sweep-stale-sessions"}:
        monkeypatch.delitem(TASKS, name)


@pytest.mark.usefixtures("only_own")
def test_an_empty_installation_is_given_the_defaults_as_their_tasks_come(runtime: Runtime) -> None:
    tick(runtime)
    assert [seed for seed, _, _ in seeded(runtime.database)] == ["enable", "sweep-stale-sessions"]
    with known(Chore(), "notify"), known(Chore(), "suspend-and-reduce"):
        tick(runtime)
        tick(runtime)
    assert sorted(seed or "" for seed, _, _ in seeded(runtime.database)) == sorted(seed.task for seed in SEEDS)
    with runtime.database.reading() as tx:
        times = {row.seed: (row.hours, row.minutes, row.enabled) for row in tx.session.scalars(select(Routine))}
    assert times["suspend-and-reduce"] == ([6], [0], True)
    assert times["sweep-stale-sessions"] == ([], [0], True)


@pytest.mark.usefixtures("only_own")
def test_a_default_that_was_removed_or_switched_off_stays_so(runtime: Runtime) -> None:
    tick(runtime)
    with runtime.database.transaction() as tx:
        for routine in list_routines(tx):
            remove_routine(tx, routine_id=routine.id)
    tick(runtime)
    assert seeded(runtime.database) == [
        ("enable", "enable", False), ("sweep-stale-sessions", "sweep-stale-sessions", False),
    ]  # fmt: skip


@pytest.mark.usefixtures("only_own")
def test_whoever_made_routines_before_is_given_none(runtime: Runtime) -> None:
    with known(Chore()):
        make_routine(runtime.database)
    tick(runtime)
    assert [task for _, task, _ in seeded(runtime.database)] == [TASK]


@pytest.mark.usefixtures("only_own")
def test_schedulers_that_seed_at_once_seed_once(runtime: Runtime) -> None:
    race(4, lambda _racer: tick(runtime))
    assert [seed for seed, _, _ in seeded(runtime.database)] == ["enable", "sweep-stale-sessions"]
    assert carry_out(runtime) == [], "nothing is due at once"
