"""Redis for tests: a server of our own that keeps nothing on disk and may be stopped and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from typing import Self

import pytest

PROGRAM = shutil.which("redis-server")
START_SECONDS = 30.0


def need_redis() -> None:
    """Skip the test where Redis is not installed, saying so; in CI fail instead."""
    if PROGRAM is not None:
        return
    if os.environ.get("CI"):
        pytest.fail("Redis tests may not be skipped in CI: install redis-server")
    pytest.skip("no redis-server (Debian package redis-server)")


class RedisServer:
    """Listens on a port of loopback that stays the same from start to start; what it held is lost with a stop."""

    def __init__(self) -> None:
        need_redis()
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, again after `stop`, and wait until it answers."""
        assert PROGRAM is not None
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no", "daemonize": "no"}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([PROGRAM, *words], stdout=subprocess.DEVNULL, cwd="/tmp")
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self.port):
            assert self._process.poll() is None, "redis-server ended at once"
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it, as a crash would; nothing happens when it is stopped already."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
