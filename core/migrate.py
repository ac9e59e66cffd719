"""Bring a database to the present schema, from any released state."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from core.database import Database
from core.database_errors import database_errors

_LOCK = 0x636174726163  # "catrac": any number that no other program on the server uses
_HERE = Path(__file__).parent / "migrations"


def migrate(database: Database, revision: str = "head") -> None:
    """Run every migration that this database lacks, all in one transaction; two at once wait for each other.

    Unavailable when the database is locked, full or gone.
    """
    config = _config()
    with database_errors(), database.engine.execution_options(catraca_write=True).begin() as connection:
        if database.dialect == "postgresql":  # SQLite's BEGIN IMMEDIATE is the lock there
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def is_current(database: Database) -> bool:
    """Whether the database's schema is the one this version of the product expects."""
    with database_errors(), database.engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    return present == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    return config
