"""Directories, databases and hosts that last as long as one benchmark."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.host import RadiusHost, prepare, settings_for
from bench.results import Options
from bench.servers import PeerDatabase
from bench.servers import postgres as own_postgres


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory that other users may enter, for PostgreSQL and FreeRADIUS."""
    with tempfile.TemporaryDirectory(prefix="catraca-bench-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@contextmanager
def prepared_host(
    options: Options, subscribers: int, *, postgres: bool, core: str = "", **settings: Any
) -> Iterator[RadiusHost]:
    """`catraca radius` running on a new SQLite or PostgreSQL database with that many subscribers."""
    with scratch() as directory, ExitStack() as stack:
        url = None
        if postgres:
            url = catraca_database(stack.enter_context(own_postgres(directory)))
        chosen = settings_for(directory / "data", url, **settings)
        prepare(chosen, subscribers)
        yield stack.enter_context(RadiusHost(chosen, core=core))


def catraca_database(server: PeerDatabase) -> str:
    """The URL of a new database for the product."""
    server.run("postgres", "-c", "create database catraca template template0 encoding 'UTF8'")
    return server.url("catraca")
