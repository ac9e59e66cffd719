"""A NAS that listens for CoA and Disconnect over TLS and does what a test scripts."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from radius.radsec_tls import TlsFiles
from tests.wire.radsec_server import frame
from tests.wire.worker_thread import TIMEOUT

Script = Callable[["TlsPeer", bytes], bytes | None]
"""(peer, request) → octets to send back; b"" closes the connection, None keeps silent."""


class TlsPeer:
    """Serves each connection in a thread of its own between enter and exit."""

    def __init__(self, files: TlsFiles, script: Script) -> None:
        self._script = script
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_cert_chain(files.certificate, files.private_key)
        self._context.load_verify_locations(cafile=files.ca)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        """How many have shaken hands."""
        self.received: list[bytes] = []
        self._open: list[ssl.SSLSocket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(TIMEOUT)

    def hang_up(self) -> None:
        """Close all connections."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(accepted,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, accepted: socket.socket) -> None:
        with accepted:
            accepted.settimeout(TIMEOUT)
            try:
                tls = self._context.wrap_socket(accepted, server_side=True)
            except OSError:
                return
            with tls, suppress(OSError):
                self.connections += 1
                self._open.append(tls)
                while request := frame(tls):
                    self.received.append(request)
                    answer = self._script(self, request)
                    if answer == b"":
                        return
                    if answer is not None:
                        tls.sendall(answer)
