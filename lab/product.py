"""The started product, as a user starts it: `catraca up` in a process of its own, spoken to over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

START_SECONDS = 60.0
STOP_SECONDS = 10.0


class DidNotStart(Exception):
    """`catraca up` ended or did not say where it listens; the text is what it printed last."""


class Refused(Exception):
    """The API refused a call; the text is its problem's detail."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a product listens."""

    http_url: str
    auth_port: int
    acct_port: int


class StartedProduct:
    """A context manager: `catraca up` on a data directory and free ports, until the block ends.

    `environment` adds settings (`CATRACA_…`). The process ends with SIGTERM, as systemd would end it.
    """

    def __init__(self, data_dir: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self._environment = {
            **os.environ,
            "CATRACA_DATA_DIR": str(data_dir),
            "CATRACA_RADIUS_ADDRESS": "127.0.0.1",
            "CATRACA_HTTP_PORT": "0",
            "CATRACA_RADIUS_AUTH_PORT": "0",
            "CATRACA_RADIUS_ACCT_PORT": "0",
            **(environment or {}),
        }

    def __enter__(self) -> Self:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        status, self._log = self.data_dir / "status.json", self.data_dir / "product.log"
        status.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "up", "--json-status", str(status)],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        said = self._await(status)
        self.address = Address(said["http_url"], said["auth_port"], said["acct_port"])
        token = Path(said["token_file"]).read_text("ascii").strip()
        self.api = Api(self.address.http_url, token)
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> int:
        """End it as an orderly stop would; gives its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        if hasattr(self, "api"):
            self.api.close()
        return self.process.wait()

    def _await(self, status: Path) -> dict[str, Any]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if status.exists():
                said: dict[str, Any] = json.loads(status.read_text())
                return said
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        raise DidNotStart("\n".join(self._log.read_text(errors="replace").splitlines()[-20:]))


class Api:
    """The product's HTTP API with a token; every answer that is a refusal raises."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=30)

    def get(self, path: str, **query: str | int | bool) -> Any:
        return self._checked(self._client.get(path, params=query))

    def post(self, path: str, **body: Any) -> Any:
        return self._checked(self._client.post(path, json=body))

    def patch(self, path: str, **body: Any) -> Any:
        return self._checked(self._client.patch(path, json=body))

    def close(self) -> None:
        self._client.close()

    def _checked(self, response: httpx.Response) -> Any:
        if response.status_code >= 400:
            raise Refused(response.json().get("detail", response.text))
        return response.json() if response.content else None
