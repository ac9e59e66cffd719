"""A Redis server for tests: on a port of its own, with nothing on disk."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import pytest
import redis

DEADLINE = 30.0


class RedisServer:
    """Runs inside `with`; may be stopped and started again, empty, on the same port."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._directory = Path(tempfile.mkdtemp(prefix="catraca-redis-"))
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def start(self) -> None:
        options = {
            "--port": self._port,
            "--bind": "127.0.0.1",
            "--dir": self._directory,
            "--save": "",
            "--appendonly": "no",
        }
        command = [self._program, *[str(word) for pair in options.items() for word in pair]]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + DEADLINE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self._program} did not start on port {self._port}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill it: what it held is gone."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def flush(self) -> None:
        """Forget everything, as an operator's FLUSHALL does."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


def own_redis() -> RedisServer:
    """A server to start; without the program the test fails in CI and skips elsewhere, saying why."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("Redis tests may not be skipped in CI: redis-server is not installed")
        pytest.skip("no Redis: redis-server is not installed")
    return RedisServer(program)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
