"""Migrations: they make what the models say, on both databases, from every state, all or nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, inspect, select, text
from sqlalchemy.exc import DBAPIError

from core import migrate as migrating
from core.database import Database
from core.migrate import is_current, migrate
from core.secrets import Keyring
from core.tables import Base
from tests.factories_rows import fill
from tests.ticking import FakeClock

ROOT = Path(__file__).parents[2]
LAYERS = ("core", "ipam", "radius", "provisioning", "billing_bridge", "api")
VERSIONS = ROOT / "core" / "migrations" / "versions"
CHILD = """
import sys
from pathlib import Path
from core.clock import system_clock
from core.database import Database
from core.migrate import is_current, migrate
from core.secrets import open_keyring
database = Database(sys.argv[1], open_keyring(Path(sys.argv[2])), system_clock)
print("ready", flush=True)
sys.stdin.readline()
migrate(database)
sys.exit(0 if is_current(database) else 9)
"""


def chain() -> list[str]:
    """Every revision, oldest first."""
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


def load_models() -> None:
    """Import every module of the product that defines a table."""
    for layer in LAYERS:
        for path in (ROOT / layer).rglob("*.py"):
            if "(Base)" in path.read_text():
                import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


@pytest.fixture
def empty(database_url: str, keyring: Keyring, clock: FakeClock) -> Iterator[Database]:
    """A database without any table."""
    opened = Database(database_url, keyring, clock)
    yield opened
    opened.close()


def partitions_of(database: Database) -> set[str]:
    """Tables that are a part of another one (PostgreSQL): the models know nothing of them."""
    if database.dialect != "postgresql":
        return set()
    with database.engine.connect() as connection:
        return set(connection.scalars(text("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")))


def whole_tables(database: Database) -> MetaData:
    """Every table as the database describes it, without partitions."""
    partitions = partitions_of(database)
    metadata = MetaData()
    metadata.reflect(database.engine, only=lambda name, _: name not in partitions)
    return metadata


def schema_of(database: Database) -> dict[str, Any]:
    """Everything that both databases can tell of their tables, in an order that does not matter."""
    found = inspect(database.engine)
    partitions = partitions_of(database)

    def named(things: list[Any]) -> dict[str, str]:
        return {str(thing.pop("name")): json.dumps(thing, default=str, sort_keys=True) for thing in map(dict, things)}

    def columns(table: str) -> dict[str, str]:
        return {
            column["name"]: f"{column['type']!r} {column['nullable']} {column.get('default')}"
            for column in found.get_columns(table)
        }

    return {
        table: {
            "columns": columns(table),
            "primary key": named([found.get_pk_constraint(table)]),
            "foreign keys": named(list(found.get_foreign_keys(table))),
            "unique": named(list(found.get_unique_constraints(table))),
            "checks": named(list(found.get_check_constraints(table))),
            "indexes": named(list(found.get_indexes(table))),
        }
        for table in found.get_table_names()
        if table != "alembic_version" and table not in partitions
    }


def contents(database: Database) -> dict[str, list[Any]]:
    """All rows of all tables."""
    metadata = whole_tables(database)
    with database.engine.connect() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in metadata.sorted_tables
            if table.name != "alembic_version"
        }


def drop_everything(database: Database) -> None:
    whole_tables(database).drop_all(database.engine)


def test_the_chain_has_one_end_and_files_named_after_their_revisions() -> None:
    assert chain() == sorted(path.stem for path in VERSIONS.glob("0*.py"))


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    load_models()
    partitions = partitions_of(database)
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _parents: kind != "table" or name not in partitions,
    }
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_and_partial_indexes_are_those_of_the_models(empty: Database) -> None:
    """What alembic does not compare: check constraints, names, conditions of indexes."""
    load_models()
    migrate(empty)
    migrated = schema_of(empty)
    drop_everything(empty)
    Base.metadata.create_all(empty.engine)
    created = schema_of(empty)
    assert migrated.keys() == created.keys() == Base.metadata.tables.keys()
    for table, expected in created.items():
        assert migrated[table] == expected, table


def test_the_address_history_is_parted_by_the_end_of_a_use(database: Database) -> None:
    """What neither alembic nor reflection compares."""
    if database.dialect != "postgresql":
        return  # one table
    with database.engine.connect() as connection:
        [key] = connection.scalars(text("SELECT pg_get_partkeydef('address_history'::regclass)"))
    assert key == "RANGE (until)"
    assert "address_history_default" in partitions_of(database)


def test_an_empty_database_is_not_current_and_a_migrated_one_is(empty: Database) -> None:
    assert not is_current(empty)
    for revision in chain():
        assert not is_current(empty)
        migrate(empty, revision)
    assert is_current(empty)


def test_migrating_twice_does_nothing(database: Database) -> None:
    fill(database.engine)
    before = schema_of(database), contents(database)
    migrate(database)
    assert (schema_of(database), contents(database)) == before
    assert is_current(database)


def test_step_by_step_comes_to_the_same_end(empty: Database) -> None:
    for revision in chain():
        migrate(empty, revision)
    in_steps = schema_of(empty)
    drop_everything(empty)
    migrate(empty)
    assert schema_of(empty) == in_steps


@pytest.mark.parametrize("revision", chain())
def test_every_earlier_state_comes_to_the_present_one_with_its_rows(empty: Database, revision: str) -> None:
    migrate(empty, revision)
    fill(empty.engine)
    before = contents(empty)
    assert all(before.values()), "each table has a row"
    migrate(empty)
    assert is_current(empty)
    after = contents(empty)
    for table, rows in before.items():
        assert len(after[table]) == len(rows), table
        for old, new in zip(rows, after[table], strict=True):
            assert {name: new[name] for name in old.keys() & new.keys()} == {
                name: old[name] for name in old.keys() & new.keys()
            }


def test_a_migration_that_fails_leaves_nothing(empty: Database) -> None:
    """Its last table is there already, of somebody else's making."""
    with empty.engine.begin() as connection:
        connection.execute(text("CREATE TABLE api_token (id INTEGER)"))
    with pytest.raises(DBAPIError):
        migrate(empty)
    assert set(schema_of(empty)) == {"api_token"}
    assert inspect(empty.engine).get_table_names() == ["api_token"]
    with empty.engine.begin() as connection:
        connection.execute(text("DROP TABLE api_token"))
    migrate(empty)
    assert is_current(empty)


def test_processes_that_migrate_at_once_wait_for_each_other(empty: Database, tmp_path: Path) -> None:
    url = empty.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", CHILD, url, str(tmp_path / "keys")]
    pipe = subprocess.PIPE
    children = [subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT) for _ in range(3)]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        child.communicate()
    assert [child.returncode for child in children] == [0] * 3
    assert is_current(empty)


def test_a_directory_with_a_percent_sign_holds_migrations_too(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "100%(x)s"
    odd.symlink_to(VERSIONS.parent)
    monkeypatch.setattr(migrating, "_HERE", odd)
    migrate(empty)
    assert is_current(empty)
