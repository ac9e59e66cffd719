"""Celery's own prefork worker and beat on Redis and RabbitMQ: the same rows, and nothing is lost with a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.database import Database
from core.jobs import sweep
from core.migrate import migrate
from core.runtime import Runtime
from core.settings import Settings
from core.worker import wake_with
from tests.effect import effects
from tests.effect_celery import waking_app
from tests.factories_core import PATIENCE, eventually
from tests.factories_jobs import job_in, make_job
from tests.redis_server import RedisServer, own_redis

ROOT = Path(__file__).parents[2]
RABBIT = "amqp://guest:guest@127.0.0.1:5672//"


class Site:
    """An installation whose worker and beat are processes of their own."""

    def __init__(self, data_dir: Path, database_url: str, broker_url: str) -> None:
        self.settings = Settings(data_dir=data_dir, database_url=database_url, broker_url=broker_url)
        self.runtime = Runtime.open(self.settings)
        self.database = self.runtime.database
        migrate(self.database)
        self._queue = f"catraca-test-{uuid.uuid4().hex}"
        self._log = (data_dir / "celery.log").open("wb")
        self._processes: list[subprocess.Popen[bytes]] = []

    def wake_by_broker(self) -> None:
        self.database.wake = wake_with(waking_app(self.settings, self.runtime, self._queue))

    def start(self, role: str, hangs: str = "", lease: float = 120) -> None:
        environment = {
            **os.environ,
            "CATRACA_DATA_DIR": str(self.settings.data_dir),
            "CATRACA_DATABASE_URL": self.settings.resolved_database_url,
            "CATRACA_BROKER_URL": self.settings.broker_url.get_secret_value(),
            "EFFECT_QUEUE": self._queue,
            "EFFECT_HANGS": hangs,
            "EFFECT_LEASE_SECONDS": str(lease),
            "PYTHONPATH": str(ROOT),
        }
        options = {"worker": ["--pool", "prefork", "--concurrency", "2", "--without-mingle"], "beat": ["--pidfile="]}[
            role
        ]
        command = [sys.executable, "-m", "celery", "-A", "tests.effect_celery", role, *options]
        self._processes.append(
            subprocess.Popen(
                command,
                cwd=self.settings.data_dir,  # where beat keeps its file
                env=environment,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        )

    def hanging(self) -> int:
        """The process that hangs in the handler, when it does."""
        file = self.settings.data_dir / "hanging"
        eventually(file.exists)
        return int(file.read_text())

    def kill_everything(self) -> None:
        """Every process of every role, with its children, as a power cut would."""
        for process in self._processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)
        self._processes.clear()

    def finish(self, job_id: int) -> None:
        """Wait until the job is done."""
        try:
            eventually(lambda: job_in(self.database, job_id).status == "done")
        except AssertionError as error:
            self._log.flush()
            error.add_note((self.settings.data_dir / "celery.log").read_text()[-4000:])
            raise

    def close(self) -> None:
        self.kill_everything()
        self._log.close()
        self.runtime.close()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with own_redis() as server:
        yield server


@pytest.fixture
def site(redis_server: RedisServer, database_url: str, tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "data", database_url, redis_server.url)
    yield made
    made.close()


@pytest.fixture
def rabbit_site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    try:
        socket.create_connection(("127.0.0.1", 5672), timeout=2).close()
    except OSError as error:
        pytest.skip(f"no RabbitMQ on 127.0.0.1:5672: {error}")
    made = Site(tmp_path / "data", database_url, RABBIT)
    yield made
    made.close()


def do_work_of_every_kind(site: Site) -> None:
    """A woken job without any beat, a job that a job asks for; then, with beat, a lost wake-up and a schedule."""
    site.wake_by_broker()
    site.start("worker")
    site.finish(make_job(site.database, "test.effect", "woken"))
    make_job(site.database, "test.chain", "asked for")
    eventually(lambda: "asked for" in effects(site.database))

    site.start("beat")
    site.database.wake = lambda _ids: None
    site.finish(make_job(site.database, "test.effect", "swept"))
    eventually(lambda: "pulse" in effects(site.database))
    made = effects(site.database)
    assert sorted(made) == sorted({"woken", "asked for", "swept", "pulse"})


def test_on_redis_work_is_done(site: Site) -> None:
    do_work_of_every_kind(site)


def test_on_rabbitmq_work_is_done(rabbit_site: Site) -> None:
    do_work_of_every_kind(rabbit_site)


def test_a_flushed_and_a_restarted_broker_lose_nothing(site: Site, redis_server: RedisServer) -> None:
    site.wake_by_broker()
    jobs = [make_job(site.database, "test.effect", "flushed")]
    redis_server.flush()
    redis_server.stop()
    jobs.append(make_job(site.database, "test.effect", "while it was away"))
    redis_server.start()
    site.start("worker")
    site.start("beat")
    for job_id in jobs:
        site.finish(job_id)
    redis_server.stop()
    jobs.append(make_job(site.database, "test.effect", "while it was away again"))
    redis_server.start()
    site.finish(jobs[-1])
    assert [job_in(site.database, job_id).runs for job_id in jobs] == [1, 1, 1]


@pytest.mark.parametrize("moment", ["before", "after"], ids=["before its effect", "between effect and conclusion"])
def test_a_job_in_work_when_everything_is_killed_ends_once_in_effect(site: Site, moment: str) -> None:
    site.wake_by_broker()
    job_id = make_job(site.database, "test.effect", "7")
    site.start("worker", hangs=moment, lease=1)
    site.hanging()
    site.kill_everything()
    assert job_in(site.database, job_id).status == "running"
    site.start("worker")
    site.start("beat")
    site.finish(job_id)
    assert effects(site.database).count("7") == 1
    assert job_in(site.database, job_id).runs == 2


def test_a_child_that_is_killed_in_work_is_replaced(site: Site) -> None:
    site.wake_by_broker()
    job_id = make_job(site.database, "test.effect", "7")
    site.start("worker", hangs="after", lease=1)
    os.kill(site.hanging(), signal.SIGKILL)
    site.finish(make_job(site.database, "test.effect", "8"))
    assert job_in(site.database, job_id).status == "running", "nobody has noticed yet"
    site.start("beat")
    site.finish(job_id)
    assert sorted(set(effects(site.database)) - {"pulse"}) == ["7", "8"]
    assert effects(site.database).count("7") == 1
    assert job_in(site.database, job_id).runs == 2


class DeadBroker:
    """A port that takes connections and answers nothing, and counts who came."""

    def __init__(self) -> None:
        self.visits = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"redis://:Kanarie9f3x@127.0.0.1:{self._listener.getsockname()[1]}/0"

    def _receive(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.visits += 1
                connection.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)


@pytest.mark.parametrize(("rest", "comes_back"), [(3600.0, False), (0.0, True)], ids=["at rest", "after its rest"])
def test_a_broker_that_is_gone_is_left_alone_and_holds_up_no_commit(
    database: Database, runtime: Runtime, rest: float, comes_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.worker.BROKER_REST_SECONDS", rest)
    broker = DeadBroker()
    settings = Settings(data_dir=runtime.settings.data_dir, broker_url=broker.url)
    database.wake = wake_with(waking_app(settings, runtime, "catraca-test-gone"))
    first = make_job(database, key="1")
    visits = broker.visits
    assert visits > 0
    second = make_job(database, key="2")
    assert (broker.visits > visits) is comes_back
    assert sweep(runtime) == [first, second]
    broker.close()
