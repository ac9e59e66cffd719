"""The application for `celery -A api.celery_app worker` and `… beat`, on Redis or RabbitMQ."""

from __future__ import annotations

from celery import signals

from api import assembly
from core.logs import configure_logs
from core.runtime import Runtime
from core.settings import Settings
from core.worker import make_app, open_after_fork, wake_with

settings = Settings()
if settings.embedded:
    raise SystemExit("with broker_url memory:// the worker runs inside `catraca up`; name a Redis or RabbitMQ broker")
assembly.load()


@signals.setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
def _set_up_logging(**_signal: object) -> None:
    """Our logs instead of Celery's, because ours cannot carry a secret."""
    configure_logs(settings.log_level, settings.log_format)


_own = open_after_fork(settings)


def current_runtime() -> Runtime:
    """This process's runtime, which wakes workers for the jobs that a job writes."""
    runtime = _own()
    runtime.database.wake = _wake
    return runtime


app = make_app(settings, current_runtime)
app.conf.beat_scheduler = "celery.beat:Scheduler"  # no file: what is due stands in the database
app.conf.beat_max_loop_interval = 1
_wake = wake_with(app)
