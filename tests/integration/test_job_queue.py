"""The outbox: rows that come with their transaction, absorb each other, are claimed, swept and forgotten."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from core.clock import system_clock
from core.database import Database
from core.job_queue import KEEP_DONE, REMIND, due_jobs
from core.jobs import purge_finished_jobs, sweep
from core.runtime import Runtime
from tests.factories_jobs import LONG_AGO, change_job, job_in, jobs_in, make_job, take
from tests.ticking import START, FakeClock

LATER = timedelta(hours=1)


class Stop(Exception):
    pass


def undone(database: Database) -> None:
    with database.transaction() as tx:
        tx.enqueue("test.kind", "1")
        tx.session.flush()
        raise Stop


def test_a_job_comes_with_its_transaction(database: Database) -> None:
    with database.transaction() as tx:
        tx.enqueue("test.kind", "7", payload={"a": [1, None]}, due_at=tx.now + LATER)
        assert jobs_in(database) == []
    (job,) = jobs_in(database)
    assert (job.kind, job.key, job.payload, job.due_at) == ("test.kind", "7", {"a": [1, None]}, START + LATER)
    assert (job.status, job.runs, job.failures, job.created_at) == ("waiting", 0, 0, START)


def test_a_job_goes_with_its_transaction(database: Database) -> None:
    with pytest.raises(Stop):
        undone(database)
    assert jobs_in(database) == []


Prepare = Callable[[Database], object]
ABSORBED: list[Any] = [
    pytest.param(lambda db: make_job(db), {}, id="due and waiting"),
    pytest.param(lambda db: make_job(db, due_at=START - LATER), {}, id="overdue"),
    pytest.param(lambda db: make_job(db, due_at=START + LATER), {"due_at": START + LATER}, id="the same later hour"),
    pytest.param(
        lambda db: change_job(db, make_job(db), due_at=START + LATER, runs=3), {}, id="pausing before a retry"
    ),
    pytest.param(lambda db: make_job(db), {"due_at": START - LATER}, id="due earlier"),
]
NOT_ABSORBED: list[Any] = [
    pytest.param(lambda db: make_job(db, due_at=START + LATER), {}, id="waits for its hour"),
    pytest.param(lambda db: make_job(db), {"due_at": START + LATER}, id="runs before the hour that is asked for"),
    pytest.param(lambda db: take(db, make_job(db)), {}, id="running"),
    pytest.param(lambda db: take(db, make_job(db), LONG_AGO), {}, id="running on a dead worker"),
    pytest.param(lambda db: change_job(db, make_job(db), status="done"), {}, id="done"),
    pytest.param(lambda db: change_job(db, make_job(db), status="refused"), {}, id="refused"),
    pytest.param(lambda db: make_job(db, key="2"), {}, id="of another key"),
    pytest.param(lambda db: make_job(db, "test.other"), {}, id="of another kind"),
    pytest.param(lambda db: make_job(db, payload={"a": 1}), {}, id="with a payload"),
    pytest.param(lambda db: make_job(db), {"payload": {"a": 1}}, id="without the payload that is asked for"),
    pytest.param(lambda db: make_job(db, payload={"a": 1}), {"payload": {"a": 1}}, id="an event like it"),
]


@pytest.mark.parametrize(("prepare", "wanted"), ABSORBED)
def test_a_waiting_job_absorbs_a_wish_for_the_same(
    database: Database, prepare: Prepare, wanted: dict[str, Any]
) -> None:
    prepare(database)
    woken: list[list[int]] = []
    database.wake = woken.append
    before = jobs_in(database)[0].due_at
    make_job(database, **wanted)
    (job,) = jobs_in(database)
    asked = wanted.get("due_at", START)
    assert job.due_at == min(before, asked)
    assert woken == ([[job.id]] if asked <= START else []), "its worker is woken again"


@pytest.mark.parametrize(("prepare", "wanted"), NOT_ABSORBED)
def test_a_job_that_would_not_do_the_work_does_not(
    database: Database, prepare: Prepare, wanted: dict[str, Any]
) -> None:
    prepare(database)
    before = jobs_in(database)[0]
    make_job(database, **wanted)
    first, second = jobs_in(database)
    assert (first.status, first.due_at, first.payload) == (before.status, before.due_at, before.payload)
    assert (second.status, second.due_at, second.payload) == (
        "waiting",
        wanted.get("due_at", START),
        wanted.get("payload", {}),
    )


def test_jobs_without_a_key_are_jobs_of_their_own(database: Database) -> None:
    make_job(database, key="")
    make_job(database, key="")
    assert len(jobs_in(database)) == 2


def test_wishes_of_one_transaction(database: Database) -> None:
    with database.transaction() as tx:
        tx.enqueue("converge", "3")
        tx.enqueue("converge", "3")
        tx.enqueue("converge", "3", due_at=tx.now + LATER)
        for number in (2, 1, 1):
            tx.enqueue("subscription.cancelled", payload={"subscription_id": number})
        tx.enqueue("converge", "2")
    found = [(job.kind, job.key, job.due_at - START, job.payload) for job in jobs_in(database)]
    now = timedelta(0)
    assert found == [
        ("converge", "2", now, {}),
        ("converge", "3", now, {}),
        ("converge", "3", LATER, {}),
        ("subscription.cancelled", "", now, {"subscription_id": 2}),
        ("subscription.cancelled", "", now, {"subscription_id": 1}),
        ("subscription.cancelled", "", now, {"subscription_id": 1}),
    ]


CLAIMS: list[Any] = [
    pytest.param(lambda db, job: None, True, id="waiting"),
    pytest.param(lambda db, job: change_job(db, job, due_at=START + LATER), False, id="not due"),
    pytest.param(lambda db, job: take(db, job), False, id="in somebody's hands"),
    pytest.param(lambda db, job: take(db, job, LONG_AGO), True, id="in a dead worker's hands"),
    pytest.param(lambda db, job: change_job(db, job, status="done"), False, id="done"),
    pytest.param(lambda db, job: change_job(db, job, status="refused"), False, id="refused"),
]


@pytest.mark.parametrize(("prepare", "free"), CLAIMS)
def test_claiming(database: Database, prepare: Callable[[Database, int], object], free: bool) -> None:
    job_id = make_job(database)
    prepare(database, job_id)
    before = job_in(database, job_id)
    taken = take(database, job_id)
    after = job_in(database, job_id)
    assert (taken is not None) is free
    if taken is None:
        assert (after.status, after.runs, after.lease_until) == (before.status, before.runs, before.lease_until)
    else:
        assert (after.status, after.runs) == ("running", before.runs + 1)
        assert after.lease_until is not None
        assert after.lease_until > system_clock()
        assert (taken.runs, taken.payload) == (after.runs, after.payload)


@pytest.mark.parametrize(("prepare", "free"), CLAIMS)
def test_sweeping_finds_what_can_be_claimed(
    runtime: Runtime, prepare: Callable[[Database, int], object], free: bool
) -> None:
    job_id = make_job(runtime.database)
    prepare(runtime.database, job_id)
    assert sweep(runtime) == ([job_id] if free else [])


def test_a_job_that_waits_for_its_hour_is_swept_then(runtime: Runtime, clock: FakeClock) -> None:
    job_id = make_job(runtime.database, due_at=START + LATER)
    assert sweep(runtime) == []
    clock.advance(hours=1)
    assert sweep(runtime) == [job_id]


def test_the_sweep_does_not_announce_a_job_again_at_once(runtime: Runtime) -> None:
    """A busy hour with a thousand jobs would else put a thousand messages into the broker every second."""
    jobs = [make_job(runtime.database, key=str(number)) for number in range(3)]
    assert sweep(runtime) == jobs
    assert sweep(runtime) == []
    change_job(runtime.database, jobs[1], announced_at=system_clock() - REMIND)
    assert sweep(runtime) == [jobs[1]], "nobody came: the message may be lost"


def test_a_job_that_is_tried_again_is_announced_at_its_time(runtime: Runtime, clock: FakeClock) -> None:
    job_id = make_job(runtime.database)
    assert sweep(runtime) == [job_id]
    assert take(runtime.database, job_id)
    change_job(runtime.database, job_id, status="waiting", lease_until=None, due_at=START + timedelta(seconds=1))
    clock.advance(seconds=1)
    assert sweep(runtime) == [job_id]


def test_the_sweep_takes_the_longest_overdue_first(database: Database) -> None:
    late = [make_job(database, key=str(hour), due_at=START - timedelta(hours=hour)) for hour in (1, 3, 2)]
    with database.reading() as tx:
        assert due_jobs(tx.session, tx.now, system_clock(), limit=2) == [late[1], late[2]]


@pytest.mark.parametrize(
    ("status", "age", "stays"),
    [
        ("done", KEEP_DONE, True),
        ("done", KEEP_DONE + LATER, False),
        ("refused", KEEP_DONE, True),
        ("refused", KEEP_DONE + LATER, False),
        ("waiting", KEEP_DONE * 9, True),
        ("running", KEEP_DONE * 9, True),
    ],
)
def test_finished_jobs_are_forgotten_after_a_week(runtime: Runtime, status: str, age: timedelta, stays: bool) -> None:
    job_id = make_job(runtime.database)
    change_job(runtime.database, job_id, status=status, done_at=START - age)
    purge_finished_jobs(runtime)
    assert [job.id for job in jobs_in(runtime.database)] == ([job_id] if stays else [])
