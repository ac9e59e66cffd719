"""A started product with everything that a scenario needs around it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from core.clock import RehearsalClock
from lab.product import Api, StartedProduct
from tests.radclient import Radclient

NAS_SECRET = "scenario-secret-of-the-router"
PROOF_SECONDS = 3600
"""How long the product waits for a proof. Nobody asks again by himself while a test runs; the clock has to be moved."""


@dataclass(frozen=True)
class Installation:
    """`catraca up`, and the offset by which its time runs ahead."""

    product: StartedProduct
    clock: RehearsalClock

    @property
    def api(self) -> Api:
        return self.product.api

    def radclient(self, secret: str = NAS_SECRET, source: str = "127.0.0.1") -> Radclient:
        where = self.product.address
        return Radclient(where.auth_port, where.acct_port, secret, source)

    def http(self) -> httpx.Client:
        """A client that shows refusals as they are."""
        token = (self.product.data_dir / "operator-token").read_text("ascii").strip()
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"{self.product.address.http_url}/api/v1", headers=headers, timeout=60)


@contextmanager
def installed(data_dir: Path, settings: Mapping[str, str] | None = None) -> Iterator[Installation]:
    """The product running for the block; `settings` are `CATRACA_…` variables."""
    clock_file = data_dir / "rehearsal-clock"
    clock = RehearsalClock(clock_file)
    with StartedProduct(data_dir, environment(clock_file, settings)) as product:
        yield Installation(product, clock)


def environment(clock_file: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """The settings of a scenario: a rehearsal's clock, and patience with a machine that is busy."""
    return {
        "CATRACA_REHEARSAL_CLOCK": str(clock_file),
        "CATRACA_SESSION_PROOF_SECONDS": str(PROOF_SECONDS),
        "CATRACA_COA_TIMEOUT_SECONDS": "5",
        "CATRACA_COA_SOURCE_ADDRESS": "127.0.0.1",
        **(settings or {}),
    }


@contextmanager
def workers(data_dir: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """`celery worker` (prefork, two children) and `celery beat` as processes of their own, as with systemd."""
    given = {**os.environ, **environment(data_dir / "rehearsal-clock", settings), "CATRACA_DATA_DIR": str(data_dir)}
    roles = {
        "worker": ["worker", "--pool", "prefork", "--concurrency", "2", "--without-gossip", "--without-mingle"],
        "beat": ["beat"],
    }
    running = [_celery(name, arguments, given, data_dir) for name, arguments in roles.items()]
    try:
        yield
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            _end(process)


def _celery(name: str, arguments: list[str], environment: Mapping[str, str], data_dir: Path) -> subprocess.Popen[bytes]:
    with (data_dir / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "api.celery_app", *arguments],
            env=dict(environment), cwd=data_dir.parent, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
