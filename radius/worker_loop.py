"""What the workers share: a blocking loop that drains UDP sockets, and how one comes up.

Why a loop and no event loop: at saturation 64 datagrams cost two system calls and no dispatch at all (asyncio alone
costs more than the whole answer). A worker waits in `poll`, takes a snapshot of the records, and answers until the
sockets are empty or a batch is full. So it works from records that are at most one batch old, and it never holds old
pages while it sleeps.
"""

from __future__ import annotations

import logging
import select
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from core.clock import Clock
from radius.endpoint import Arrived, Endpoint, Source, open_endpoints
from radius.spool import SpoolUnavailable
from radius.steady_loop import WAIT_SECONDS, Ready, Report, SteadyLoop, Stop
from radius.store import RecordStore, StoreUnavailable
from radius.worker_report import Sightings, WorkerReport

_LONGEST_QUEUE_SECONDS = 2.0
"""That a datagram can have waited in a socket's buffer; what seems longer is a clock that was set."""


class Service(Protocol):
    """Datagrams in, replies or silence out, and counters of what came of them. `now` is in the service's own form."""

    def handle(self, datagram: bytes, source: Source, now: Any, tick: float) -> bytes | None: ...

    def counters(self) -> Mapping[tuple[str, str], int]: ...

    def count_failure(self, error: Exception) -> None: ...

    def sightings(self) -> Sightings: ...


class Closable(Protocol):
    def close(self) -> None: ...


Served = TypeVar("Served", bound=Service)
Opened = TypeVar("Opened", bound=Closable)


@contextmanager
def listening(addresses: str, port: int, ready: Ready | None) -> Iterator[Sequence[Endpoint]]:
    """Endpoints bound to all of the addresses (a list with commas); OSError when one cannot be bound."""
    with ExitStack() as opened:
        endpoints = [opened.enter_context(closing(each)) for each in open_endpoints(addresses, port)]
        if ready is not None:
            ready(endpoints[0].name())
        yield endpoints


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


class WorkerLoop(SteadyLoop, Generic[Served]):
    """The loop over a worker's sockets. What is done with what has arrived is the worker's own: `_work`."""

    batch: ClassVar[int]
    """About how many datagrams of a socket are read before the rest of a turn has its time."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        store: RecordStore,
        service: Served,
        clock: Clock,
        report: Report | None = None,
        name: str = "",
    ) -> None:
        super().__init__(service, report)
        self.name = name
        self._endpoints = {endpoint.fileno(): endpoint for endpoint in endpoints}
        self._store = store
        self._service = service
        self._clock = clock
        self._tick = 0.0
        self._poll = select.poll()
        for endpoint in endpoints:
            self._poll.register(endpoint, select.POLLIN)

    @abstractmethod
    def _work(self, ready: Sequence[Endpoint], tick: float) -> None:
        """Do what is due, and take in what has arrived at the endpoints that are `ready`."""

    def _patience(self, tick: float) -> float:
        """Seconds until there is something to do besides reading, WAIT_SECONDS at most."""
        return WAIT_SECONDS

    def _gauges(self) -> Mapping[str, float]:
        """What the worker holds right now, for its report."""
        return {}

    def _turn(self) -> None:
        polled = self._poll.poll(self._patience(time.monotonic()) * 1000)
        tick = time.monotonic()
        self._work([self._endpoints[descriptor] for descriptor, _ in polled], tick)
        self._tell(tick)

    def _told(self) -> WorkerReport:
        gauges = {"last_turn": time.time(), **self._gauges()}
        service = self._service
        return WorkerReport(self.name, service.counters(), self._latency.latency(), service.sightings(), gauges)

    def _drain(self, endpoint: Endpoint, now: Any) -> float:
        """Hand over what has arrived, about a batch at most, and send the replies that there are at once.

        Gives when the first of it had arrived, in epoch seconds.
        """
        first = 0.0
        for _ in range(0, self.batch, endpoint.most):
            arrived = endpoint.receive()
            if not arrived:
                break
            arrived_at = endpoint.arrived_at() or time.time()
            first = first or arrived_at
            replies = self._replies(arrived, now, self._tick_of(arrived_at))
            if replies:
                self._send(endpoint, replies)
                self._latency.count(_since(arrived_at), len(replies))
            if len(arrived) < endpoint.most:
                break
        return first

    def _tick_of(self, arrived_at: float) -> float:
        """Monotonic seconds of an instant just past, never going back: delays count from there, not from when a busy
        worker came to look."""
        waited = min(_since(arrived_at), _LONGEST_QUEUE_SECONDS)
        self._tick = max(self._tick, time.monotonic() - waited)
        return self._tick

    def _replies(self, arrived: Sequence[Arrived], now: Any, tick: float) -> list[Arrived]:
        handle = self._service.handle
        replies = []
        for datagram, source in arrived:
            try:
                reply = handle(datagram, source, now, tick)
            except Exception as error:  # one datagram's, which is no reason to forget the others
                self._swallow(error)
                continue
            if reply is not None:
                replies.append((reply, source))
        return replies

    def _send(self, endpoint: Endpoint, replies: Sequence[Arrived]) -> None:
        """Send without waiting: a reply that finds no room is lost like any datagram, and asked for again."""
        for error in endpoint.send(replies):
            self._service.count_failure(error)

    def _send_each(self, replies: Sequence[Arrived]) -> None:
        """Send replies to sources of any of the endpoints, each from its own."""
        for descriptor, endpoint in self._endpoints.items():
            if own := [each for each in replies if each[1][-1] == descriptor]:
                self._send(endpoint, own)


def _since(instant: float) -> float:
    """Seconds since an instant (epoch seconds) by the clock of the kernel's time stamps."""
    return max(0.0, time.time() - instant)
