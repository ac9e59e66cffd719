"""Running jobs: outcomes, failures and workers that come too late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from core.clock import system_clock
from core.database import Database
from core.errors import Conflict, Unavailable
from core.job_queue import Job
from core.jobs import HANDLERS, SCHEDULES, backoff, every, handles, run_job, sweep, take_over
from core.leases import hold_lease
from core.outcomes import Applied, Outcome, Refused, Retry
from core.runtime import Runtime
from tests.factories_core import audit_of, note
from tests.factories_jobs import LONG_AGO, change_job, handler, job_in, jobs_in, make_job, registry, take
from tests.ticking import START, FakeClock

CANARY = "Kanarie9f3x"


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    """What a test registers is forgotten at its end."""
    with registry():
        yield


def ends_in(database: Database, job_id: int) -> dict[str, Any]:
    """What a finished run leaves in the row."""
    job = job_in(database, job_id)
    assert job.lease_until is None
    names = ("status", "detail", "failures", "runs", "done_at", "due_at")
    return {name: getattr(job, name) for name in names}


OUTCOMES: list[Any] = [
    pytest.param(
        Applied("3 sessions told"),
        {"status": "done", "detail": "3 sessions told", "failures": 0, "done_at": START, "due_at": START},
        id="applied",
    ),
    pytest.param(
        Refused("the NAS is gone"),
        {"status": "refused", "detail": "the NAS is gone", "failures": 2, "done_at": START, "due_at": START},
        id="refused",
    ),
    pytest.param(
        Retry(timedelta(seconds=30), "no answer"),
        {
            "status": "waiting",
            "detail": "no answer",
            "failures": 3,
            "done_at": None,
            "due_at": START + timedelta(seconds=30),
        },
        id="retry",
    ),
]
FAILURES: list[Any] = [
    pytest.param(KeyError("nas"), "KeyError: 'nas'", id="an exception"),
    pytest.param(Conflict("the login is taken"), "Conflict: the login is taken", id="an error of ours"),
    pytest.param(Unavailable("the disk is full"), "Unavailable: the disk is full", id="a database that is away"),
    pytest.param(ValueError(f"secret={CANARY}"), "ValueError: secret=***", id="a secret in the message"),
]


@pytest.mark.parametrize(("outcome", "left"), OUTCOMES)
def test_an_outcome_is_written_down(runtime: Runtime, outcome: Outcome, left: dict[str, Any]) -> None:
    job_id = make_job(runtime.database)
    change_job(runtime.database, job_id, failures=2)
    with handler(lambda _runtime, _job: outcome):
        assert run_job(runtime, job_id) == outcome
    assert ends_in(runtime.database, job_id) == {**left, "runs": 1}


@pytest.mark.parametrize(("error", "detail"), FAILURES)
def test_a_handler_that_fails_is_tried_again_later(runtime: Runtime, error: Exception, detail: str) -> None:
    def fail(_runtime: Runtime, _job: Job) -> Outcome:
        raise error

    job_id = make_job(runtime.database)
    change_job(runtime.database, job_id, failures=2)
    with handler(fail):
        assert isinstance(run_job(runtime, job_id), Retry)
    assert ends_in(runtime.database, job_id) == {
        "status": "waiting",
        "detail": detail,
        "failures": 3,
        "runs": 1,
        "done_at": None,
        "due_at": START + timedelta(seconds=4),
    }


@pytest.mark.parametrize(
    "outcome",
    [Applied(f"token={CANARY}"), Refused(f"token={CANARY}"), Retry(timedelta(1), f"redis://u:{CANARY}@h")],
    ids=["applied", "refused", "retry"],
)
def test_a_secret_does_not_get_into_the_row(runtime: Runtime, outcome: Outcome) -> None:
    job_id = make_job(runtime.database)
    with handler(lambda _runtime, _job: outcome):
        run_job(runtime, job_id)
    assert CANARY not in job_in(runtime.database, job_id).detail


def test_a_kind_that_nobody_handles_is_refused(runtime: Runtime) -> None:
    job_id = make_job(runtime.database, "test.unheard")
    assert isinstance(run_job(runtime, job_id), Refused)
    assert "test.unheard" in job_in(runtime.database, job_id).detail


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 1), (1, 2), (2, 4), (3, 8), (8, 256), (9, 512), (10, 600), (16, 600), (17, 600), (1_000_000, 600)],
)
def test_the_pause_grows_up_to_ten_minutes(failures: int, seconds: int) -> None:
    assert backoff(failures) == timedelta(seconds=seconds)


def test_failing_again_and_again_and_then_not(runtime: Runtime, clock: FakeClock) -> None:
    job_id = make_job(runtime.database)
    broken = True

    def work(_runtime: Runtime, _job: Job) -> Outcome:
        if broken:
            raise RuntimeError("not yet")
        return Applied()

    pauses = []
    with handler(work):
        for _ in range(12):
            assert sweep(runtime) == [job_id]
            run_job(runtime, job_id)
            pauses.append((job_in(runtime.database, job_id).due_at - clock()).total_seconds())
            assert run_job(runtime, job_id) is None, "not before its time"
            clock.advance(seconds=pauses[-1])
        broken = False
        run_job(runtime, job_id)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    job = job_in(runtime.database, job_id)
    assert (job.status, job.runs, job.failures, job.detail) == ("done", 13, 0, "")


def test_a_handler_gets_the_job_as_it_was_claimed(runtime: Runtime) -> None:
    seen: list[tuple[Any, ...]] = []

    def look(given: Runtime, job: Job) -> Outcome:
        seen.append((given is runtime, job.kind, job.key, job.payload, job.runs, job.status))
        return Applied()

    job_id = make_job(runtime.database, key="7", payload={"a": 1})
    with handler(look):
        run_job(runtime, job_id)
    assert seen == [(True, "test.kind", "7", {"a": 1}, 1, "running")]


def test_a_finished_job_is_not_run_again(runtime: Runtime) -> None:
    job_id = make_job(runtime.database)
    with handler(lambda _runtime, _job: Applied()):
        assert run_job(runtime, job_id) == Applied()
        assert run_job(runtime, job_id) is None
    assert run_job(runtime, job_id + 1) is None, "nor one that does not exist"


def test_a_dead_workers_job_is_run_by_another_when_its_lease_is_over(runtime: Runtime) -> None:
    job_id = make_job(runtime.database)
    assert take(runtime.database, job_id)
    with handler(lambda _runtime, _job: Applied()):
        assert run_job(runtime, job_id) is None
        assert sweep(runtime) == []
        change_job(runtime.database, job_id, lease_until=system_clock() - timedelta(microseconds=1))
        assert sweep(runtime) == [job_id]
        assert run_job(runtime, job_id) == Applied()
    assert job_in(runtime.database, job_id).runs == 2


@pytest.mark.parametrize("late", [Retry(timedelta(0), "late"), Refused("late"), Applied("late")], ids=str)
def test_a_worker_that_comes_back_too_late_changes_nothing(runtime: Runtime, late: Outcome) -> None:
    """Its lease ran out in the middle; another did the work and wrote down how it ended."""
    job_id = make_job(runtime.database)

    def work(_runtime: Runtime, job: Job) -> Outcome:
        if job.runs == 2:
            return Applied("in time")
        change_job(runtime.database, job_id, lease_until=system_clock() - LONG_AGO)
        run_job(runtime, job_id)
        return late

    with handler(work):
        run_job(runtime, job_id)
    job = job_in(runtime.database, job_id)
    assert (job.status, job.detail, job.runs, job.due_at) == ("done", "in time", 2, START)


def test_what_a_handler_enqueues_for_its_own_key_is_a_run_of_its_own(runtime: Runtime) -> None:
    """It may have read the facts before the change that this asks for."""

    def work(given: Runtime, job: Job) -> Outcome:
        with given.database.transaction() as tx:
            note(tx, "run", str(job.id))
            if job.id == first:
                tx.enqueue(job.kind, job.key)
        return Applied()

    first = make_job(runtime.database)
    with handler(work):
        while found := sweep(runtime):
            for job_id in found:
                run_job(runtime, job_id)
    assert [entry.entity_id for entry in audit_of(runtime.database, "run")] == [str(first), str(first + 1)]
    assert [job.status for job in jobs_in(runtime.database)] == ["done", "done"]


def test_a_new_life_takes_over_what_the_last_one_held(runtime: Runtime) -> None:
    held, announced = make_job(runtime.database, key="held"), make_job(runtime.database, key="announced")
    sweep(runtime)
    take(runtime.database, held)
    with hold_lease(runtime.database, "nas:1", timedelta(minutes=10)):
        take_over(runtime)
        assert sweep(runtime) == [held, announced]
        with hold_lease(runtime.database, "nas:1", timedelta(minutes=10)) as ours:
            assert ours


def test_a_kind_has_one_handler() -> None:
    def first(_runtime: Runtime, _job: Job) -> Outcome:
        return Applied()

    def second(_runtime: Runtime, _job: Job) -> Outcome:
        return Applied()

    assert handles("test.kind")(first) is first
    handles("test.kind")(first)
    with pytest.raises(ValueError, match=r"test\.kind"):
        handles("test.kind")(second)
    assert HANDLERS["test.kind"] is first


def test_a_schedule_is_registered_by_name() -> None:
    every(5, "test-schedule", exclusive=False)(lambda _runtime: None)
    schedule = SCHEDULES["test-schedule"]
    assert (schedule.name, schedule.seconds, schedule.exclusive) == ("test-schedule", 5, False)
