"""Clients for emulated routers: bare librouteros, and one that sends any octets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Self

import librouteros
from librouteros.connections import SocketTransport
from librouteros.login import plain, token
from librouteros.protocol import ApiProtocol, encode_sentence

from lab.routeros.emulator import EmulatedRouter

USER, PASSWORD = "catraca", "catraca-secret"


@contextmanager
def bare_api(router: EmulatedRouter, encoding: str = "utf-8", **settings: Any) -> Iterator[Any]:
    """librouteros as it comes, logged in."""
    login = token if router.state.version < (6, 43, 0) else plain
    api = librouteros.connect(
        router.host, USER, PASSWORD, port=router.port, encoding=encoding, login_method=login, timeout=5.0, **settings
    )
    with closing(api):
        yield api


def refused(call: Any) -> str:
    """The router's words for a call that it refuses."""
    try:
        list(call() or ())
    except librouteros.exceptions.MultiTrapError as several:
        return ", ".join(trap.message for trap in several.traps)
    except librouteros.exceptions.TrapError as trap:
        return str(trap.message)
    raise AssertionError("it was not refused")


def stocked(version: str = "7.20.4") -> EmulatedRouter:
    """Four secrets: ana, bia and caio with profiles, dora disabled."""
    router = EmulatedRouter(version)
    router.by_hand("/ppp/profile/add", name="gold", rate_limit="10M/50M")
    router.by_hand("/ppp/secret/add", name="ana", profile="gold", comment="catraca:s1:secret da rua 2")
    router.by_hand("/ppp/secret/add", name="bia", service="pppoe", limit_bytes_in="9")
    router.by_hand("/ppp/secret/add", name="caio", profile="gold", service="pppoe", limit_bytes_in="10")
    router.by_hand("/ppp/secret/add", name="dora", disabled="yes", remote_address="10.0.0.4")
    return router


class RawClient:
    """Sends what it is told and gives whole answers as words, latin-1 for any octets."""

    def __init__(self, router: EmulatedRouter, tls: ssl.SSLContext | None = None, *, log_in: bool = True) -> None:
        self.socket: socket.socket = socket.create_connection((router.host, router.port), 5.0)
        if tls is not None:
            with closing(self.socket) as plain_socket:
                self.socket = tls.wrap_socket(plain_socket, server_hostname=router.host)
        self._protocol = ApiProtocol(SocketTransport(self.socket), "latin-1")
        if log_in:
            assert self.ask("/login", f"=name={USER}", f"=password={PASSWORD}") == [["!done"]]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.socket.close()

    def send(self, *sentences: Sequence[str]) -> None:
        """All in one piece."""
        self.socket.sendall(b"".join(encode_sentence(*words, encoding="latin-1") for words in sentences))

    def sentence(self) -> list[str]:
        """The next one that comes."""
        return list(iter(self._protocol.readWord, ""))

    def answer(self) -> list[list[str]]:
        """All sentences up to `!done` or `!fatal`."""
        sentences = [self.sentence()]
        while sentences[-1][0] not in ("!done", "!fatal"):
            sentences.append(self.sentence())
        return sentences

    def ask(self, *words: str) -> list[list[str]]:
        self.send(words)
        return self.answer()

    def names(self, *words: str) -> list[str]:
        """The names of the rows that a print with these words gives."""
        rows = self.ask(*words)
        return [word.removeprefix("=name=") for row in rows for word in row if word.startswith("=name=")]

    def ended(self) -> bool:
        """Whether the router has ended the connection, in whatever way."""
        try:
            while self.socket.recv(4096):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True
