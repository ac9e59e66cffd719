"""A NAS as load: lines that each have one request under way, retransmit it as routers do, and go on when it is
answered.

A line never forgets a request: it is sent again, octet for octet, until it is answered or the line's tries are used up.
So what a line knows to be acknowledged is what a real NAS would believe to be safe.
"""

from __future__ import annotations

import heapq
import resource
import select
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from bench.wire import answers

LINES_PER_SOCKET = 128
"""A line has two Identifiers of its own, which it uses by turns."""


class Line(ABC):
    """One subscriber's end: what it asks next, and what it makes of the answer."""

    __slots__ = ("place", "request", "sent_at", "serial", "tries")

    def __init__(self) -> None:
        self.place = 0
        self.serial = 0
        self.tries = 0
        self.request: bytes | None = None
        self.sent_at = 0.0
        """Monotonic, of the first transmission."""

    @property
    @abstractmethod
    def port(self) -> int:
        """Where the request under way goes."""

    @abstractmethod
    def ask(self, identifier: int) -> bytes | None:
        """The next request; None: this line is done."""

    @abstractmethod
    def answered(self, reply: bytes, at: float) -> None:
        """An authentic reply to the request under way came at `at` (monotonic)."""

    def given_up(self) -> None:  # noqa: B027 - most lines never give up
        """No reply to any try. The line goes on with its next request."""


class NasLoad:
    """Runs lines in a thread between `start` and `stop`; `pace` is new requests per second (None: as fast as it goes).

    `waits` are the seconds before each retransmission, the last one for ever; `most_tries` 0: it never gives up.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        secret: bytes,
        *,
        pace: float | None = None,
        waits: Sequence[float] = (0.5,),
        most_tries: int = 0,
        address: str = "127.0.0.1",
    ) -> None:
        self._lines, self._secret, self._pace, self._waits = lines, secret, pace, waits
        self._most_tries, self._address = most_tries, address
        self._ready = deque(lines)
        self._due: list[tuple[float, int, int]] = []
        self._under_way = 0
        self._stopping, self._abandoned = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="nas-load", daemon=True)
        self.failure: BaseException | None = None
        self.sent = self.resent = self.answered = self.given_up = self.strange = 0
        """`strange`: replies that answer nothing that is under way (late ones too, after a retransmission)."""
        for place, line in enumerate(lines):
            line.place = place
        count = -(-len(lines) // LINES_PER_SOCKET)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < count + 256:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 1024), hard))
        self._sockets = [_socket(address) for _ in range(count)]
        self._numbers = {each.fileno(): number for number, each in enumerate(self._sockets)}

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience: float = 60.0) -> None:
        """Ask nothing new, and wait until all that is under way is answered; AssertionError when that takes longer."""
        self._stopping.set()
        self._thread.join(patience)
        late = self._thread.is_alive()
        self._abandoned.set()
        self._thread.join()
        for each in self._sockets:
            each.close()
        if self.failure is not None:
            raise self.failure
        if late:
            raise AssertionError(f"{self._under_way} requests were never answered, in {patience:.0f} s")

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            self.failure = error

    def _serve(self) -> None:
        poller = select.epoll(len(self._sockets))
        for each in self._sockets:
            poller.register(each, select.EPOLLIN)
        begun = time.monotonic()
        while not self._abandoned.is_set() and (self._under_way or (self._ready and not self._stopping.is_set())):
            for number, _ in poller.poll(self._patience(begun), 256):
                self._receive(self._numbers[number])
            now = time.monotonic()
            self._retransmit(now)
            if not self._stopping.is_set():
                self._go_on(now - begun)
        poller.close()

    def _patience(self, begun: float) -> float:
        if self._ready and not self._stopping.is_set():
            if self._pace is None:
                return 0.0
            return min(0.01, max(0.0, begun + (self.sent + 1) / self._pace - time.monotonic()))
        return 0.02

    def _go_on(self, elapsed: float) -> None:
        """Let lines that are ready ask, a few at a time so that answers are not kept waiting."""
        room = 64 if self._pace is None else min(64, int(elapsed * self._pace) - self.sent)
        while room > 0 and self._ready:
            line = self._ready.popleft()
            place = line.place % LINES_PER_SOCKET
            request = line.ask(2 * place + (line.serial & 1))
            if request is None:
                continue
            line.request, line.tries, line.serial = request, 0, line.serial + 1
            line.sent_at = time.monotonic()
            self._under_way += 1
            self.sent += 1
            self._transmit(line, line.sent_at)
            room -= 1

    def _transmit(self, line: Line, now: float) -> None:
        wait = self._waits[min(line.tries, len(self._waits) - 1)]
        line.tries += 1
        heapq.heappush(self._due, (now + wait, line.place, line.serial))
        assert line.request is not None
        with suppress(OSError):  # no room, or nobody there: the retransmission will see
            self._sockets[line.place // LINES_PER_SOCKET].sendto(line.request, (self._address, line.port))

    def _retransmit(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, place, serial = heapq.heappop(self._due)
            line = self._lines[place]
            if line.request is None or line.serial != serial:
                continue
            if self._most_tries and line.tries >= self._most_tries:
                self.given_up += 1
                line.given_up()
                self._free(line)
            else:
                self.resent += 1
                self._transmit(line, now)

    def _receive(self, number: int) -> None:
        receive, first = self._sockets[number].recv, number * LINES_PER_SOCKET
        while True:
            try:
                reply = receive(4096, socket.MSG_DONTWAIT)
            except OSError:
                return
            place = first + (reply[1] >> 1) if len(reply) > 1 else len(self._lines)
            line = self._lines[place] if place < len(self._lines) else None
            if line is None or line.request is None or not answers(reply, line.request, self._secret):
                self.strange += 1
                continue
            self.answered += 1
            line.answered(reply, time.monotonic())
            self._free(line)

    def _free(self, line: Line) -> None:
        line.request = None
        self._under_way -= 1
        self._ready.append(line)


def _socket(address: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    made.bind((address, 0))
    return made
