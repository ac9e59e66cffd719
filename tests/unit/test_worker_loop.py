"""The loop that all workers share, with endpoints that say what a test has them say."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from core.clock import system_clock
from radius.endpoint import Arrived, Endpoint, Source
from radius.store import RecordStore
from radius.tally import Counters, Tally
from radius.worker_loop import WorkerLoop
from radius.worker_report import Sightings, WorkerReport


class ScriptedEndpoint(Endpoint):
    """Gives the batches that it was made with, one at a receive, and keeps what it sends."""

    def __init__(self, *batches: list[bytes], waited: float = 0.0) -> None:
        self._other, bound = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        super().__init__(bound)
        self._other.send(b"there is something to read")
        self.batches = list(batches)
        self.waited = waited
        self.sent: list[bytes] = []
        self.failures: list[OSError] = []

    def receive(self) -> list[Arrived]:
        return [(each, ("192.0.2.1", 1, b"", self.fileno())) for each in self.batches.pop(0)] if self.batches else []

    def send(self, replies: Sequence[Arrived]) -> list[OSError]:
        self.sent += [reply for reply, _ in replies]
        return self.failures

    def arrived_at(self) -> float:
        return time.time() - self.waited

    def close(self) -> None:
        self._other.close()
        super().close()


class Echo:
    """Answers all but `silence`, raises at `failure`, and keeps the ticks that it was told."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.ticks: list[float] = []

    def handle(self, datagram: bytes, source: Source, now: object, tick: float) -> bytes | None:
        self.ticks.append(tick)
        if datagram == b"failure":
            raise OSError("disk")
        self.tally.count("answered", "echo")
        return None if datagram == b"silence" else datagram

    def counters(self) -> Counters:
        return self.tally.counters()

    def count_failure(self, error: Exception) -> None:
        self.tally.count("failure", type(error).__name__)

    def sightings(self) -> Sightings:
        return {7: (1, 2, 3)}


class Worker(WorkerLoop[Echo]):
    log = logging.getLogger(__name__)
    batch = 128

    def _work(self, ready: Sequence[Endpoint], tick: float) -> None:
        for endpoint in ready:
            self._drain(endpoint, None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordStore]:
    store = RecordStore(tmp_path / "records.lmdb")
    yield store
    store.close()


def turn(store: RecordStore, *endpoints: ScriptedEndpoint) -> tuple[Echo, WorkerReport]:
    """One turn of a worker."""
    service, told, turns = Echo(), list[WorkerReport](), iter([False, True])
    Worker(endpoints, store, service, system_clock, told.append, "worker-1").run(lambda: next(turns))
    for endpoint in endpoints:
        endpoint.close()
    return service, told[-1]


def test_one_bad_datagram_costs_the_others_nothing(store: RecordStore) -> None:
    endpoint = ScriptedEndpoint([b"one", b"failure", b"silence", b"two"])
    _, report = turn(store, endpoint)
    assert endpoint.sent == [b"one", b"two"]
    assert report.counters == {("answered", "echo"): 3, ("failure", "OSError"): 1}
    assert report.latency.answers == 2
    assert (report.name, report.sightings) == ("worker-1", {7: (1, 2, 3)})


def test_a_socket_is_drained_as_far_as_a_batch_and_others_have_their_turn(store: RecordStore) -> None:
    full = [b"x"] * 64
    busy, other = ScriptedEndpoint(full, full, full, [b"last"]), ScriptedEndpoint([b"y"])
    turn(store, busy, other)
    assert len(busy.sent) == 128
    assert other.sent == [b"y"]


def test_what_cannot_be_sent_is_counted(store: RecordStore) -> None:
    endpoint = ScriptedEndpoint([b"one", b"two"])
    endpoint.failures = [BlockingIOError()]
    _, report = turn(store, endpoint)
    assert report.counters["failure", "BlockingIOError"] == 1


def test_delays_count_from_the_arrival_and_time_never_goes_back(store: RecordStore) -> None:
    start = time.monotonic()
    late, quick = ScriptedEndpoint([b"x"] * 64, [b"x"], waited=1.5), ScriptedEndpoint([b"y"], waited=60.0)
    service, report = turn(store, late, quick)
    end = time.monotonic()
    assert all(start - 1.5 <= tick <= end - 1.5 for tick in service.ticks[:65])
    assert service.ticks == sorted(service.ticks)
    assert service.ticks[-1] <= end - 1.5, "nothing waits for a minute: somebody set the clock"
    assert report.latency.seconds >= 65 * 1.5


def test_a_clock_that_was_set_back_is_no_negative_wait(store: RecordStore) -> None:
    start = time.monotonic()
    service, report = turn(store, ScriptedEndpoint([b"x"], waited=-3600))
    assert start <= service.ticks[0] <= time.monotonic()
    assert report.latency.seconds == 0.0
