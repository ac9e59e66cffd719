"""A UDP peer that does what a test scripts, and remembers every datagram that it received."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any, Self

Script = Callable[["UdpPeer", bytes, Any], bytes | None]
"""(peer, datagram, sender) → what to send back, or None."""


class UdpPeer:
    """Listens on `address` from the moment it is made; runs `script` for each datagram between enter and exit."""

    def __init__(self, script: Script, address: str = "127.0.0.1", port: int = 0) -> None:
        self._script = script
        self._closed = threading.Event()
        self._changed = threading.Condition()
        self._received: list[tuple[bytes, Any]] = []
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((address, port))
        self.socket.settimeout(0.05)
        self.port: int = self.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._closed.set()
        self._thread.join()
        self.socket.close()

    @property
    def received(self) -> list[tuple[bytes, Any]]:
        """(datagram, sender) of each, in order."""
        with self._changed:
            return list(self._received)

    def wait_for(self, count: int, timeout: float = 5.0) -> list[tuple[bytes, Any]]:
        """What was received, once it is at least `count` datagrams."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._received) >= count, timeout), "too few datagrams came"
            return list(self._received)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                datagram, sender = self.socket.recvfrom(8192)
            except OSError:
                continue
            with self._changed:
                self._received.append((datagram, sender))
                self._changed.notify_all()
            answer = self._script(self, datagram, sender)
            if answer is not None:
                self.socket.sendto(answer, sender)


def silent(_peer: UdpPeer, _datagram: bytes, _sender: Any) -> None:
    """Answers nothing."""


def from_the(number: int, script: Script) -> Script:
    """Silent until the datagram of this number (from 1), then as `script`."""

    def answer(peer: UdpPeer, datagram: bytes, sender: Any) -> bytes | None:
        return script(peer, datagram, sender) if len(peer.received) >= number else None

    return answer
