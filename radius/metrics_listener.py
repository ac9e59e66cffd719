"""`/metrics` and `/healthz` of a RADIUS host that has no API beside it: a small HTTP listener in the supervisor.

It answers two addresses from files, to one reader after another; a reader that dawdles is cut off.
"""

from __future__ import annotations

import hmac
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

from core.logs import get_logger
from core.settings import Settings
from radius.metrics_health import host_complaints
from radius.metrics_page import CONTENT_TYPE, page
from radius.processes import RadiusNotStarted

PATIENCE_SECONDS = 5.0
log = get_logger("radius.metrics")


class MetricsListener:
    """Listens from its making until `stop`, in a thread. RadiusNotStarted when it cannot."""

    def __init__(self, settings: Settings, running: Callable[[], Mapping[str, bool]]) -> None:
        """`running` tells which RADIUS processes run, by name."""
        address, port = settings.radius_metrics_address, settings.radius_metrics_port
        try:
            self._server = _Server((address, port), _handler(settings, running))
        except OSError as error:
            detail = f"TCP port {port} on {address} cannot be listened on: {error.strerror}"
            raise RadiusNotStarted(detail) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def may_read(settings: Settings, authorization: str) -> bool:
    """Whether a request with this header may read `/metrics`."""
    if settings.metrics_token is None:
        return True
    expected = f"Bearer {settings.metrics_token.get_secret_value()}"
    return hmac.compare_digest(expected.encode(), authorization.strip().encode())


class _Server(HTTPServer):
    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: object, client_address: object) -> None:
        log.warning("a reader of the metrics got no answer", error=type(sys.exc_info()[1]).__name__)


def _handler(settings: Settings, running: Callable[[], Mapping[str, bool]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE_SECONDS
        server_version, sys_version = "catraca", ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                if may_read(settings, self.headers.get("Authorization", "")):
                    self._answer(200, CONTENT_TYPE, page(settings.data_dir))
                else:
                    self._answer(401, "text/plain", b"send the header Authorization: Bearer ...\n")
            elif path == "/healthz":
                wrong = host_complaints(settings.data_dir, time.time(), running())
                body = {"status": "unwell" if wrong else "ok", "complaints": wrong}
                self._answer(503 if wrong else 200, "application/json", json.dumps(body).encode() + b"\n")
            else:
                self._answer(404, "text/plain", b"there are /metrics and /healthz\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """A reader every few seconds is no news."""

    return Handler
