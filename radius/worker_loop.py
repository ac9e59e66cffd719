"""What the workers share: a blocking loop that drains a UDP socket, and how one comes up.

Why a loop and no event loop: at saturation a datagram costs two system calls and no dispatch at all (asyncio alone
costs more than the whole answer). A worker waits in `poll`, takes a snapshot of the records, and answers until the
socket is empty or a batch is full. So it works from records that are at most one batch old, and it never holds old
pages while it sleeps.

Nothing may stop a worker: whatever goes wrong with a datagram, the store or the spool is counted, logged at most once
in a while, and the loop goes on. That happens in one place, `WorkerLoop.run`.
"""

from __future__ import annotations

import gc
import logging
import select
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from core.clock import Clock
from radius.endpoint import Endpoint, Source, open_endpoint
from radius.spool import SpoolUnavailable
from radius.store import RecordStore, StoreUnavailable

WAIT_SECONDS = 0.25
"""Longest sleep: how soon a stop is seen, and what could not be opened is tried again."""
_BREATH_SECONDS = WAIT_SECONDS / 4
_LOG_EVERY_SECONDS = 10.0
_REPORT_EVERY_SECONDS = 5.0

Stop = Callable[[], bool]
Ready = Callable[[tuple[str, int]], None]
"""Told the bound address and port, once."""
Report = Callable[[Mapping[tuple[str, str], int]], None]
"""Told the counters, (result, reason) → how often, every few seconds and at the end."""


class Service(Protocol):
    """Datagrams in, replies or silence out, and counters of what came of them. `now` is in the service's own form."""

    def handle(self, datagram: bytes, source: Source, now: Any, tick: float) -> bytes | None: ...

    def counters(self) -> Mapping[tuple[str, str], int]: ...

    def count_failure(self, error: Exception) -> None: ...


class Closable(Protocol):
    def close(self) -> None: ...


Served = TypeVar("Served", bound=Service)
Opened = TypeVar("Opened", bound=Closable)


@contextmanager
def listening(address: str, port: int, ready: Ready | None) -> Iterator[Endpoint]:
    """A bound endpoint, of which `ready` is told; OSError when the port cannot be bound."""
    with closing(open_endpoint(address, port)) as endpoint:
        if ready is not None:
            ready(endpoint.name())
        yield endpoint


@contextmanager
def awaited(open_it: Callable[[], Opened], stop: Stop, log: logging.Logger) -> Iterator[Opened | None]:
    """What `open_it` opens, as soon as it can; None when `stop()` comes first."""
    told = ""
    while not stop():
        try:
            opened = open_it()
        except (StoreUnavailable, SpoolUnavailable) as error:
            if told != str(error):
                told = str(error)
                log.error("waiting: %s", told)
            time.sleep(WAIT_SECONDS)
        else:
            with closing(opened):
                yield opened
            return
    yield None


class WorkerLoop(ABC, Generic[Served]):
    """The loop over one socket. What is done with what has arrived is the worker's own: `_work`."""

    log: ClassVar[logging.Logger]
    """The worker's, so that a line tells which one it comes from."""
    batch: ClassVar[int]
    """Datagrams that are read at most before the rest of a turn has its time."""

    def __init__(
        self,
        endpoint: Endpoint,
        store: RecordStore,
        service: Served,
        clock: Clock,
        report: Report | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._store = store
        self._service = service
        self._clock = clock
        self._report = report
        self._report_at = 0.0
        self._log_at = 0.0
        self._poll = select.poll()
        self._poll.register(endpoint, select.POLLIN)

    def run(self, stop: Stop) -> None:
        """Serve until `stop()`; the one place where exceptions end."""
        gc.collect()
        gc.freeze()  # what is here by now lasts, and need not be walked again
        while not stop():
            try:
                self._turn()
            except Exception as error:
                self._swallow(error)
        if self._report is not None:
            self._report(self._service.counters())

    @abstractmethod
    def _work(self, tick: float) -> None:
        """Do what is due, and take in what has arrived."""

    def _patience(self, tick: float) -> float:
        """Seconds until there is something to do besides reading, WAIT_SECONDS at most."""
        return WAIT_SECONDS

    def _turn(self) -> None:
        self._poll.poll(self._patience(time.monotonic()) * 1000)
        tick = time.monotonic()
        self._work(tick)
        if self._report is not None and tick >= self._report_at:
            self._report_at = tick + _REPORT_EVERY_SECONDS
            self._report(self._service.counters())

    def _drain(self, now: Any, tick: float) -> None:
        """Hand over what has arrived, at most a batch, and send the replies that there are at once."""
        receive, handle, send = self._endpoint.receive, self._service.handle, self._send
        for _ in range(self.batch):
            try:
                datagram, source = receive()
            except BlockingIOError:
                return
            reply = handle(datagram, source, now, tick)
            if reply is not None:
                send(reply, source)

    def _send(self, reply: bytes, source: Source) -> None:
        """Send without waiting: a reply that finds no room is lost like any datagram, and asked for again."""
        try:
            self._endpoint.send(reply, source)
        except OSError as error:
            self._service.count_failure(error)

    def _swallow(self, error: Exception) -> None:
        """Count, and log where it happened (never the message: it could quote a packet)."""
        self._service.count_failure(error)
        if isinstance(error, StoreUnavailable | OSError):  # which the next turn may well meet again at once
            time.sleep(_BREATH_SECONDS)
        if self._may_complain():
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.log.error("swallowed %s at %s:%s", type(error).__name__, where.filename, where.lineno)

    def _may_complain(self) -> bool:
        """Whether to log now; every few seconds once, since under a flood of errors one line tells as much as all."""
        tick = time.monotonic()
        if tick < self._log_at:
            return False
        self._log_at = tick + _LOG_EVERY_SECONDS
        return True
