"""`catraca radius` as an installation runs it: a process tree of its own, on a prepared data directory and database."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr
from sqlalchemy import select

from bench.machine import children_of, pinned
from bench.records import SECRET, access_records
from core.database import Transaction
from core.migrate import migrate
from core.runtime import Runtime
from core.settings import Settings
from radius import nas, replica
from radius.models import SpoolPosition
from radius.records import AccessRecord, pack
from radius.spool import START, Position, SpoolReader, spool_name, spools_in

PATIENCE = 120.0
_CHUNK = 5_000


def settings_for(data_dir: Path, url: str | None = None, **more: Any) -> Settings:
    """Settings of a host on loopback, with ports that are free now; `url` None: SQLite in the data directory."""
    auth, acct = free_ports(2)
    given = {} if url is None else {"database_url": url}
    return Settings(
        data_dir=data_dir, radius_address="127.0.0.1", radius_auth_port=auth, radius_acct_port=acct,
        **{"log_level": "warning", "log_format": "json", **given, **more},
    )  # fmt: skip


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def prepare(settings: Settings, subscribers: int) -> None:
    """Migrate the database, add this machine as a NAS, and publish the records of that many subscribers."""
    runtime = Runtime.open(settings)
    try:
        migrate(runtime.database)
        with runtime.database.transaction() as tx:
            nas.add_nas(tx, name="bench", network="127.0.0.0/8", secret=SECRET, require_message_authenticator=False)
        records = access_records(subscribers)
        while chunk := list(islice(records, _CHUNK)):
            with runtime.database.transaction() as tx:
                publish(tx, chunk)
    finally:
        runtime.close()


def publish(tx: Transaction, records: Iterable[AccessRecord]) -> None:
    entries: dict[bytes, bytes] = {}
    for record in records:
        entries |= pack(record, tx.keyring.seal)
    replica.put(tx, entries)


class RadiusHost:
    """The process tree; a context manager. `core` pins it, `environment` is added to that of all its processes."""

    def __init__(self, settings: Settings, *, core: str = "", environment: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self.log_path = settings.data_dir / "radius.log"
        self._pinned = pinned(core) if core else []
        self._environment = {**os.environ, **variables(settings), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text("utf-8", "replace")

    def start(self, *, wait: bool = True) -> None:
        """Start it; `wait`: until it serves."""
        size = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._pinned, sys.executable, "-m", "api.cli", "radius"],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        if wait:
            self.await_that(lambda: b"RADIUS on" in self.log_path.read_bytes()[size:], "RADIUS serves")

    def stop(self) -> None:
        """An orderly stop, by force when it does not listen. Safe to call twice."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill_everything()
        self._process = None

    def pids(self, role: str) -> list[int]:
        """Processes of a role ("auth", "accounting", "sync") that live, in order of pid."""
        found = children_of(self.pid)
        return sorted(pid for pid, command in found.items() if f"radius.child {role}" in command)

    def kill(self, role: str) -> int:
        """kill -9 one process of this role; gives its pid."""
        self.await_that(lambda: self.pids(role), f"a {role} process runs")
        pid = self.pids(role)[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_everything(self) -> None:
        """kill -9 the whole process group, as a power cut would end it."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def await_that(self, condition: Any, what: str, patience: float = PATIENCE) -> None:
        """Wait; AssertionError with the end of the log when the host ends, or it does not come true in time."""
        deadline = time.monotonic() + patience
        while not condition():
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                why = "the host ended" if ended else f"not within {patience:.0f} s"
                raise AssertionError(f"{what}: {why}\n{self.log[-3000:]}")
            time.sleep(0.02)


def variables(settings: Settings) -> dict[str, str]:
    """The settings that were given, as environment variables."""
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    plain = {name: each.get_secret_value() if isinstance(each, SecretStr) else each for name, each in values.items()}
    return {f"CATRACA_{name.upper()}": str(value) for name, value in plain.items() if value is not None}


def is_drained(runtime: Runtime) -> bool:
    """Whether everything that the spools of this host hold is in the database."""
    with runtime.database.reading() as tx:
        rows = {row.spool: Position(row.segment, row.offset) for row in tx.session.scalars(select(SpoolPosition))}
    for directory in spools_in(runtime.settings.spool_dir.parent):
        if SpoolReader(directory).read(rows.get(spool_name(directory), START), 1)[0]:
            return False
    return True
