"""The feeder is woken by the database, or finds its way alone; what it notes of hearing from it; the purge."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select, update

from core.clock import system_clock
from core.database import Database
from radius import replica, replica_bell
from radius.feeder import Feeder
from radius.models import ReplicaEntry, ReplicaHost
from radius.presence import HEARD_KEY, is_current
from radius.replica_purge import KEPT, purge_forgotten
from radius.store import RecordStore
from tests.outage import outage
from tests.scenarios.waiting import until

NEVER = 3_600.0
OFTEN = 0.01


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "radius" / "records.lmdb"


@pytest.fixture
def postgresql(database: Database) -> Database:
    if database.dialect != "postgresql":
        pytest.skip("SQLite rings no bell")
    return database


class Running:
    """A feeder in its thread."""

    def __init__(self, database: Database, path: Path, poll_seconds: float) -> None:
        self._path = path
        self._stop = threading.Event()
        self.feeder = Feeder(database, path, "host-1")
        self._thread = threading.Thread(target=self.feeder.run, args=(self._stop, poll_seconds))
        self._thread.start()

    def has(self, key: bytes, value: bytes | None) -> bool:
        store = RecordStore(self._path)
        found = store.get(key) == value
        store.close()
        return found

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        self.feeder.close()


@pytest.fixture
def running(request: pytest.FixtureRequest, database: Database, path: Path) -> Iterator[Running]:
    feeder = Running(database, path, getattr(request, "param", OFTEN))
    yield feeder
    feeder.end()


def put(database: Database, value: bytes) -> None:
    with database.transaction() as tx:
        replica.put(tx, {b"key": value})


def listeners(database: Database) -> list[int]:
    """Processes of the database that listen to the feed."""
    address = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        return [row[0] for row in found]


@pytest.mark.usefixtures("postgresql")
@pytest.mark.parametrize("running", [NEVER], indirect=True)
def test_a_change_is_heard_of_without_asking(
    database: Database, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_bell, "SLOW_POLL_SECONDS", NEVER)
    until(lambda: listeners(database), "the feeder listens")
    for value in (b"1", b"2", b"3"):
        put(database, value)
        until(lambda value=value: running.has(b"key", value), "the change arrives")  # type: ignore[misc]


def test_what_changed_before_it_listened_is_found(database: Database, path: Path) -> None:
    put(database, b"before")
    running = Running(database, path, OFTEN)
    until(lambda: running.has(b"key", b"before"), "the change arrives")
    running.end()


@pytest.mark.usefixtures("postgresql")
def test_when_its_connection_is_cut_it_asks_until_it_listens_again(
    database: Database, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_bell, "AGAIN_SECONDS", 0.5)
    [first] = until(lambda: listeners(database), "the feeder listens")
    with database.transaction() as tx:
        tx.session.scalar(select(func.pg_terminate_backend(first)))
    put(database, b"meanwhile")
    until(lambda: running.has(b"key", b"meanwhile"), "the change arrives")
    until(lambda: [pid for pid in listeners(database) if pid != first], "it listens again")


@pytest.mark.usefixtures("postgresql")
def test_one_that_hears_nothing_goes_back_to_asking(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a connection pooler."""
    monkeypatch.setattr(replica_bell, "CHANNEL", "nobody_rings_here")
    monkeypatch.setattr(replica_bell, "SLOW_POLL_SECONDS", 0.05)
    monkeypatch.setattr(replica_bell, "ring", lambda _session: None)
    monkeypatch.setattr(replica, "ring", lambda _session: None)
    running = Running(database, path, OFTEN)
    until(lambda: listeners(database), "the feeder listens")
    for number in range(5):
        put(database, b"%d" % number)
        until(lambda number=number: running.has(b"key", b"%d" % number), "the change arrives")  # type: ignore[misc]
    until(lambda: not listeners(database), "it gives up listening")
    running.end()


def test_that_the_database_was_heard_of_is_noted_while_it_answers(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radius.feeder.HEARD_SECONDS", 0.0)
    monkeypatch.setattr("radius.feeder.RETRY_SECONDS", 0.01)
    put(database, b"1")
    running = Running(database, path, OFTEN)
    store = RecordStore(path)
    first = until(lambda: store.get(HEARD_KEY), "it is noted")
    assert is_current(first, time.time())
    until(lambda: store.get(HEARD_KEY) != first, "it is noted again")
    with outage(database, "replica_counter"):
        until(lambda: _stands_still(store), "nothing is noted")
    last = store.get(HEARD_KEY)
    until(lambda: store.get(HEARD_KEY) != last, "it is noted again after the outage")
    store.close()
    running.end()


def _stands_still(store: RecordStore) -> bool:
    before = store.get(HEARD_KEY)
    time.sleep(0.2)
    return store.get(HEARD_KEY) == before


def test_what_every_host_has_forgotten_is_purged(database: Database, path: Path) -> None:
    feeder, behind = Feeder(database, path, "host-1"), Feeder(database, path.with_name("2"), "host-2")
    with database.transaction() as tx:
        replica.put(tx, {b"a": b"1", b"b": b"1", b"c": b"1"})
    behind.step()
    with database.transaction() as tx:
        replica.delete(tx, [b"a"])
    feeder.step()
    now = system_clock()
    with database.transaction() as tx:
        assert purge_forgotten(tx, now) == 0, "host-2 has not heard of it"
    behind.step()
    with database.transaction() as tx:
        replica.delete(tx, [b"b"])
    with database.transaction() as tx:
        assert purge_forgotten(tx, now) == 1, "nobody has heard of the second"
        assert purge_forgotten(tx, now) == 0
        assert sorted(tx.session.scalars(select(ReplicaEntry.key))) == [b"b", b"c"]
    for each in (feeder, behind):
        each.step()
        each.close()
    store = RecordStore(path)
    assert [store.get(key) for key in (b"a", b"b", b"c")] == [None, None, b"1"]
    store.close()


def test_a_host_that_was_away_for_longer_forgets_what_was_purged(database: Database, path: Path) -> None:
    away, here = Feeder(database, path, "away"), Feeder(database, path.with_name("2"), "here")
    with database.transaction() as tx:
        replica.put(tx, {b"a": b"1", b"b": b"1"})
    away.step()
    with database.transaction() as tx:
        replica.delete(tx, [b"a"])
        long_ago = system_clock() - KEPT - timedelta(hours=1)
        tx.session.execute(update(ReplicaHost).where(ReplicaHost.host == "away").values(seen_at=long_ago))
    here.step()
    with database.transaction() as tx:
        assert purge_forgotten(tx, system_clock()) == 1
    away.step()
    store = RecordStore(path)
    assert [store.get(key) for key in (b"a", b"b")] == [None, b"1"]
    store.close()
    for each in (away, here):
        each.close()
