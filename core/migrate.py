"""Bring a database to the present schema, from any released state."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from core.database import Database

_HERE = Path(__file__).parent / "migrations"


def migrate(database: Database, revision: str = "head") -> None:
    """Run every migration that this database lacks, all in one transaction."""
    config = _config()
    with database.engine.execution_options(catraca_write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def is_current(database: Database) -> bool:
    """Whether the database's schema is the one this version of the product expects."""
    with database.engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    return present == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    return config
