"""Databases for tests: every test that takes `database` runs on SQLite and again on PostgreSQL."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from core.clock import Clock, system_clock
from core.database import Database
from core.migrate import migrate
from core.runtime import Runtime
from core.secrets import Keyring, open_keyring
from core.settings import Settings
from tests.postgres import PostgresServer, empty_tables, find_postgres, skip_numbers
from tests.ticking import FakeClock

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("suite")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for this session; a missing one fails in CI and skips elsewhere, saying why."""
    with _found(may_be_stopped=False) as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that the test may stop; the session's own stays for others."""
    with _found(may_be_stopped=True) as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test moves it; starts on 2026-03-02 12:00 UTC, a Monday."""
    return FakeClock()


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return open_keyring(tmp_path / "keys")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database that nobody else uses."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catraca.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating anew for each test would take most of the suite's time."""
    directory = tmp_path_factory.mktemp("migrated")
    _migrate(f"sqlite:///{directory / 'template.db'}", directory)
    return directory / "template.db"


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database, emptied after each test that used it."""
    with postgres.database() as url:
        _migrate(url, tmp_path_factory.mktemp("migrated"))
        skip_numbers(url)
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database that nobody else uses."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "catraca.db")
        yield f"sqlite:///{tmp_path / 'catraca.db'}"
        return
    url: str = request.getfixturevalue("migrated_postgres")
    yield url
    empty_tables(url)


@pytest.fixture
def database(migrated_url: str, keyring: Keyring, clock: Clock) -> Iterator[Database]:
    """A migrated database on the test's own clock."""
    opened = Database(migrated_url, keyring, clock)
    yield opened
    opened.close()


@pytest.fixture
def runtime(database: Database, migrated_url: str, keyring: Keyring, clock: Clock, tmp_path: Path) -> Runtime:
    """What a process would have, around the test's database and clock."""
    product = Settings(data_dir=tmp_path, database_url=migrated_url)
    return Runtime(product, database, keyring, clock)


@pytest.fixture(autouse=True)
def nobody_changes_logging() -> Iterator[None]:
    """A test that leaves another level behind makes tests after it deaf."""
    before = logging.getLogger().level
    yield
    assert logging.getLogger().level == before, "this test changed the level of the root logger"


@pytest.fixture
def keep_logging() -> Iterator[None]:
    """The command line sets up logging for its process, which here is the tests' own."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def command_line(runtime: Runtime, keep_logging: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """`catraca` works on the test's installation."""
    assert runtime.settings.database_url is not None
    monkeypatch.setenv("CATRACA_DATABASE_URL", runtime.settings.database_url.get_secret_value())
    monkeypatch.setenv("CATRACA_DATA_DIR", str(runtime.settings.data_dir))


def _found(*, may_be_stopped: bool) -> PostgresServer:
    server, reason = find_postgres()
    if server is not None and (server.own or not may_be_stopped):
        return server
    reason = reason or "the server that the environment names is not ours to stop"
    if os.environ.get("CI"):
        pytest.fail(f"PostgreSQL tests may not be skipped in CI: {reason}")
    pytest.skip(f"no PostgreSQL: {reason}")


def _migrate(url: str, directory: Path) -> None:
    opened = Database(url, open_keyring(directory / "keys"), system_clock)
    migrate(opened)
    opened.close()
