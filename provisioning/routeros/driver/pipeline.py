"""Many sentences on the way at once over one connection, and each answer to its own: the shell around `wire`.

A window bounds how many commands and bytes are unanswered, and what comes is read while writing, so neither side's
buffers can fill up with both waiting. Whatever goes wrong closes the connection: after a timeout the next command would
be given this one's answer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from provisioning.routeros.connection import RouterLost, RouterSilent, Trapped
from provisioning.routeros.driver.pacing import Bucket, seconds_until, spent
from provisioning.routeros.driver.stream import Stream
from provisioning.routeros.driver.wire import END, Charset, NotTheProtocol, Sentences, encode_word

WINDOW = 64
WINDOW_BYTES = 64 * 1024
_TAG = b".tag="


@dataclass(frozen=True, slots=True)
class Request:
    """A sentence without its end: `body` is encoded words, `cost` what pacing takes for it (0: nothing).

    `login`: a session that has not begun may not know tags, so its answer is taken without one, too.
    """

    body: bytes = field(repr=False)
    cost: int = 0
    login: bool = False


@dataclass(slots=True)
class Answer:
    """What came for a request until its `!done`: its rows, `=ret=`, and each `!trap`."""

    rows: list[dict[str, str]] = field(default_factory=list, repr=False)
    ret: str = ""
    traps: list[Trapped] = field(default_factory=list)
    size: int = field(default=0, repr=False)

    @property
    def trap(self) -> Trapped | None:
        """All traps as one: every message, and the first one's category."""
        if not self.traps:
            return None
        words = dict.fromkeys(trap.message for trap in self.traps)
        return Trapped("; ".join(words), self.traps[0].category)


@dataclass(slots=True)
class Limits:
    """Seconds: `silence` since the last byte came while something is unanswered; `whole` for all of an exchange, or,
    where `each`, from one finished answer to the next."""

    silence: float
    whole: float
    each: bool = False


class Pipeline:
    """One connection. Used by one thread at a time: RuntimeError for a second one. RouterError closes it."""

    def __init__(self, stream: Stream, charset: Charset, pace: Bucket) -> None:
        self.where, self.charset = stream.where, charset
        self._stream, self._pace = stream, pace
        self._sentences = Sentences()
        self._lock = threading.Lock()
        self.closed = False
        """For good: after any failure nothing can be asked here."""
        self._next_tag = 1

    def exchange(self, requests: Sequence[Request], limits: Limits) -> list[Answer]:
        """Send them all and give the answer of each, in their order; a trap of one does not stop the others."""
        with self._alone():
            turn = _Turn(self, requests, limits)
            while not turn.over:
                self._pace, pause = turn.fill(self._pace, monotonic())
                turn.outgoing = turn.outgoing[self._send(turn.outgoing) :]
                if data := self._stream.receive():
                    turn.heard(self._sentences.feed(data), monotonic())
                turn.check(monotonic())  # after a look at what has come: that we slept is not the router's fault
                if not data:
                    patience = turn.patience(monotonic(), pause)
                    self._stream.wait(patience, writing=bool(turn.outgoing))
            return turn.answers

    def close(self) -> None:
        """Close it; under a thread that is waiting in it, which gets RouterLost, too."""
        if self._lock.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._lock.release()
        else:
            self._stream.interrupt()

    def tag(self) -> bytes:
        """A tag that this connection has not had: a late answer can match nobody else's."""
        self._next_tag += 1
        return b"%d" % (self._next_tag - 1)

    def _send(self, data: bytes) -> int:
        return self._stream.send(memoryview(data)) if data else 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("another thread is using this connection")
        try:
            if self.closed:
                raise RouterLost(f"the connection to {self.where} has been closed")
            yield
        except NotTheProtocol as error:
            self._end()
            raise RouterLost(f"{self.where} does not speak the RouterOS API ({error}): check the port") from None
        except BaseException:  # a KeyboardInterrupt, too, leaves answers behind
            self._end()
            raise
        finally:
            self._lock.release()

    def _end(self) -> None:
        if not self.closed:
            self.closed = True
            self._stream.close()


class _Turn:
    """One exchange: what has gone, what is unanswered, and since when."""

    def __init__(self, line: Pipeline, requests: Sequence[Request], limits: Limits) -> None:
        self.answers = [Answer() for _ in requests]
        self.outgoing = b""
        self._line, self._requests, self._limits = line, requests, limits
        self._sent = 0
        self._waiting: dict[bytes, Answer] = {}
        self._login_tag: bytes | None = None
        self._on_the_way = 0
        self._heard_at = self._began_at = monotonic()

    @property
    def over(self) -> bool:
        return not self._waiting and self._sent == len(self._requests)

    def fill(self, pace: Bucket, now: float) -> tuple[Bucket, float | None]:
        """Put on the way what window and pace allow; the seconds for which the pace holds the next one, if it does."""
        ready: list[bytes] = []
        while (request := self._fitting()) is not None:
            if (pause := seconds_until(pace, request.cost, now)) > 0:
                break
            pace = spent(pace, request.cost, now) if request.cost else pace
            ready.append(self._tagged(request, now))
        self.outgoing += b"".join(ready)
        return pace, pause if request is not None else None

    def _fitting(self) -> Request | None:
        """The next request, if the window has room for it; alone, any has."""
        if self._sent == len(self._requests):
            return None
        request = self._requests[self._sent]
        room = len(self._waiting) < WINDOW and self._on_the_way + len(request.body) <= WINDOW_BYTES
        return request if room or not self._waiting else None

    def _tagged(self, request: Request, now: float) -> bytes:
        if not self._waiting:  # nothing was owed to us until now
            self._heard_at = now
            self._began_at = now if self._limits.each else self._began_at
        tag, answer = self._line.tag(), self.answers[self._sent]
        answer.size = len(request.body)
        self._login_tag = tag if request.login else None
        self._waiting[tag] = answer
        self._on_the_way += answer.size
        self._sent += 1
        return request.body + encode_word(_TAG + tag) + END

    def heard(self, sentences: list[list[bytes]], now: float) -> None:
        """Bytes came, and with them these sentences. RouterLost for one that nobody waits for."""
        self._heard_at = now
        for sentence in sentences:
            reply = sentence[0]
            if reply == b"!re":
                self._whose(sentence)[1].rows.append(self._line.charset.fields(sentence))
            elif reply == b"!done":
                self._finish(sentence, now)
            elif reply == b"!trap":
                self._whose(sentence)[1].traps.append(_trapped(self._line.charset.fields(sentence)))
            elif reply == b"!fatal":
                raise RouterLost(f"{self._line.where} ended the session: {self._last_words(sentence)}")
            elif not reply.startswith(b"!"):
                raise NotTheProtocol("a sentence without a reply word")
            # `!empty`, and whatever else a later version may say before its `!done`

    def _finish(self, sentence: list[bytes], now: float) -> None:
        tag, answer = self._whose(sentence)
        answer.ret = self._line.charset.fields(sentence).get("ret", "")
        del self._waiting[tag]
        self._on_the_way -= answer.size
        if self._limits.each:
            self._began_at = now

    def _whose(self, sentence: list[bytes]) -> tuple[bytes, Answer]:
        tag = next((word[len(_TAG) :] for word in sentence if word.startswith(_TAG)), self._login_tag)
        answer = None if tag is None else self._waiting.get(tag)
        if tag is None or answer is None:
            raise RouterLost(f"{self._line.where} answered what was not asked")
        return tag, answer

    def _last_words(self, sentence: list[bytes]) -> str:
        said = self._line.charset.fields(sentence).get("message")
        plain = [word for word in sentence[1:] if not word.startswith((b"=", b"."))]
        return said or " ".join(map(self._line.charset.decode, plain)) or "it gave no reason"

    def patience(self, now: float, pause: float | None) -> float:
        """For how long it is right to wait for bytes."""
        ends = [] if pause is None else [now + pause]
        if self._waiting:
            ends += [self._heard_at + self._limits.silence, self._began_at + self._limits.whole]
        return max(0.0, min(ends, default=now) - now)

    def check(self, now: float) -> None:
        """RouterSilent when patience has ended."""
        if not self._waiting:
            return
        where, limits = self._line.where, self._limits
        if now - self._heard_at >= limits.silence:
            raise RouterSilent(f"{where} has not answered for {limits.silence:g} s: it is overloaded or hangs")
        if now - self._began_at >= limits.whole:
            raise RouterSilent(f"{where} has not finished its answer within {limits.whole:g} s: it is too slow")


def _trapped(fields: dict[str, str]) -> Trapped:
    category = fields.get("category", "")
    known = len(category) == 1 and category.isdecimal()
    return Trapped(fields.get("message") or "no reason given", int(category) if known else None)
