"""Celery as the alarm clock of the outbox, embedded or distributed; the tasks and the rows are the same.

A broker message carries a row's id and nothing else. `Embedded` runs a worker (threads) and a beat inside this
process on `memory://`. Distributed, `celery worker` and `celery beat` load an application made by `make_app`; each
forked child opens a database of its own.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from celery import Celery, signals
from celery.beat import Service
from celery.worker import WorkController, state

from core.apart import ApartPool
from core.jobs import SCHEDULES, run_job, run_periodic, runs_apart, sweep, take_over
from core.logs import get_logger
from core.runtime import Runtime
from core.settings import Settings
from core.wake_socket import WakeListener, wake_path

SWEEP_SECONDS = 1.0
MEMORY_POLL_SECONDS = 0.02
STOP_SECONDS = 3.0
BROKER_CONNECT_SECONDS = 2.0
BROKER_REST_SECONDS = 5.0
log = get_logger("core.worker")


def make_app(settings: Settings, runtime: Callable[[], Runtime]) -> Celery:
    """The Celery application; `runtime` gives the process's own runtime when a task runs."""
    url = settings.broker_url.get_secret_value()
    app = Celery("catraca", broker="memory://localhost" if settings.embedded else url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=BROKER_CONNECT_SECONDS,
        broker_transport_options=_transport_options(settings),
        timezone="UTC",
        beat_schedule=_beat_schedule(),
    )
    app.apart = _add_tasks(app, runtime, settings.router_threads)
    if not settings.embedded:
        signals.worker_process_shutdown.connect(lambda **_signal: app.apart.stop(STOP_SECONDS), weak=False)
    return app


def _transport_options(settings: Settings) -> dict[str, Any]:
    """One try to reach the broker and no more: somebody's request waits for it, and the sweep needs no message."""
    if settings.embedded:
        return {"polling_interval": MEMORY_POLL_SECONDS}
    options: dict[str, Any] = {"max_retries": 0}
    if settings.broker_url.get_secret_value().startswith("redis"):
        options["socket_connect_timeout"] = BROKER_CONNECT_SECONDS
        options["ack_emulation"] = False  # the sweep finds what is lost; to put it back without Redis ends a worker
    return options


def _add_tasks(app: Celery, open_runtime: Callable[[], Runtime], apart_threads: int) -> ApartPool:
    """The tasks of this application alone (`shared=False`): another one in this process has another runtime.

    Gives the threads of jobs that run apart; the first such job starts them, in the process that has it.
    """
    wake = wake_with(app)

    def runtime() -> Runtime:
        found = open_runtime()
        found.database.wake = wake  # what a handler puts into the outbox is not left to the sweep
        return found

    apart = ApartPool(runtime, apart_threads)

    @app.task(name="catraca.run_job", shared=False)  # type: ignore[untyped-decorator]
    def run_one(job_id: int) -> None:
        if runs_apart(runtime(), job_id):
            apart.put(job_id)
        else:
            run_job(runtime(), job_id)

    @app.task(name="catraca.run_periodic", shared=False)  # type: ignore[untyped-decorator]
    def run_schedule(name: str) -> None:
        run_periodic(runtime(), name)

    @app.task(name="catraca.nothing", shared=False)  # type: ignore[untyped-decorator]
    def do_nothing() -> None:
        """Only makes a waiting consumer look up."""

    @app.task(name="catraca.sweep", shared=False)  # type: ignore[untyped-decorator]
    def sweep_outbox() -> None:
        wake(sweep(runtime()))

    return apart


def _beat_schedule() -> dict[str, dict[str, Any]]:
    schedule: dict[str, dict[str, Any]] = {
        "sweep": {"task": "catraca.sweep", "schedule": SWEEP_SECONDS, "options": {"expires": 10}}
    }
    for item in SCHEDULES.values():
        schedule[item.name] = {
            "task": "catraca.run_periodic",
            "schedule": item.seconds,
            "args": (item.name,),
            "options": {"expires": max(10.0, item.seconds)},
        }
    return schedule


def wake_with(app: Celery) -> Callable[[list[int]], None]:
    """A `Database.wake` that sends the ids through the broker; a broker that is gone only makes us slower.

    After a failure it leaves the broker alone for a while: only the first of many commits waits for a connection.
    """
    resting_until = 0.0

    def wake(job_ids: list[int]) -> None:
        nonlocal resting_until
        if time.monotonic() < resting_until:
            return
        try:
            for job_id in job_ids:
                app.send_task("catraca.run_job", args=(job_id,), retry=False)
        except Exception as error:
            resting_until = time.monotonic() + BROKER_REST_SECONDS
            log.warning("the broker did not take a wake-up; the sweep will", reason=type(error).__name__)

    return wake


class Embedded:
    """Worker and beat in daemon threads of this process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.app = make_app(runtime.settings, lambda: runtime)
        self.app.finalize()
        runtime.database.wake = wake_with(self.app)
        self._wake_listener = WakeListener(wake_path(runtime.settings.data_dir), runtime.database.wake)
        self._ready = threading.Event()
        self._controller = WorkController(
            app=self.app,
            pool="threads",
            concurrency=runtime.settings.worker_threads,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            ready_callback=lambda _consumer: self._ready.set(),
        )
        self._beat = Service(self.app, max_interval=1.0, scheduler_cls="celery.beat:Scheduler")
        self._threads = [
            threading.Thread(target=self._run_worker, name="worker", daemon=True),
            threading.Thread(target=self._beat.start, name="beat", daemon=True),
        ]

    def start(self, timeout: float = 15.0) -> None:
        """Start both and wait until the worker consumes; RuntimeError when it does not."""
        if self._runtime.database.dialect == "sqlite":  # its directory is held by us: whoever worked here is dead
            take_over(self._runtime)
        state.should_stop = None
        self.app.set_default()  # Celery's pool threads look the task up in the process's default application
        for thread in self._threads:
            thread.start()
        if not self._ready.wait(timeout):
            raise RuntimeError("the embedded worker did not start")
        self._wake_listener.start()

    @property
    def alive(self) -> bool:
        """Whether worker and beat both still run."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Ask both to end; unfinished jobs keep their rows and run at the next start."""
        self._wake_listener.stop()
        self._beat.stop()
        state.should_stop = 0
        for _ in range(2):  # the consumer looks at `should_stop` between messages, or after two waits of 2 s
            self.app.send_task("catraca.nothing")
        for thread in self._threads:
            thread.join(timeout=STOP_SECONDS)
        self.app.apart.stop(STOP_SECONDS)

    def _run_worker(self) -> None:
        with contextlib.suppress(SystemExit):
            self._controller.start()


def open_after_fork(settings: Settings) -> Callable[[], Runtime]:
    """For prefork workers: each child opens its own runtime when it is born; gives the accessor."""
    own: dict[str, Runtime] = {}

    def open_own(**_signal: object) -> None:
        own["runtime"] = Runtime.open(settings)

    signals.worker_process_init.connect(open_own, weak=False)

    def current() -> Runtime:
        if "runtime" not in own:
            open_own()
        return own["runtime"]

    return current
