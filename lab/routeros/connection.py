"""One client's connection: octets in, sentences carried out in their order, octets out. One thread each."""

from __future__ import annotations

import logging
import socket
import ssl
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.routeros.commands import carry_out
from lab.routeros.faults import Armed, Kind
from lab.routeros.listening import Listens
from lab.routeros.login import Login
from lab.routeros.sentences import Answer, Asked, encode_fatal, encode_refusal
from lab.routeros.state import Author
from lab.routeros.traps import Refusal
from lab.routeros.words import NotTheProtocol, SentenceReader

if TYPE_CHECKING:
    from lab.routeros.core import Core

_log = logging.getLogger(__name__)
_CHUNK = 1 << 18
_HANDSHAKE_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.05
_TCP_ESTABLISHED = 1
_AT_ONCE = struct.pack("ii", 1, 0)


class _Ends(Exception):
    """This connection is over after `last`; `reset`: by a reset instead of an orderly end."""

    def __init__(self, last: bytes = b"", *, reset: bool = False) -> None:
        super().__init__()
        self.last, self.reset = last, reset


class ApiConnection:
    """Serves one client until it, or the router, ends the connection."""

    def __init__(self, core: Core, accepted: socket.socket) -> None:
        self._core, self._socket = core, accepted
        self._login = Login(core.state.version, core.users)
        self._reader = SentenceReader()
        self._sending = threading.Lock()
        self._listens = Listens(core.state, self._send)
        self._address = "127.0.0.1"
        self._start = core.starts
        self._thread = threading.Thread(target=self._run, name="emulated-router-api", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def live(self) -> bool:
        """Whether the client still holds its end."""
        try:
            return self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_ESTABLISHED
        except OSError:
            return False

    def drop(self) -> None:
        """End it from another thread, by a reset."""
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # of TLS too: wakes the thread

    def join(self, timeout: float) -> None:
        """Wait until its thread has ended, unless this is that thread."""
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def push_changes(self) -> None:
        """Send what changed to those who listen here."""
        self._listens.push()

    def _run(self) -> None:
        try:
            self._serve()
        except _Ends as end:
            if end.reset:
                with suppress(OSError):
                    self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        except (OSError, NotTheProtocol):
            pass
        except Exception:
            _log.exception("the emulated router failed on a connection")
        finally:
            self._listens.close()
            self._note_user("out")
            self._core.gone(self)
            self._socket.close()

    def _serve(self) -> None:
        if self._core.tls is not None:
            self._socket.settimeout(_HANDSHAKE_SECONDS)
            self._socket = self._core.tls.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
            self._socket.do_handshake()
            self._socket.settimeout(None)
        while octets := self._receive():
            sentences = self._reader.feed(octets)
            self._core.wait(self._core.latency)
            self._answer_all(sentences)

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_CHUNK)
        except ssl.SSLError:
            return b""

    def _answer_all(self, sentences: list[list[bytes]]) -> None:
        """Answers of what came together go out together, unless something strikes."""
        ready: list[bytes] = []
        for sentence in sentences:
            fault = self._core.faults.strike()
            if fault is not None or self._core.faults.delay:
                self._send(b"".join(ready))
                ready.clear()
                self._core.wait(self._core.faults.delay)
            try:
                ready.append(self._answer(sentence) if fault is None else self._struck(fault, sentence))
            except _Ends as end:
                self._send(b"".join(ready) + end.last)
                raise
        self._send(b"".join(ready))
        self._core.tell_listeners()

    def _struck(self, fault: Armed, sentence: list[bytes]) -> bytes:
        if fault.kind is Kind.FATAL:
            raise _Ends(encode_fatal(fault.message))
        if fault.kind is Kind.POWER_CUT:
            self._core.restart(fault.lost_writes)
            raise _Ends(reset=True)
        if fault.kind is Kind.HANG:
            answer = self._answer(sentence) if fault.carried_out else None
            self._hang()
            return self._answer(sentence) if answer is None else answer
        if fault.carried_out:
            answer = self._answer(sentence)
            raise _Ends(answer[: max(1, len(answer) // 2)], reset=True)
        raise _Ends(reset=True)

    def _hang(self) -> None:
        """Until healed. A client that has gone by then is answered no more, and nothing else of it is carried out."""
        while not self._core.faults.wait_until_healed(_LOOK_AGAIN_SECONDS):
            if not self.live:
                raise _Ends
        if not self.live:
            raise _Ends

    def _answer(self, sentence: list[bytes]) -> bytes:
        asked = Asked.read(sentence)
        self._core.count(asked.command)
        try:
            return self._do(asked).encode(asked.tag)
        except Refusal as refused:
            return encode_refusal(refused, asked.tag)

    def _do(self, asked: Asked) -> Answer:
        if asked.command == "/login":
            answer = self._login.take(asked)
            self._note_user("in")
            return answer
        if asked.command == "/quit":
            raise _Ends(encode_fatal("session terminated on request"))
        if self._login.user is None:
            raise _Ends(encode_fatal("not logged in"))
        return self._do_logged_in(asked, self._login.user)

    def _do_logged_in(self, asked: Asked, user: str) -> Answer:
        if (refusal := self._core.faults.refusal(asked.command)) is not None:
            raise refusal
        if asked.command == "/cancel":
            return _After(self._listens.cancel(asked.words.get("tag")))
        if asked.command == "/system/reboot":
            self._core.restart(0)
            raise _Ends(reset=True)
        if asked.verb == "listen":
            self._listens.open(asked)
            return _Later()
        with self._core.state.lock:
            if self._start != self._core.starts:
                raise _Ends(reset=True)
            author = Author(user, address=self._address)
            return carry_out(self._core.state, asked, author, sensitive=self._core.sensitive)

    def _note_user(self, way: str) -> None:
        """In the log: logged in, or out."""
        with self._core.state.lock:
            if self._login.user is not None and self._start == self._core.starts:
                words = f"user {self._login.user} logged {way} from {self._address} via api"
                self._core.state.note("system,info,account", words)

    def _send(self, octets: bytes) -> None:
        if octets:
            with self._sending:
                self._socket.sendall(octets)


class _Later(Answer):
    """`listen` answers when something changes."""

    def encode(self, tag: bytes | None) -> bytes:
        return b""


class _After(Answer):
    """`cancel` is answered after what it cancels."""

    def __init__(self, before: bytes) -> None:
        super().__init__()
        self._before = before

    def encode(self, tag: bytes | None) -> bytes:
        return self._before + super().encode(tag)
