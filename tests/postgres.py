"""PostgreSQL for tests: an own server where its programs are installed, else the URL that the environment gives."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

_counter = itertools.count()


class PostgresServer:
    """Gives empty databases; started on a socket in a temporary directory, or reached by URL."""

    def __init__(self, programs: Path | None, url: str | None) -> None:
        self._programs = programs
        self._url = url
        self._directory: Path | None = None

    def __enter__(self) -> Self:
        if self._programs:
            self._directory = Path(tempfile.mkdtemp(prefix="catraca-pg-", dir="/tmp"))
            self._start(self._programs, self._directory)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._programs and self._directory:
            _as_postgres(self._programs / "pg_ctl", "-D", self._directory / "data", "-m", "immediate", "stop")
            shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, programs: Path, directory: Path) -> None:
        shutil.chown(directory, "postgres") if os.geteuid() == 0 else None
        _as_postgres(
            programs / "initdb",
            "-D",
            directory / "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
        )
        options = f"-c listen_addresses='' -c unix_socket_directories={directory} -c fsync=off -c max_connections=300"
        _as_postgres(
            programs / "pg_ctl",
            "-D",
            directory / "data",
            "-w",
            "-l",
            directory / "log",
            "-o",
            options,
            "start",
        )

    def _address(self, name: str) -> str:
        if self._directory:
            return f"postgresql+psycopg://postgres@/{name}?host={self._directory}"
        assert self._url
        return make_url(self._url).set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a new database, empty or a copy of `template`; dropped afterwards."""
        name = f"catraca_{os.getpid()}_{next(_counter)}"
        admin = make_url(self._address("postgres")).set(drivername="postgresql")
        with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
            try:
                yield self._address(name)
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def find_postgres() -> tuple[PostgresServer | None, str]:
    """A server, or the reason why there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return PostgresServer(found[-1].parent, None), ""
    if url := os.environ.get("CATRACA_TEST_POSTGRES_URL"):
        return PostgresServer(None, url), ""
    return None, "neither /usr/lib/postgresql/*/bin nor CATRACA_TEST_POSTGRES_URL is there"


def _as_postgres(*command: object) -> None:
    words = [str(word) for word in command]
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    subprocess.run(words, check=True, user=user, stdout=subprocess.DEVNULL, cwd="/tmp")
