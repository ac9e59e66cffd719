"""Jobs that run apart: a slow one holds nobody up, and none is claimed before a thread is free for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from core.apart import ApartPool
from core.job_queue import Job
from core.jobs import handles, runs_apart
from core.outcomes import Applied, Outcome
from core.runtime import Runtime
from core.worker import Embedded
from tests.factories_core import PATIENCE, eventually
from tests.factories_jobs import job_in, make_job, registry


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with registry():
        yield


class Routers:
    """A handler that waits for the router of its job (`slow…`) until it is told to go on, and remembers who ran."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.ran: list[str] = []
        self.now = self.most = 0
        self._lock = threading.Lock()
        handles("test.router", apart=True)(self.talk)

    def talk(self, _runtime: Runtime, job: Job) -> Outcome:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        if job.key.startswith("slow"):
            assert self.go_on.wait(PATIENCE)
        with self._lock:
            self.now -= 1
            self.ran.append(job.key)
        return Applied()


@contextmanager
def pool(runtime: Runtime, most: int) -> Iterator[ApartPool]:
    made = ApartPool(lambda: runtime, most)
    try:
        yield made
    finally:
        made.stop(PATIENCE)


def status(runtime: Runtime, *job_ids: int) -> list[str]:
    return [job_in(runtime.database, job_id).status for job_id in job_ids]


def test_slow_ones_hold_up_neither_their_like_nor_the_worker(runtime: Runtime) -> None:
    """More slow ones than the embedded worker has threads, and the quick of both kinds are done all the same."""
    routers = Routers()
    handles("test.kind")(lambda _runtime, _job: Applied())
    embedded = Embedded(runtime)
    embedded.start()
    slow = [make_job(runtime.database, "test.router", f"slow {n}") for n in range(2 * runtime.settings.worker_threads)]
    quick = [make_job(runtime.database, "test.router", "quick"), make_job(runtime.database, "test.kind")]
    eventually(lambda: status(runtime, *quick) == ["done", "done"])
    eventually(lambda: set(status(runtime, *slow)) == {"running"})
    routers.go_on.set()
    eventually(lambda: set(status(runtime, *slow)) == {"done"})
    embedded.stop()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("apart")]


def test_a_full_pool_leaves_the_rest_unclaimed(runtime: Runtime) -> None:
    routers = Routers()
    jobs = [make_job(runtime.database, "test.router", f"slow {number}") for number in range(3)]
    with pool(runtime, 2) as threads:
        for job_id in jobs:
            threads.put(job_id)
        eventually(lambda: routers.now == 2)
        assert status(runtime, *jobs) == ["running", "running", "waiting"]
        routers.go_on.set()
        eventually(lambda: status(runtime, *jobs) == ["done"] * 3)
    assert routers.most == 2


def test_a_job_that_is_told_often_runs_once(runtime: Runtime) -> None:
    routers = Routers()
    first, second = (make_job(runtime.database, "test.router", key) for key in ("slow", "quick"))
    with pool(runtime, 1) as threads:
        threads.put(first)
        eventually(lambda: routers.now == 1)
        for _ in range(5):
            threads.put(first)
            threads.put(second)
        routers.go_on.set()
        eventually(lambda: status(runtime, first, second) == ["done", "done"])
    assert routers.ran == ["slow", "quick"]
    assert job_in(runtime.database, second).runs == 1


def test_stopping_waits_for_what_runs_and_begins_nothing(runtime: Runtime) -> None:
    routers = Routers()
    running, waiting, late = (make_job(runtime.database, "test.router", key) for key in ("slow 1", "slow 2", "slow 3"))
    threads = ApartPool(lambda: runtime, 1)
    threads.put(running)
    eventually(lambda: routers.now == 1)
    threads.put(waiting)
    threads.stop(0.0)
    threads.put(late)
    routers.go_on.set()
    threads.stop(PATIENCE)
    assert status(runtime, running, waiting, late) == ["done", "waiting", "waiting"]


def test_a_thread_outlives_a_runtime_that_cannot_be_opened(runtime: Runtime) -> None:
    Routers()
    job_id = make_job(runtime.database, "test.router", "quick")
    answers: list[Exception | Runtime] = [RuntimeError("no database"), runtime]

    def open_runtime() -> Runtime:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    threads = ApartPool(open_runtime, 1)
    threads.put(job_id)
    eventually(lambda: len(answers) == 1)
    threads.put(job_id)
    eventually(lambda: status(runtime, job_id) == ["done"])
    threads.stop(PATIENCE)


def test_only_its_kind_runs_apart(runtime: Runtime) -> None:
    Routers()
    handles("test.kind")(lambda _runtime, _job: Applied())
    apart, plain = make_job(runtime.database, "test.router", "quick"), make_job(runtime.database)
    assert [runs_apart(runtime, job_id) for job_id in (apart, plain, 10**6)] == [True, False, False]
