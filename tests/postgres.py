"""PostgreSQL for tests: an own server where its programs are installed, else the URL that the environment gives."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

_SEEDED = ("alembic_version", "address_plan")
"""Tables whose rows a migration writes."""
_counter = itertools.count()


class PostgresServer:
    """Gives empty databases; started on a socket in a temporary directory, or reached by URL."""

    def __init__(self, programs: Path | None, url: str | None) -> None:
        self._programs = programs
        self._url = url
        self._directory: Path | None = None

    def __enter__(self) -> Self:
        if self._programs:
            self._directory = Path(tempfile.mkdtemp(prefix="catraca-pg-", dir=_quickest_directory()))
            self._make(self._programs, self._directory)
            self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._programs and self._directory:
            with suppress(subprocess.CalledProcessError):  # a test stopped it already
                self.stop()
            shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def own(self) -> bool:
        """Whether it is ours to stop."""
        return self._programs is not None

    def stop(self) -> None:
        """Stop the server at once, as a crash would."""
        assert self._programs
        assert self._directory
        _as_postgres(self._programs / "pg_ctl", "-D", self._directory / "data", "-m", "immediate", "stop")

    def _make(self, programs: Path, directory: Path) -> None:
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

    def start(self) -> None:
        """Start the server, again after `stop`."""
        assert self._programs
        assert self._directory
        directory = self._directory
        options = f"-c listen_addresses='' -c unix_socket_directories={directory} -c fsync=off -c max_connections=300"
        _as_postgres(
            self._programs / "pg_ctl",
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
    def database(self) -> Iterator[str]:
        """The URL of a new, empty database; dropped afterwards."""
        name = f"catraca_{os.getpid()}_{next(_counter)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
        self._administer(statement)
        try:
            yield self._address(name)
        finally:  # a connection of its own: the server may have been stopped and started meanwhile
            self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        admin = make_url(self._address("postgres")).set(drivername="postgresql")
        with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement)


def empty_tables(url: str) -> None:
    """Forget every row of a migrated database: much quicker than making another one, or than TRUNCATE."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        connection.execute(f"{others} AND pid <> pg_backend_pid()")
        connection.execute("SET session_replication_role = replica")  # no foreign keys: any order will do
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(%s)", [list(_SEEDED)]
        ).fetchall()
        deletes = [sql.SQL("DELETE FROM {}").format(sql.Identifier(row[0])) for row in found]
        connection.execute(sql.SQL("; ").join(deletes))


def skip_numbers(url: str) -> None:
    """Let every table's ids begin somewhere else, so that no test comes to rely on 1 being the first."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SELECT setval(format('%I.%I', schemaname, sequencename), 40) FROM pg_sequences")


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


def _quickest_directory() -> str:
    """Memory where there is some: a test's database need not outlive the machine."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
