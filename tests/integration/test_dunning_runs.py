"""Runs in chunks: lines first, then orders; crashes, repetition, two at once, and the cap of a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from billing_bridge.background import continue_dunning
from billing_bridge.dunning.lines import lines_of
from billing_bridge.dunning.tasks import purge_dunning_lines
from billing_bridge.dunning.waiting import KEEP_LINES
from billing_bridge.dunning.work import CONTINUE, continue_run, list_runs, run_dunning, start_run
from billing_bridge.models import DunningRun
from billing_bridge.payments import receive
from core.database import Database, Transaction
from core.errors import NeedsApproval
from core.job_queue import Job
from core.runtime import Runtime
from provisioning.facts import Level
from provisioning.models import RestrictionOrderRow
from tests.factories_billing import debts_of, state_of
from tests.factories_core import race
from tests.factories_dunning import (
    JOANA,
    ROUTINE,
    add_late,
    late_in,
    orders_in,
    restricted,
    run_of,
    statuses,
    step,
)
from tests.factories_jobs import jobs_in
from tests.ticking import FakeClock


class Crashed(Exception):
    """The process died before the commit."""


def begun(database: Database, size: int = 2, **values: object) -> int:
    """The id of a routine's run that has planned its first `size`."""
    with database.transaction(ROUTINE) as tx:
        return start_run(tx, chunk=size, planning=size, **values).id  # type: ignore[arg-type]


def finished(database: Database, run_id: int, size: int = 2) -> DunningRun:
    """The run after all its steps."""
    while (run := step(database, run_id, size)).status in ("planning", "running"):
        pass
    return run


def test_a_run_decides_everything_before_it_orders_anything(database: Database) -> None:
    ids = late_in(database, 5)
    run_id = begun(database)
    seen = []
    while (run := step(database, run_id)).status in ("planning", "running"):
        seen.append((run.status, run.looked_at, run.planned, run.ordered))
    assert seen == [
        ("planning", 4, 4, 0),
        ("planning", 5, 5, 0),
        ("running", 5, 5, 2),
        ("running", 5, 5, 4),
    ]
    assert (run.status, run.ordered, run.planned_at is not None) == ("done", 5, True)
    assert restricted(database) == ids


def test_the_lines_say_who_why_and_what_came_of_it(database: Database) -> None:
    with database.transaction(ROUTINE) as tx:
        [total] = add_late(tx, 1)
        [partial] = add_late(tx, 1, late=15)
        run = start_run(tx)
        lines = lines_of(tx, run.id)
        assert [(line.subscription_id, line.level, line.status, line.days_late) for line in lines] == [
            (total, "total", "ordered", 30),
            (partial, "partial", "ordered", 15),
        ]
        assert [(line.open_cents, line.rule_version, line.invoice_ids) for line in lines] == [
            (9990, 1, list(debts_of(tx, total))),
            (9990, 1, list(debts_of(tx, partial))),
        ]
        order = tx.session.query(RestrictionOrderRow).filter_by(subscription_id=total).one()
        assert (order.rule_version, order.evidence["days_late"], order.run) == (1, 30, run.name)


def crash(database: Database, work: Callable[[Transaction], object]) -> None:
    """Do the work, and die before its commit."""

    def attempt() -> None:
        with database.transaction(ROUTINE) as tx:
            work(tx)
            raise Crashed

    with pytest.raises(Crashed):
        attempt()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_a_crash_before_every_commit_orders_each_once(database: Database, count: int) -> None:
    ids = late_in(database, count)
    crash(database, lambda tx: start_run(tx, chunk=2, planning=2))
    run_id = begun(database)
    while run_of(database, run_id).status in ("planning", "running"):
        before = (restricted(database), statuses(database, run_id))
        crash(database, lambda tx: continue_run(tx, run_id, chunk=2, planning=2))
        assert (restricted(database), statuses(database, run_id)) == before
        step(database, run_id)
    run = run_of(database, run_id)
    assert (run.status, run.planned, run.ordered, run.skipped) == ("done", count, count, 0)
    assert restricted(database) == ids


def test_a_job_that_runs_again_after_its_commit_does_nothing_twice(runtime: Runtime) -> None:
    ids = late_in(runtime.database, 3)
    run_id = begun(runtime.database)
    job = Job(kind=CONTINUE, key=str(run_id))
    for _ in range(6):
        continue_dunning(runtime, job)
    assert (restricted(runtime.database), run_of(runtime.database, run_id).status) == (ids, "done")
    assert statuses(runtime.database, run_id) == ["ordered"] * 3


@pytest.mark.parametrize(
    "when", [pytest.param(0, id="while planning"), pytest.param(2, id="before ordering"), pytest.param(3, id="between")]
)
def test_who_pays_meanwhile_is_not_ordered(database: Database, when: int) -> None:
    ids = late_in(database, 4)
    run_id = begun(database)
    for _ in range(when):
        step(database, run_id)
    with database.transaction() as tx:
        receive(tx, invoice_id=next(iter(debts_of(tx, ids[3]))))
    run = finished(database, run_id)
    assert (run.ordered, state_of(database, ids[3]), run.status) == (3, "ACTIVE", "done")
    assert (run.planned, run.skipped) == ((3, 0) if when == 0 else (4, 1))


def test_two_workers_on_one_run(database: Database) -> None:
    ids = late_in(database, 9)
    run_id = begun(database)

    def work(_number: int) -> None:
        while step(database, run_id).status in ("planning", "running"):
            pass

    race(2, work)
    run = run_of(database, run_id)
    assert (run.status, run.planned, run.ordered, run.skipped) == ("done", 9, 9, 0)
    assert restricted(database) == ids


def test_starting_twice_goes_on_with_the_run_that_is_under_way(database: Database) -> None:
    late_in(database, 5)
    one = begun(database, origin="routine 2")
    assert begun(database, origin="routine 2") == one
    assert begun(database, origin="routine 3") != one
    finished(database, one)
    assert begun(database, origin="routine 2") != one


def test_runs_of_one_level_leave_the_other_alone(database: Database) -> None:
    with database.transaction() as tx:
        [total, partial] = [*add_late(tx, 1), *add_late(tx, 1, late=15)]
        assert start_run(tx, levels={Level.TOTAL}).ordered == 1
    assert (state_of(database, total), state_of(database, partial)) == ("SUSPENDED", "ACTIVE")
    with database.transaction() as tx:
        assert start_run(tx, levels={Level.PARTIAL}).ordered == 1
    assert state_of(database, partial) == "REDUCED"


@pytest.mark.parametrize(
    ("first", "more", "status"),
    [
        pytest.param(4, 6, "done", id="together at the cap"),
        pytest.param(4, 7, "waiting", id="together one over it"),
        pytest.param(10, 0, "done", id="nothing more to order needs no approval"),
        pytest.param(10, 1, "waiting", id="the cap is used up"),
    ],
)
def test_the_cap_holds_for_a_day(database: Database, first: int, more: int, status: str) -> None:
    """A routine that runs every minute does not turn a cap for each run into none."""
    late_in(database, first)
    with database.transaction(ROUTINE) as tx:
        assert start_run(tx).status == "done"
    late_in(database, more)
    with database.transaction(ROUTINE) as tx:
        assert start_run(tx).status == status
    assert orders_in(database) == (first + more if status == "done" else first)


def test_what_was_used_today_is_told(database: Database) -> None:
    late_in(database, 4)
    with database.transaction(ROUTINE) as tx:
        start_run(tx)
    late_in(database, 7)
    words = "7 subscriptions besides the 4 of today"
    with pytest.raises(NeedsApproval, match=words) as stopped, database.transaction(JOANA) as tx:
        run_dunning(tx)
    assert stopped.value.extras["ordered_today"] == 4


def test_tomorrow_is_another_day(database: Database, clock: FakeClock) -> None:
    late_in(database, 10)
    with database.transaction(ROUTINE) as tx:
        start_run(tx)
    clock.advance(days=1)
    late_in(database, 10)
    with database.transaction(ROUTINE) as tx:
        assert start_run(tx).status == "done"


def test_approved_runs_use_nothing_of_the_cap(database: Database) -> None:
    late_in(database, 11)
    with database.transaction(JOANA) as tx:
        assert run_dunning(tx, approve=True).approved
    late_in(database, 10)
    with database.transaction(ROUTINE) as tx:
        assert start_run(tx).status == "done"


def test_a_run_that_still_orders_counts_with_all_it_may(database: Database) -> None:
    late_in(database, 6)
    with database.transaction(ROUTINE) as tx:
        assert start_run(tx, chunk=1).status == "running"
        add_late(tx, 5)
        assert start_run(tx).status == "waiting"


def test_two_runs_at_once_do_not_share_out_what_is_over_the_cap(database: Database) -> None:
    late_in(database, 6)
    late_in(database, 6, late=15)

    def run(number: int) -> str:
        with database.transaction(ROUTINE) as tx:
            return start_run(tx, levels={list(Level)[number]}).status

    assert sorted(race(2, run)) == ["done", "waiting"]
    assert orders_in(database) == 6


def test_a_person_learns_soon_that_it_is_too_many(database: Database) -> None:
    late_in(database, 13)
    words = "at least 11 subscriptions"
    with pytest.raises(NeedsApproval, match=words) as stopped, database.transaction(JOANA) as tx:
        run_dunning(tx, planning=11)
    assert (stopped.value.extras["planned"], stopped.value.extras["at_least"]) == (11, True)
    with database.reading() as tx:
        assert list(list_runs(tx)) == []


def test_a_persons_run_that_turns_out_too_big_waits(database: Database) -> None:
    late_in(database, 11)
    with database.transaction(JOANA) as tx:
        run = run_dunning(tx, planning=6)
        assert run.status == "planning"
    assert finished(database, run.id, 6).status == "waiting"
    assert orders_in(database) == 0


@pytest.mark.parametrize(
    ("passed", "left"),
    [
        pytest.param(KEEP_LINES, 1, id="kept so long"),
        pytest.param(KEEP_LINES + timedelta(seconds=1), 0, id="and no longer"),
    ],
)
def test_lines_are_forgotten_after_a_while(runtime: Runtime, clock: FakeClock, passed: timedelta, left: int) -> None:
    late_in(runtime.database, 1)
    run_id = begun(runtime.database)
    clock.now += passed
    purge_dunning_lines(runtime)
    assert len(statuses(runtime.database, run_id)) == left
    assert run_of(runtime.database, run_id).ordered == 1


def test_the_job_of_a_run_is_one_row_at_a_time(database: Database) -> None:
    late_in(database, 5)
    run_id = begun(database)
    step(database, run_id)
    waiting = [job for job in jobs_in(database) if job.kind == CONTINUE and job.status == "waiting"]
    assert [job.key for job in waiting] == [str(run_id)]
