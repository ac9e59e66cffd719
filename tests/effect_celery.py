"""The application for `celery -A tests.effect_celery`: prefork worker and beat of a test, on a queue of its own."""

from __future__ import annotations

import os
from datetime import timedelta

from celery import Celery
from kombu.entity import Queue

import core.job_queue
from core.runtime import Runtime
from core.settings import Settings
from core.worker import make_app, open_after_fork
from tests import effect


def on_queue(app: Celery, name: str) -> Celery:
    """Keep a shared broker's other users apart; the queue goes when nobody uses it."""
    app.conf.task_default_queue = name
    queue = Queue(name, routing_key=name, auto_delete=True, expires=600)  # type: ignore[no-untyped-call]
    app.conf.task_queues = [queue]
    return app


def waking_app(settings: Settings, runtime: Runtime, queue: str) -> Celery:
    """For the process that only wakes workers, as the API's does."""
    return on_queue(make_app(settings, lambda: runtime), queue)


if "EFFECT_QUEUE" in os.environ:  # in a process of Celery's
    effect.register()
    core.job_queue.LEASE = timedelta(seconds=float(os.environ["EFFECT_LEASE_SECONDS"]))
    _settings = Settings()
    app = on_queue(make_app(_settings, open_after_fork(_settings)), os.environ["EFFECT_QUEUE"])
    app.conf.beat_max_loop_interval = 1
