"""The server under test and its peers, each pinned to one core and answering on a loopback port of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CORE = "0"
PG_PORT, FREERADIUS_PORT, CATRACA_PORT, PYRAD_PORT = 54333, 11812, 11912, 11913
SCHEMA = Path("/etc/freeradius/3.0/mods-config/sql/main/postgresql/schema.sql")


@dataclass(frozen=True)
class Server:
    """`pids`: the processes whose CPU time an answer costs."""

    name: str
    port: int
    pids: tuple[int, ...]


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
        yield Server("pyrad server", PYRAD_PORT, (process.pid,))


@contextmanager
def freeradius(directory: Path, kind: str, postgres: int) -> Iterator[Server]:
    """FreeRADIUS with one of the configurations of `freeradius-configs.sh`; `postgres` is the database's pid."""
    names = {
        "pg": "FreeRADIUS + PostgreSQL",
        "pglean": "FreeRADIUS + PostgreSQL, lean",
        "lean": "FreeRADIUS, users file",
    }
    with _pinned(["freeradius", "-f", "-l", "stdout", "-d", str(directory / f"fr-{kind}")], directory) as process:
        _await_udp(process, FREERADIUS_PORT)
        counted = (process.pid,) if kind == "lean" else (process.pid, postgres)
        yield Server(names[kind], FREERADIUS_PORT, counted)


@contextmanager
def peer_database(directory: Path) -> Iterator[int]:
    """PostgreSQL with FreeRADIUS's schema and 100,000 users; gives its pid. Builds FreeRADIUS's configurations too."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    data = directory / "pg"
    shutil.chown(directory, "postgres")
    directory.chmod(0o755)
    _as_postgres(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust")
    listen = f"-p {PG_PORT} -c listen_addresses=127.0.0.1 -c unix_socket_directories={directory}"
    options = f"{listen} -c shared_buffers=256MB"
    with ExitStack() as stack:
        start = [programs / "pg_ctl", "-D", data, "-w", "-l", directory / "pg.log", "-o", options, "start"]
        _as_postgres("taskset", "-c", CORE, *start)
        stack.callback(_as_postgres, programs / "pg_ctl", "-D", data, "-m", "fast", "stop")
        psql = [str(programs / "psql"), "-q", "-h", "127.0.0.1", "-p", str(PG_PORT), "-o", "/dev/null"]
        subprocess.run([*psql, "-U", "postgres", "-c", "create role radius login superuser"], check=True)
        subprocess.run([*psql, "-U", "postgres", "-c", "create database radius owner radius"], check=True)
        for script in (SCHEMA, HERE / "freeradius-populate.sql"):
            inside = [*psql, "-U", "radius", "-d", "radius", "-f", str(script)]
            subprocess.run(inside, check=True, stderr=subprocess.DEVNULL)
        subprocess.run([*psql, "-U", "radius", "-d", "radius", "-c", "vacuum analyze"], check=True)
        build = ["bash", str(HERE / "freeradius-configs.sh")]
        subprocess.run(build, env={**os.environ, "BENCH_DIR": str(directory)}, check=True)
        yield int((data / "postmaster.pid").read_text().splitlines()[0])


def _as_postgres(*command: object) -> None:
    words = [str(word) for word in command]
    subprocess.run(words, user="postgres", check=True, cwd="/", stdout=subprocess.DEVNULL)


@contextmanager
def _pinned(command: list[str], directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (directory / "servers.log").open("ab") as log:
        process = subprocess.Popen(["taskset", "-c", CORE, *command], stdout=log, stderr=log)
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
