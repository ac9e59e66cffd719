"""Worker and beat inside one process, on `memory://`: they start, work, stop, and survive being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.clock import system_clock
from core.database import Database
from core.job_queue import Job
from core.jobs import every, handles
from core.migrate import migrate
from core.outcomes import Applied, Outcome
from core.runtime import Runtime
from core.secrets import Keyring
from core.settings import Settings
from core.worker import Embedded
from tests.effect import effects
from tests.factories_core import PATIENCE, audit_of, eventually, note
from tests.factories_jobs import job_in, jobs_in, make_job, registry
from tests.ticking import FakeClock

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with registry():
        yield


@contextmanager
def worker(runtime: Runtime) -> Iterator[Embedded]:
    embedded = Embedded(runtime)
    embedded.start()
    try:
        yield embedded
    finally:
        embedded.stop()


def done(database: Database, job_id: int) -> Callable[[], bool]:
    return lambda: job_in(database, job_id).status == "done"


def leave_trace(runtime: Runtime, job: Job) -> Outcome:
    with runtime.database.transaction() as tx:
        note(tx, "done", job.key)
    return Applied()


def traces(database: Database) -> list[str]:
    return [entry.entity_id for entry in audit_of(database, "done")]


def test_it_starts_works_and_stops_and_starts_again(runtime: Runtime) -> None:
    handles("test.kind")(leave_trace)
    for life in ("1", "2"):
        with worker(runtime):
            eventually(done(runtime.database, make_job(runtime.database, key=life)))
        assert not [thread.name for thread in threading.enumerate() if thread.name in ("worker", "beat")]
        left = make_job(runtime.database, key=f"after {life}")
        assert job_in(runtime.database, left).status == "waiting"
    with worker(runtime):
        eventually(lambda: all(job.status == "done" for job in jobs_in(runtime.database)))
    assert sorted(traces(runtime.database)) == ["1", "2", "after 1", "after 2"]


def test_a_lost_wake_up_is_made_good_by_the_sweep(runtime: Runtime) -> None:
    handles("test.kind")(leave_trace)
    with worker(runtime):
        runtime.database.wake = lambda _ids: None
        eventually(done(runtime.database, make_job(runtime.database)))


def test_a_job_that_a_job_asks_for_needs_no_sweep(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.worker.SWEEP_SECONDS", 3600.0)
    handles("test.kind")(leave_trace)

    @handles("test.first")
    def ask(given: Runtime, job: Job) -> Outcome:
        with given.database.transaction() as tx:
            tx.enqueue("test.kind", job.key)
        return Applied()

    with worker(runtime):
        make_job(runtime.database, "test.first", "7")
        eventually(lambda: traces(runtime.database) == ["7"])


def test_a_job_that_fails_is_tried_again_at_its_time(runtime: Runtime, clock: FakeClock) -> None:
    @handles("test.kind")
    def work(given: Runtime, job: Job) -> Outcome:
        if job.runs == 1:
            raise RuntimeError("not yet")
        return leave_trace(given, job)

    with worker(runtime):
        job_id = make_job(runtime.database)
        eventually(lambda: job_in(runtime.database, job_id).failures == 1)
        clock.advance(seconds=1)
        eventually(done(runtime.database, job_id))


def test_schedules_run(runtime: Runtime) -> None:
    @every(0.1, "test-pulse")
    def pulse(given: Runtime) -> None:
        with given.database.transaction() as tx:
            note(tx, "pulse", "1")

    with worker(runtime):
        eventually(lambda: len(audit_of(runtime.database, "pulse")) > 1)


def test_two_installations_in_one_process_do_not_mix(runtime: Runtime, keyring: Keyring, tmp_path: Path) -> None:
    """Celery registers a task's name once for the whole process, unless it is told not to."""
    handles("test.kind")(leave_trace)
    other = Database(f"sqlite:///{tmp_path / 'other.db'}", keyring, runtime.clock)
    migrate(other)
    second = Runtime(runtime.settings, other, keyring, runtime.clock)
    for given, key in ((runtime, "first"), (second, "second")):
        with worker(given):
            eventually(done(given.database, make_job(given.database, key=key)))
    assert (traces(runtime.database), traces(other)) == (["first"], ["second"])
    other.close()


def test_stopping_does_not_wait_for_a_handler_that_hangs(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.worker.STOP_SECONDS", 0.1)
    started, go_on = threading.Event(), threading.Event()

    @handles("test.kind")
    def work(_runtime: Runtime, _job: Job) -> Outcome:
        started.set()
        assert go_on.wait(PATIENCE)
        return Applied("in the end")

    job_id = make_job(runtime.database)
    with worker(runtime):
        assert started.wait(PATIENCE)
    job = job_in(runtime.database, job_id)
    assert job.status == "running", "the row is held, for this process or for the next"
    assert job.lease_until is not None
    assert job.lease_until > system_clock()
    go_on.set()
    eventually(done(runtime.database, job_id))
    eventually(lambda: not [thread.name for thread in threading.enumerate() if thread.name == "worker"])


class Installation:
    """A data directory with a worker process on it that can be killed."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.runtime = Runtime.open(Settings(data_dir=data_dir))
        migrate(self.runtime.database)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, hangs: str = "") -> None:
        environment = {**os.environ, "CATRACA_DATA_DIR": str(self.data_dir), "EFFECT_HANGS": hangs}
        self._process = subprocess.Popen([sys.executable, "-m", "tests.effect"], cwd=ROOT, env=environment)

    def kill_while_it_hangs(self) -> None:
        assert self._process
        eventually(lambda: (self.data_dir / "hanging").exists())
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> int:
        assert self._process
        self._process.send_signal(how)
        status = self._process.wait(PATIENCE)
        self._process = None
        return status

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
        self.runtime.close()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "data")
    yield made
    made.close()


@pytest.mark.parametrize("moment", ["before", "after"], ids=["before its effect", "between effect and conclusion"])
def test_a_job_in_work_when_everything_is_killed_ends_once_in_effect(installation: Installation, moment: str) -> None:
    database = installation.runtime.database
    job_id = make_job(database, "test.effect", "7")
    installation.start(hangs=moment)
    installation.kill_while_it_hangs()
    assert job_in(database, job_id).status == "running"
    assert ("7" in effects(database)) is (moment == "after")

    installation.start()
    eventually(done(database, job_id))
    assert installation.end(signal.SIGTERM) == 0
    assert effects(database).count("7") == 1
    assert job_in(database, job_id).runs == 2


def test_jobs_that_wait_when_everything_is_killed_are_done_by_the_next_start(installation: Installation) -> None:
    database = installation.runtime.database
    for number in range(10):
        make_job(database, "test.effect", str(number))
    installation.start(hangs="before")
    installation.kill_while_it_hangs()
    installation.start()
    eventually(lambda: all(job.status == "done" for job in jobs_in(database)))
    assert sorted(set(effects(database)) - {"pulse"}) == sorted(str(number) for number in range(10))
    assert len(effects(database)) == len(set(effects(database)))
