"""Emulated routers in a process of their own, so that they cost the product nothing but the wire."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Self

LOGIN, PASSWORD = "catraca", "catraca-secret"


class RouterLab:
    """A context manager: `python -m lab.routeros` with that many routers; `ports` in their order."""

    def __init__(self, routers: int, latency: float = 0.0) -> None:
        self._command = [sys.executable, "-m", "lab.routeros", "--routers", str(routers), "--json"]
        self._command += ["--latency", str(latency)] if latency else []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports: list[int] = self._read()["ports"]
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def tell(self, **what: Any) -> dict[str, Any]:
        """One command and its answer, as `lab.routeros.__main__` has them."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the routers ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
