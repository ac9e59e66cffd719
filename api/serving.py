"""HTTP on a socket of our own: bound before anything else starts, so that port 0 works and a taken port is told."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

DRAIN_SECONDS = 2
START_SECONDS = 15.0


class AddressTaken(Exception):
    """The HTTP address cannot be listened on; the text says why."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, and the URL that reaches it."""

    socket: socket.socket
    url: str


def listen(address: str, port: int) -> Listener:
    """Bind and listen. AddressTaken when that cannot be."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        bound = socket.create_server((address, port), family=family, backlog=512)
    except OSError as error:
        raise AddressTaken(f"cannot listen on {address} port {port} for HTTP: {error.strerror}") from error
    host = f"[{address}]" if family == socket.AF_INET6 else address
    reachable = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    return Listener(bound, f"http://{reachable}:{bound.getsockname()[1]}")


class HttpServer:
    """The application on a listener, in a thread."""

    def __init__(self, app: ASGIApp, listener: Listener) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        self.url = listener.url
        self._socket = listener.socket
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Start and wait until it serves; RuntimeError when it does not."""
        self._thread.start()
        tick = threading.Event()
        waited = 0.0
        while not self._server.started:
            if not self._thread.is_alive() or waited > START_SECONDS:
                raise RuntimeError("the HTTP server did not start")
            tick.wait(0.01)
            waited += 0.01

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def ask_to_stop(self) -> None:
        """Take no more requests; those under way have a moment to end."""
        self._server.should_exit = True

    def stop(self) -> None:
        self.ask_to_stop()
        self._thread.join(timeout=DRAIN_SECONDS + 1)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
