"""Threads of their own for jobs that wait for other machines: one that is slow takes no slot from anybody else.

A job is only claimed by the thread that runs it. While all threads are busy the others wait unclaimed: another process
may take them meanwhile, and the sweep finds whatever a process takes with it when it dies.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.jobs import run_job
from core.logs import get_logger

if TYPE_CHECKING:
    from core.runtime import Runtime

log = get_logger("core.apart")


class ApartPool:
    """At most `most` daemon threads of this process, begun as they are needed; `runtime` gives what they work with."""

    def __init__(self, runtime: Callable[[], Runtime], most: int) -> None:
        self._runtime = runtime
        self._most = most
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._change = threading.Condition()
        self._waiting: dict[int, None] = {}
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._stopping = False

    def put(self, job_id: int) -> None:
        """Run the job as soon as a thread is free. One that waits here already is not put twice.

        One that runs is: it may have been told again because of what it has not seen; if not, the claim fails.
        """
        if self._process != os.getpid():  # a fork takes no threads along
            self._begin()
        with self._change:
            if self._stopping:
                return
            self._waiting[job_id] = None
            if len(self._waiting) > self._idle and len(self._threads) < self._most:
                self._start_one()
            self._change.notify()

    def stop(self, timeout: float) -> None:
        """Begin nothing any more and wait for what runs, at most `timeout` seconds together; put after it is ignored.

        What does not end in time keeps its row, as after a crash.
        """
        until = time.monotonic() + timeout
        with self._change:
            self._stopping = True
            self._waiting.clear()
            self._change.notify_all()
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _start_one(self) -> None:
        thread = threading.Thread(target=self._work, name=f"apart-{len(self._threads) + 1}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (job_id := self._next()) is not None:
            try:
                run_job(self._runtime(), job_id)
            except Exception as error:  # the database is away: the row is as it was, and the sweep comes again
                log.warning("a job that runs apart was left", job=job_id, reason=type(error).__name__)

    def _next(self) -> int | None:
        with self._change:
            self._idle += 1
            self._change.wait_for(lambda: self._stopping or self._waiting)
            self._idle -= 1
            if self._stopping:
                return None
            job_id = next(iter(self._waiting))
            del self._waiting[job_id]
            return job_id
