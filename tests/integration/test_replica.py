"""The feed in the database, and the store that follows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from core.clock import system_clock
from core.database import Database
from core.errors import Unavailable
from core.outcomes import Applied, Retry
from radius import replica
from radius.feeder import Feeder, StoreLost
from radius.models import ReplicaCounter, ReplicaEntry, ReplicaHost
from radius.replica import FeedPosition
from radius.store import RecordStore
from tests.outage import outage

SOON = timedelta(seconds=10)


def put(database: Database, **entries: str) -> int:
    """Commit these entries; the revision that they got."""
    with database.transaction() as tx:
        replica.put(tx, {key.encode(): value.encode() for key, value in entries.items()})
    return revision(database)


def revision(database: Database) -> int:
    with database.reading() as tx:
        return replica.current_revision(tx)


def stored(path: Path) -> dict[str, str]:
    """What a worker finds in the store."""
    store = RecordStore(path)
    with store.snapshot() as snapshot:
        found = {key.decode(): value.decode() for key, value in snapshot.scan(b"") if not key.startswith(b"\0")}
    store.close()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "radius" / "records.lmdb"


@pytest.fixture
def feeder(database: Database, path: Path) -> Iterator[Feeder]:
    opened = Feeder(database, path, "host-1")
    yield opened
    opened.close()


def test_a_transaction_has_one_revision_and_the_next_one_a_higher(database: Database) -> None:
    with database.transaction() as tx:
        replica.put(tx, {b"a": b"1", b"b": b"1"})
        replica.put(tx, {b"b": b"2"})
        replica.delete(tx, [b"c"])
    put(database, d="4")
    with database.reading() as tx:
        assert list(replica.changes_since(tx, 0)) == [
            (1, b"a", b"1"),
            (1, b"b", b"2"),
            (1, b"c", None),
            (2, b"d", b"4"),
        ]
        assert [change[1] for change in replica.changes_since(tx, 1)] == [b"d"]
        assert replica.current_revision(tx) == 2


def test_before_the_first_change(database: Database) -> None:
    with database.reading() as tx:
        assert replica.position(tx) == FeedPosition("", 0)


def test_what_did_not_change_is_not_sent_again(database: Database) -> None:
    put(database, same="1", other="1")
    put(database, same="1", other="2")
    with database.reading() as tx:
        assert [(at, key) for at, key, _ in replica.changes_since(tx, 0)] == [(1, b"same"), (2, b"other")]


def test_a_rollback_leaves_nothing(database: Database) -> None:
    with suppress(RuntimeError), database.transaction() as tx:
        replica.put(tx, {b"a": b"1"})
        raise RuntimeError
    assert revision(database) == 0
    assert put(database, a="2") == 1


def test_many_at_once(database: Database, feeder: Feeder, path: Path) -> None:
    with database.transaction() as tx:
        replica.put(tx, {b"u%06d" % number: b"%d" % number for number in range(12_000)})
    feeder.step()
    assert len(stored(path)) == 12_000
    with database.transaction() as tx:
        replica.delete(tx, [b"u%06d" % number for number in range(1, 12_000)])
    feeder.step()
    assert stored(path) == {"u000000": "0"}


def test_racing_writers_get_revisions_of_their_own_and_a_reader_misses_none(
    database: Database, feeder: Feeder, path: Path
) -> None:
    def write(name: str) -> None:
        for number in range(15):
            with database.transaction() as tx:
                replica.put(tx, {f"{name}{number}".encode(): b"x", b"shared": f"{name}{number}".encode()})

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        feeder.step()
    feeder.step()
    assert revision(database) == feeder.revision == 60
    assert len(stored(path)) == 61


def test_the_store_follows_changes_and_deletions(database: Database, feeder: Feeder, path: Path) -> None:
    put(database, a="1", b="1")
    feeder.step()
    assert stored(path) == {"a": "1", "b": "1"}
    with database.transaction() as tx:
        replica.put(tx, {b"a": b"2"})
        replica.delete(tx, [b"b"])
    feeder.step()
    assert stored(path) == {"a": "2"}


def test_a_new_feeder_goes_on_where_the_store_is(database: Database, feeder: Feeder, path: Path) -> None:
    put(database, a="1")
    feeder.step()
    feeder.close()
    put(database, b="2")
    again = Feeder(database, path, "host-1")
    assert (again.revision, again.made_anew) == (1, False)
    again.step()
    again.close()
    assert stored(path) == {"a": "1", "b": "2"}


def test_a_store_that_is_missing_is_made_and_filled(database: Database, path: Path) -> None:
    put(database, a="1")
    feeder = Feeder(database, path, "host-1")
    assert feeder.made_anew
    feeder.step()
    assert stored(path) == {"a": "1"}
    path.unlink()
    with pytest.raises(StoreLost):
        feeder.step()
    feeder.close()
    again = Feeder(database, path, "host-1")
    again.step()
    assert (again.made_anew, stored(path)) == (True, {"a": "1"})
    again.close()


def test_a_damaged_store_is_put_aside_and_filled_again(database: Database, path: Path) -> None:
    put(database, a="1")
    path.parent.mkdir()
    path.write_bytes(b"this is no LMDB file" * 1000)
    feeder = Feeder(database, path, "host-1")
    feeder.step()
    feeder.close()
    assert stored(path) == {"a": "1"}
    assert path.with_name("records.lmdb.damaged").exists()


def rewind(database: Database, keep: int) -> None:
    """Make the database the backup of itself that was taken at revision `keep`."""
    with database.transaction() as tx:
        tx.session.execute(delete(ReplicaEntry).where(ReplicaEntry.revision > keep))
        tx.session.execute(update(ReplicaCounter).values(revision=keep))
        tx.session.execute(update(ReplicaHost).values(applied_revision=keep))


def test_after_a_restored_backup_the_store_is_what_the_backup_is(
    database: Database, feeder: Feeder, path: Path
) -> None:
    put(database, kept="1")
    put(database, lost="1")
    feeder.step()
    rewind(database, keep=1)
    feeder.step()
    assert stored(path) == {"kept": "1"}
    put(database, new="1")
    feeder.step()
    assert stored(path) == {"kept": "1", "new": "1"}


def test_a_backup_that_has_overtaken_the_store_is_noticed(database: Database, feeder: Feeder, path: Path) -> None:
    put(database, kept="1")
    put(database, lost="1")
    feeder.step()
    feeder.close()
    rewind(database, keep=1)
    for number in range(5):
        put(database, **{f"new{number}": "1"})
    again = Feeder(database, path, "host-1")
    again.step()
    again.close()
    assert stored(path) == {"kept": "1"} | {f"new{number}": "1" for number in range(5)}


def test_another_database_is_noticed(database: Database, feeder: Feeder, path: Path) -> None:
    put(database, old="1")
    feeder.step()
    with database.transaction() as tx:
        tx.session.execute(delete(ReplicaEntry))
        tx.session.execute(update(ReplicaCounter).values(feed="another", revision=0))
    put(database, new="1")
    put(database, new="2")
    feeder.step()
    assert stored(path) == {"new": "2"}


def test_an_empty_database_takes_nothing_away(database: Database, feeder: Feeder, path: Path) -> None:
    """A wrong URL or a wiped database must not lock everybody out."""
    put(database, a="1")
    feeder.step()
    with database.transaction() as tx:
        for table in (ReplicaEntry, ReplicaCounter, ReplicaHost):
            tx.session.execute(delete(table))
    feeder.step()
    feeder.step()
    assert stored(path) == {"a": "1"}
    put(database, b="2")
    feeder.step()
    assert stored(path) == {"b": "2"}, "from its first change on, the new database counts"


def test_a_host_says_how_far_it_is_once(database: Database, feeder: Feeder) -> None:
    put(database, a="1")
    feeder.step()
    with database.transaction() as tx:
        host = tx.session.scalars(select(ReplicaHost)).one()
        assert (host.host, host.applied_revision, host.live) == ("host-1", 1, True)
        host.seen_at = system_clock() - timedelta(seconds=3)
        said = host.seen_at
    feeder.step()
    with database.reading() as tx:
        assert tx.session.scalar(select(ReplicaHost.seen_at)) == said, "nothing new, nothing said"
    put(database, a="2")
    feeder.step()
    with database.reading() as tx:
        assert tx.session.scalar(select(ReplicaHost.applied_revision)) == 2
        assert tx.session.scalar(select(func.count()).select_from(ReplicaHost)) == 1


def add_host(database: Database, name: str, applied: int, *, silent: float = 0, live: bool = True) -> None:
    seen = system_clock() - timedelta(seconds=silent)
    with database.transaction() as tx:
        tx.session.add(ReplicaHost(host=name, applied_revision=applied, seen_at=seen, live=live))


def test_waiting_for_hosts(database: Database) -> None:
    put(database, a="1")
    put(database, a="2")
    assert isinstance(replica.wait_until_replicated(database, 2, SOON), Applied), "no host, nobody to wait for"
    add_host(database, "up to date", 2)
    add_host(database, "down", 0, silent=120)
    add_host(database, "gone", 0, live=False)
    assert isinstance(replica.wait_until_replicated(database, 2, SOON), Applied)
    add_host(database, "slow", 1)
    outcome = replica.wait_until_replicated(database, 2, timedelta(0))
    assert isinstance(outcome, Retry)
    assert "slow" in outcome.reason
    assert isinstance(replica.wait_until_replicated(database, 1, SOON), Applied)


def test_waiting_ends_when_the_running_feeder_has_caught_up(database: Database, feeder: Feeder, path: Path) -> None:
    put(database, a="1")
    feeder.step()
    stop = threading.Event()
    running = threading.Thread(target=feeder.run, args=(stop, 0.02))
    running.start()
    try:
        at = put(database, a="2")
        assert isinstance(replica.wait_until_replicated(database, at, SOON), Applied)
        assert stored(path) == {"a": "2"}
    finally:
        stop.set()
        running.join()


def test_a_host_that_stops_in_order_is_not_waited_for(database: Database, path: Path) -> None:
    put(database, a="1")
    feeder = Feeder(database, path, "host-1")
    feeder.step()
    feeder.close(leave=True)
    at = put(database, a="2")
    assert isinstance(replica.wait_until_replicated(database, at, timedelta(0)), Applied)


def test_the_feeder_outlives_an_outage(database: Database, feeder: Feeder, path: Path) -> None:
    put(database, a="1")
    feeder.step()
    stop = threading.Event()
    running = threading.Thread(target=feeder.run, args=(stop, 0.01))
    with outage(database, "replica_counter"):
        with pytest.raises(Unavailable):
            feeder.step()
        running.start()
    put(database, a="2")
    while stored(path) != {"a": "2"}:
        assert running.is_alive()
        time.sleep(0.01)
    stop.set()
    running.join()
