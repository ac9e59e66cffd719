"""The peers, and our authentication worker: each pinned to the server's core, on a loopback port of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.generator import HERE
from bench.machine import SERVER_CORE

PG_PORT, CATRACA_PORT, PYRAD_PORT = 54333, 11912, 11913
FREERADIUS = {
    "pg": ("FreeRADIUS + PostgreSQL", 11820),
    "pglean": ("FreeRADIUS + PostgreSQL, lean", 11822),
    "lean": ("FreeRADIUS, users file", 11824),
    "pgms": ("FreeRADIUS + PostgreSQL, lean", 11826),
    "leanms": ("FreeRADIUS, users file", 11828),
}
"""Configuration of `freeradius-configs.sh` → its name in tables, and its port; accounting is on the next."""
SCHEMA = Path("/etc/freeradius/3.0/mods-config/sql/main/postgresql/schema.sql")


@dataclass(frozen=True)
class Server:
    """`pids`: the processes whose CPU time an answer costs, with all their children."""

    name: str
    port: int
    pids: tuple[int, ...]


class PeerDatabase:
    """PostgreSQL on the server's core, with FreeRADIUS's schema and its 100,000 users; `pid` is the postmaster's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]

    @property
    def pid(self) -> int:
        return int((self.directory / "pg" / "postmaster.pid").read_text().splitlines()[0])

    def start(self) -> None:
        listen = f"-p {PG_PORT} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.directory}"
        options = f"{listen} -c shared_buffers=256MB -c max_connections=250 -c max_wal_size=4GB"
        log = self.directory / "pg.log"
        start = [self._programs / "pg_ctl", "-D", self.directory / "pg", "-w", "-l", log, "-o", options, "start"]
        _as_postgres("taskset", "-c", SERVER_CORE, *start)

    def stop(self, how: str = "fast") -> None:
        _as_postgres(self._programs / "pg_ctl", "-D", self.directory / "pg", "-m", how, "stop")

    def run(self, database: str, *what: str) -> str:
        """psql's answer, without decoration."""
        command = [self._programs / "psql", "-qAt", "-h", "127.0.0.1", "-p", PG_PORT, "-U", "postgres", "-d", database]
        words = [str(word) for word in (*command, *what)]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{PG_PORT}/{database}"

    def make(self) -> None:
        """A new server in the directory, running and empty."""
        shutil.chown(self.directory, "postgres")
        self.directory.chmod(0o755)
        _as_postgres(self._programs / "initdb", "-D", self.directory / "pg", "-U", "postgres", "-A", "trust")
        self.start()

    def populate(self) -> None:
        """What FreeRADIUS needs."""
        self.run("postgres", "-c", "create role radius login superuser")
        self.run("postgres", "-c", "create database radius owner radius")
        self.run("radius", "-c", "set role radius", "-f", str(SCHEMA), "-f", str(HERE / "freeradius-populate.sql"))
        self.run("radius", "-c", "vacuum analyze")


@contextmanager
def postgres(directory: Path) -> Iterator[PeerDatabase]:
    """A PostgreSQL of its own in `directory`; needs root, which PostgreSQL refuses to be, to become its user."""
    server = PeerDatabase(directory)
    server.make()
    try:
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):
            server.stop("immediate")


@contextmanager
def catraca(directory: Path, subscribers: int) -> Iterator[Server]:
    """One authentication worker of ours over a filled store."""
    command = [sys.executable, "-m", "bench.serve_catraca", str(directory), str(CATRACA_PORT), str(subscribers)]
    with _pinned(command, directory) as process:
        _await_udp(process, CATRACA_PORT)
        yield Server("Catraca", CATRACA_PORT, (process.pid,))


@contextmanager
def pyrad(directory: Path, subscribers: int) -> Iterator[Server]:
    """pyrad's own server, with the same users in a dict."""
    command = [sys.executable, "-m", "bench.serve_pyrad", str(PYRAD_PORT), str(subscribers)]
    with _pinned(command, directory) as process:
        _await_udp(process, PYRAD_PORT)
        yield Server("pyrad's server", PYRAD_PORT, (process.pid,))


@contextmanager
def freeradius(directory: Path, kinds: tuple[str, ...], database: PeerDatabase) -> Iterator[dict[str, Server]]:
    """FreeRADIUS, one process for each of the configurations, all running; PostgreSQL counts where it is asked."""
    build = ["bash", str(HERE / "freeradius-configs.sh")]
    subprocess.run(build, env={**os.environ, "BENCH_DIR": str(directory), "PG_PORT": str(PG_PORT)}, check=True)
    with ExitStack() as stack:
        servers = {}
        for kind in kinds:
            name, port = FREERADIUS[kind]
            command = ["freeradius", "-f", "-l", "stdout", "-d", str(directory / f"fr-{kind}")]
            process = stack.enter_context(_pinned(command, directory))
            _await_udp(process, port)
            alone = kind.startswith("lean")
            servers[kind] = Server(name, port, (process.pid,) if alone else (process.pid, database.pid))
        yield servers


def _as_postgres(*command: object) -> None:
    words = [str(word) for word in command]
    user = "postgres" if os.geteuid() == 0 else None
    subprocess.run(words, user=user, check=True, cwd="/", stdout=subprocess.DEVNULL)


@contextmanager
def _pinned(command: list[str], directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (directory / "servers.log").open("ab") as log:
        process = subprocess.Popen(["taskset", "-c", SERVER_CORE, *command], stdout=log, stderr=log)
    try:
        yield process
    except RuntimeError as error:
        error.add_note((directory / "servers.log").read_text(errors="replace")[-2000:])
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_udp(process: subprocess.Popen[bytes], port: int, patience: float = 120.0) -> None:
    """Wait until somebody has the port."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                time.sleep(0.5)
                return
        time.sleep(0.1)
    raise RuntimeError(f"nothing listens on UDP {port}: {process.args!r}")
