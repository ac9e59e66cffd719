"""A router that does what a script says, byte by byte: for what no well-behaved peer would send."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from provisioning.routeros.connection import Connection, Target
from provisioning.routeros.driver.session import connect

PASSWORD = "s3gredo-do-roteador"
IDLE = 10.0
"""A script that waits longer than this for its peer has failed."""

IMPATIENT = 0.5
"""A timeout that a test waits out; what has to succeed has more."""


def word(text: str | bytes) -> bytes:
    """A word with its length, by the documentation's table."""
    data = text.encode() if isinstance(text, str) else text
    size = len(data)
    for most, width, mark in ((0x7F, 1, 0), (0x3FFF, 2, 0x8000), (0x1FFFFF, 3, 0xC00000), (0xFFFFFFF, 4, 0xE0000000)):
        if size <= most:
            return (size | mark).to_bytes(width, "big") + data
    return b"\xf0" + size.to_bytes(4, "big") + data


def sentence(*words: str | bytes) -> bytes:
    return b"".join(map(word, words)) + b"\0"


class Peer:
    """The router's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(IDLE)
        self.sock = sock

    def heard(self) -> list[str]:
        """The next sentence."""
        words: list[str] = []
        while size := self._size():
            words.append(self._exactly(size).decode("latin-1"))
        return words

    def say(self, *words: str | bytes) -> None:
        self.sock.sendall(sentence(*words))

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, asked: list[str], *rows: dict[str, str], done: str = "!done") -> None:
        """Rows and the end, with the tag of what was asked."""
        for row in rows:
            self.say("!re", *tag_of(asked), *(f"={name}={value}" for name, value in row.items()))
        self.say(done, *tag_of(asked))

    def let_in(self) -> None:
        """Log in whoever comes and say what router this is."""
        self.answer(self.heard())
        self.answer(self.heard(), {"version": "7.20.4 (stable)", "board-name": "CCR2004"})
        self.answer(self.heard(), {"name": "borda"})

    def gone(self) -> None:
        """Wait until the other side has closed."""
        with suppress(ConnectionError):
            while self.sock.recv(65536):
                pass

    def reset(self) -> None:
        """End the connection with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def _size(self) -> int:
        first = self._exactly(1)[0]
        for most, width, mark in ((0x7F, 0, 0), (0xBF, 1, 0x80), (0xDF, 2, 0xC0), (0xEF, 3, 0xE0)):
            if first <= most:
                return int.from_bytes(bytes([first ^ mark]) + self._exactly(width), "big")
        return int.from_bytes(self._exactly(4), "big")

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            got = self.sock.recv(size - len(data))
            if not got:
                raise ConnectionError("the client has gone")
            data += got
        return data


def tag_of(asked: list[str]) -> list[str]:
    return [each for each in asked if each.startswith(".tag=")]


Script = Callable[[Peer], None]


@contextmanager
def scripted(*scripts: Script, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on 127.0.0.1 that plays one script for each connection, in turn; yields its port.

    A script that fails by itself fails the test; the client's going away does not.
    """
    wrong: list[BaseException] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(IDLE)
        thread = threading.Thread(target=_play, args=(listener, scripts, tls, wrong), daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(IDLE)
    assert not thread.is_alive(), "the script never ended"
    if wrong:
        raise wrong[0]


def _play(listener: socket.socket, scripts: tuple[Script, ...], tls: ssl.SSLContext | None, wrong: list[Any]) -> None:
    for script in scripts:
        try:
            sock, _ = listener.accept()
            with sock if tls is None else tls.wrap_socket(sock, server_side=True) as wrapped:
                script(Peer(wrapped))
        except (ConnectionError, ssl.SSLError):
            pass
        except BaseException as error:
            wrong.append(error)
            return


def target(port: int, **other: Any) -> Target:
    """Where the scripted router is."""
    given: dict[str, Any] = {"host": "127.0.0.1", "login": "catraca", "password": PASSWORD, "timeout": 5.0, **other}
    return Target(port=port, **given)


@contextmanager
def session(script: Script, **other: Any) -> Iterator[Connection]:
    """A session with a router that plays the script once it has let us in."""

    def play(peer: Peer) -> None:
        peer.let_in()
        script(peer)

    limits = {name: other.pop(name) for name in ("read_seconds", "writes_per_second") if name in other}
    with scripted(play) as port:
        connection = connect(target(port, **other), **limits)
        try:
            yield connection
        finally:
            connection.close()


def hangs(peer: Peer) -> None:
    peer.heard()
    peer.gone()


def closes_between_answers(peer: Peer) -> None:
    peer.heard()


def says_fatal(peer: Peer) -> None:
    peer.heard()
    peer.say("!fatal", "session terminated on request")


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
