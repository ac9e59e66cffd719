"""A scheduled change happens exactly once, whoever comes at the same time, and whatever dies in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.database import Database
from core.errors import CatracaError, NotAllowed, Unavailable
from core.jobs import run_job
from core.outcomes import Applied, Outcome, Retry
from core.runtime import Runtime
from provisioning.models import PauseRow
from provisioning.scheduled.actions import ACTIONS, Action
from provisioning.scheduled.changes import cancel_change, edit_change
from provisioning.scheduled.jobs import carry_out_due
from tests.factories_changes import change_in, count_rows, jobs_of, make_change, subscription_in, told
from tests.factories_core import race
from tests.factories_jobs import LONG_AGO, change_job, take
from tests.factories_routines import carry_out
from tests.ticking import FakeClock

DUE = datetime(2026, 3, 10, 12, tzinfo=UTC)
KIND = "change.due"


def pauses(database: Database, subscription_id: int) -> int:
    with database.reading() as tx:
        return count_rows(tx, PauseRow, subscription_id)


def test_workers_with_the_same_job_do_it_once(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    """As after a lease that ran out: both have the job in hand."""
    change_id, subscription_id = make_change(database, "pause", DUE)
    clock.now = DUE
    [job] = jobs_of(database, change_id)
    outcomes = race(4, lambda _racer: carry_out_due(runtime, job))
    assert sorted(str(outcome) for outcome in outcomes) == sorted(
        [str(Applied("done: state PAUSED")), *[str(Applied("it is done already"))] * 3]
    )
    assert pauses(database, subscription_id) == 1


def test_a_job_that_is_delivered_again_does_nothing(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE)
    clock.now = DUE
    carry_out(runtime, KIND)
    for _ in range(3):
        change_job(database, jobs_of(database, change_id)[0].id, status="waiting", announced_at=None)
        assert carry_out(runtime, KIND) == ["it is done already"]
    assert (pauses(database, subscription_id), len(told(database, subscription_id))) == (1, 2)


def test_a_worker_that_dies_with_the_job_in_its_hands(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE)
    clock.now = DUE
    take(database, jobs_of(database, change_id)[0].id, ago=LONG_AGO)
    assert carry_out(runtime, KIND) == ["done: state PAUSED"]
    assert pauses(database, subscription_id) == 1


def test_a_job_that_is_started_by_hand_waits_its_day(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE)
    [job] = jobs_of(database, change_id)
    change_job(database, job.id, due_at=clock.now)
    assert run_job(runtime, job.id) == Retry(DUE - clock.now, "it is not due yet")
    clock.now = DUE
    carry_out(runtime, KIND)
    assert pauses(database, subscription_id) == 1


def test_a_clock_that_steps_back_under_the_job_loses_nothing(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE)
    [job] = jobs_of(database, change_id)
    clock.now = DUE - timedelta(hours=2)
    assert isinstance(carry_out_due(runtime, job), Retry)
    clock.now = DUE
    carry_out(runtime, KIND)
    clock.now = DUE - timedelta(hours=2)
    carry_out(runtime, KIND)
    clock.now = DUE
    carry_out(runtime, KIND)
    assert pauses(database, subscription_id) == 1


@pytest.mark.parametrize("attempt", range(6))
def test_cancelling_while_it_happens_is_one_or_the_other(
    runtime: Runtime, database: Database, clock: FakeClock, attempt: int
) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE)
    clock.now = DUE
    [job] = jobs_of(database, change_id)

    def take_part(racer: int) -> Outcome | CatracaError | None:
        if racer == attempt % 2:
            return carry_out_due(runtime, job)
        try:
            with database.transaction() as tx:
                cancel_change(tx, change_id=change_id)
        except NotAllowed as error:
            return error
        return None

    ends = race(2, take_part)
    change = change_in(database, change_id)
    if change.status == "done":
        assert any(isinstance(end, NotAllowed) for end in ends)
        assert pauses(database, subscription_id) == 1
    else:
        assert change.status == "cancelled"
        assert Applied("it is cancelled already") in ends
        assert pauses(database, subscription_id) == 0


@pytest.mark.parametrize("attempt", range(6))
def test_an_edit_while_it_is_due_happens_once(
    runtime: Runtime, database: Database, clock: FakeClock, attempt: int
) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE)
    clock.now = DUE
    [job] = jobs_of(database, change_id)

    def take_part(racer: int) -> bool:
        if racer == attempt % 2:
            carry_out_due(runtime, job)
            return True
        try:
            with database.transaction() as tx:
                edit_change(tx, change_id=change_id, due_at=DUE + timedelta(days=1))
        except NotAllowed:
            return False
        return True

    edited = all(race(2, take_part))
    assert (change_in(database, change_id).status, pauses(database, subscription_id)) == (
        ("waiting", 0) if edited else ("done", 1)
    )
    clock.now = DUE + timedelta(days=1)
    carry_out(runtime, KIND)
    assert (subscription_in(database, subscription_id).state, pauses(database, subscription_id)) == ("PAUSED", 1)


@pytest.mark.parametrize(
    ("error", "status", "result"),
    [
        pytest.param(Unavailable("the database is locked"), "waiting", "", id="out of reach: for ever"),
        pytest.param(RuntimeError("password=hunter2"), "failed", "RuntimeError: password=***", id="a mistake of ours"),
    ],
)
def test_what_nobody_foresaw_is_tried_again(
    runtime: Runtime, database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch,
    error: Exception, status: str, result: str,
) -> None:  # fmt: skip
    def refuse(*_given: object, **_named: object) -> None:
        raise error

    monkeypatch.setitem(ACTIONS, "pause", Action("pause", "", "", refuse))
    change_id, _ = make_change(database, "pause", DUE)
    clock.now = DUE
    for _ in range(6):
        assert change_in(database, change_id).status == "waiting"
        carry_out(runtime, KIND)
        clock.advance(minutes=10)
    change = change_in(database, change_id)
    assert (change.status, change.result) == (status, result)
