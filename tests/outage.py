"""A database that is away for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import text

from core.database import Database


@contextmanager
def outage(database: Database, table: str) -> Iterator[None]:
    """Nobody can use the database inside the block. SQLite, which has no server, only misses this table."""
    if database.dialect == "sqlite":
        _rename(database, table, "away")
        yield
        _rename(database, "away", table)
        return
    address = database.engine.url.set(drivername="postgresql", database="postgres")
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as admin:
        name = database.engine.url.database or ""
        _allow(admin, name, "false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        yield
        _allow(admin, name, "true")


def _rename(database: Database, old: str, new: str) -> None:
    with database.transaction() as tx:
        tx.session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def _allow(admin: psycopg.Connection, name: str, whether: str) -> None:
    statement = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    admin.execute(statement.format(sql.Identifier(name), sql.SQL(whether)))
