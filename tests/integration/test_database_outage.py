"""A database that is locked, full, damaged or gone: Unavailable with a reason, nothing changed, and all well after."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import QueuePool

import core.database
from core.database import Database
from core.errors import Unavailable
from core.leases import Lease
from core.migrate import is_current, migrate
from core.secrets import Keyring
from tests.factories_core import PATIENCE, audit_of, note, race
from tests.factories_jobs import jobs_in
from tests.postgres import PostgresServer
from tests.ticking import FakeClock

BIG = "x" * 200_000


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a lock."""
    monkeypatch.setattr(core.database, "SQLITE_BUSY_SECONDS", 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catraca.db"


@pytest.fixture
def sqlite(impatient: None, file: Path, keyring: Keyring, clock: FakeClock) -> Iterator[Database]:
    """A migrated SQLite database."""
    database = Database(f"sqlite:///{file}", keyring, clock)
    migrate(database)
    yield database
    database.close()


def write(database: Database, key: str = "1", filling: str = "") -> None:
    with database.transaction() as tx:
        tx.enqueue("test.kind", key)
        tx.audit("noted", "thing", key, note=filling)


def refusal(database: Database, *, filling: str = "") -> str:
    """What a write is refused with; nobody may be woken for it."""
    woken: list[list[int]] = []
    database.wake = woken.append
    with pytest.raises(Unavailable) as error:
        write(database, "refused", filling)
    assert woken == []
    assert error.value.status == 503
    assert error.value.retry_after > 0
    return error.value.detail


def written(database: Database) -> list[str]:
    assert [job.key for job in jobs_in(database)] == [entry.entity_id for entry in audit_of(database, "thing")]
    return [job.key for job in jobs_in(database)]


def test_locked(sqlite: Database, file: Path) -> None:
    write(sqlite)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "locked by another writer" in refusal(sqlite)
        assert written(sqlite) == ["1"], "reading goes on"
        with pytest.raises(Unavailable, match="locked"):
            migrate(sqlite)
        other.execute("ROLLBACK")
    write(sqlite, "2")
    assert written(sqlite) == ["1", "2"]


def test_locked_for_a_moment(file: Path, keyring: Keyring, clock: FakeClock) -> None:
    """With the time that the product waits, a writer that comes second is only later."""
    database = Database(f"sqlite:///{file}", keyring, clock)
    migrate(database)
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        release.start()
        write(database)
        release.join(PATIENCE)
    assert written(database) == ["1"]
    database.close()


def test_a_new_file_opened_by_many_at_once(tmp_path: Path, keyring: Keyring, clock: FakeClock) -> None:
    """Each comes as a process of its own would; the first one changes the file's mode, the others wait for it."""
    for url in [f"sqlite:///{tmp_path / str(number)}.db" for number in range(60)]:

        def first_write(_racer: int, url: str = url) -> str:
            database = Database(url, keyring, clock)
            with closing(database), database.transaction() as tx:
                return str(tx.session.scalar(text("PRAGMA journal_mode")))

        assert race(12, first_write) == ["wal"] * 12


def test_full(sqlite: Database) -> None:
    write(sqlite)

    @event.listens_for(sqlite.engine, "connect")
    def limit(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sqlite.engine.dispose()
    assert "disk is full" in refusal(sqlite, filling=BIG)
    assert written(sqlite) == ["1"]
    event.remove(sqlite.engine, "connect", limit)
    sqlite.engine.dispose()
    write(sqlite, "2", BIG)
    assert written(sqlite) == ["1", "2"]


def test_damaged(sqlite: Database, file: Path) -> None:
    sqlite.engine.dispose()
    for part in file.parent.glob("catraca.db*"):
        part.unlink()
    file.write_bytes(b"this is no database at all" * 1000)
    assert "damaged" in refusal(sqlite)


def test_its_directory_is_gone(sqlite: Database, file: Path, keyring: Keyring, clock: FakeClock) -> None:
    database = Database(f"sqlite:///{file.parent}/nowhere/catraca.db", keyring, clock)
    assert "cannot be opened" in refusal(database)
    with pytest.raises(Unavailable, match="cannot be opened"):
        is_current(database)


def test_read_only(sqlite: Database, file: Path, keyring: Keyring, clock: FakeClock) -> None:
    write(sqlite)
    database = Database(f"sqlite:///file:{file}?mode=ro&uri=true", keyring, clock)
    assert "may not be written" in refusal(database)
    assert written(database) == ["1"]
    database.close()


def test_no_tables_yet(database_url: str, keyring: Keyring, clock: FakeClock) -> None:
    database = Database(database_url, keyring, clock)
    assert "catraca migrate" in refusal(database)
    migrate(database)
    write(database)
    assert written(database) == ["1"]
    database.close()


def test_no_connection_left(database: Database) -> None:
    crowded = Database(database.engine.url.render_as_string(hide_password=False), database.keyring, database.clock)
    crowded.engine.pool = QueuePool(crowded.engine.pool._creator, pool_size=1, max_overflow=0, timeout=0)
    with crowded.transaction() as first:
        note(first, "thing", "1")
        first.session.flush()
        assert "no connection left" in refusal(crowded)
    assert len(audit_of(crowded, "thing")) == 1
    crowded.close()


def test_gone_and_back(own_postgres: PostgresServer, keyring: Keyring, clock: FakeClock) -> None:
    with own_postgres.database() as url:
        whole = make_url(url).set(database="postgres")  # the server is ours: its own database is one to use
    database = Database(whole.render_as_string(hide_password=False), keyring, clock)
    migrate(database)
    write(database)

    def stop_in_the_middle() -> None:
        with database.transaction() as tx:
            note(tx, "thing", "lost")
            tx.session.flush()
            own_postgres.stop()

    with pytest.raises(Unavailable, match="cannot be reached"):
        stop_in_the_middle()
    assert "cannot be reached" in refusal(database)
    with pytest.raises(Unavailable, match="cannot be reached"), database.reading() as tx:
        tx.session.scalar(select(Lease.name))
    with pytest.raises(Unavailable, match="cannot be reached"):
        is_current(database)
    own_postgres.start()
    assert written(database) == ["1"]
    write(database, "2")
    assert written(database) == ["1", "2"]
    database.close()


def test_deadlocked(postgres: PostgresServer, keyring: Keyring, clock: FakeClock) -> None:
    with postgres.database() as url:
        database = Database(url, keyring, clock)
        migrate(database)
        with database.transaction() as tx:
            tx.session.add_all([Lease(name=name, holder="", until=tx.now) for name in "ab"])
        both = threading.Barrier(2)
        reasons: list[str] = []

        def touch(order: str) -> None:
            with suppress(Unavailable), database.transaction() as tx:
                tx.session.execute(text(f"UPDATE lease SET holder = 'x' WHERE name = '{order[0]}'"))
                both.wait(PATIENCE)
                try:
                    tx.session.execute(text(f"UPDATE lease SET holder = 'x' WHERE name = '{order[1]}'"))
                except Exception as error:
                    reasons.append(type(getattr(error, "orig", error)).__name__)
                    raise

        threads = [threading.Thread(target=touch, args=(order,)) for order in ("ab", "ba")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert reasons == ["DeadlockDetected"], "one was undone, as Unavailable, and the other went through"
        database.close()
