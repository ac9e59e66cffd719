"""The TCP port of an emulated router, and the thread that takes connections on it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_BACKLOG = 64


class Listener:
    """Listens from the start. `refuse(True)`: the port stays ours, but knocks are refused."""

    def __init__(self, host: str, port: int, came: Callable[[socket.socket], None]) -> None:
        self._came = came
        self._lock = threading.Lock()
        self._closed = False
        self._socket = _bound(host, port)
        self.host: str = host
        self.port: int = self._socket.getsockname()[1]
        self._thread: threading.Thread | None = None
        self._listen()

    def _listen(self) -> None:
        self._socket.listen(_BACKLOG)
        self._thread = threading.Thread(target=self._run, args=(self._socket,), name="emulated-router", daemon=True)
        self._thread.start()

    def refuse(self, refuse: bool) -> None:
        """Refuse knocks from now on, or take them again."""
        with self._lock:
            if self._closed or refuse == (self._thread is None):
                return
            if refuse:
                self._silence()
                self._socket = _bound(self.host, self.port)  # bound, but it does not listen: knocks are refused
            else:
                self._listen()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._silence()

    def _silence(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread
        if self._thread is not None:
            self._thread.join(5.0)
            self._thread = None
        self._socket.close()

    def _run(self, listening: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._came(accepted)


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
