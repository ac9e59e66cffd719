"""One child process as its parent sees it; `radius.child` is the other end."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from core.settings import Settings
from radius.child import WORKERS
from radius.worker_settings import WorkerSettings


class ChildFailed(Exception):
    """The child says that it cannot serve, or ended before it said anything."""


class ChildProcess:
    """A place in the process tree, and the process that fills it now, if any."""

    def __init__(self, name: str, role: str) -> None:
        self.name = name
        self.role = role
        self.started_at = 0.0
        """Monotonic seconds."""
        self.ready = False
        """Whether the process that is or was here has said that it serves."""
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: int | None = None
        self._heard = b""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.running else None

    @property
    def exit_code(self) -> int | None:
        """Of the process that ended; negative: killed by that signal."""
        return None if self._process is None else self._process.poll()

    def start(self, settings: Settings) -> None:
        """Start a new interpreter in this place; the one that was there has ended."""
        self.release()
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "radius.child", self.role, str(writing), self.name],
                stdin=subprocess.PIPE,
                pass_fds=(writing,),
            )
        finally:
            os.close(writing)
        self._answers, self._heard = reading, b""
        self.started_at, self.ready = time.monotonic(), False
        assert self._process.stdin is not None  # noqa: S101
        with suppress(BrokenPipeError):  # it has died already, which `hear` will tell
            self._process.stdin.write(_settings_for(self.role, settings))
            self._process.stdin.flush()

    def hear(self, timeout: float) -> dict[str, Any] | None:
        """What the child says when it serves, once; None when it says nothing within `timeout`, or has said it.

        ChildFailed with its reason when it cannot serve.
        """
        deadline = time.monotonic() + timeout
        while self._answers is not None:
            if not select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            piece = os.read(self._answers, 4096)
            self._heard += piece
            if not piece or self._heard.endswith(b"\n"):
                self._close_answers()
                answer = _read_answer(self._heard)
                self.ready = True
                return answer
        return None

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process is not None and self.running:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until it has ended, at `deadline` (monotonic seconds) by force."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.release()

    def release(self) -> None:
        """Give back the pipes of a process that has ended."""
        self._close_answers()
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def _close_answers(self) -> None:
        if self._answers is not None:
            os.close(self._answers)
            self._answers = None


def _read_answer(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise ChildFailed("it ended before it was ready; its log says why")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise ChildFailed(str(answer["error"]))
    return dict(answer["ready"])


def _settings_for(role: str, settings: Settings) -> bytes:
    return WorkerSettings.of(settings).to_json() + b"\n" if role in WORKERS else encode_settings(settings)


def encode_settings(settings: Settings) -> bytes:
    """The line that `main` reads: every setting, secrets in the clear, for a pipe and nothing else."""
    values = {name: _plain(getattr(settings, name)) for name in type(settings).model_fields}
    return json.dumps(values).encode() + b"\n"


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value
