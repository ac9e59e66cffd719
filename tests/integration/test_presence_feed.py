"""From the sessions in the database to what the workers know of who is connected."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, update

from core.database import Database, Transaction
from core.jobs import SCHEDULES
from core.runtime import Runtime
from radius import replica
from radius.line import Line
from radius.models import ReplicaEntry, Session
from radius.presence import presence_key, unpack_presence
from radius.presence_feed import mend_presence, publish_presence
from tests.factories_sessions import make_session


def lines(database: Database, subscription_id: int = 7) -> list[Line] | None:
    """What the workers have; None: no entry."""
    with database.reading() as tx:
        key = presence_key(subscription_id)
        value = tx.session.scalar(select(ReplicaEntry.value).where(ReplicaEntry.key == key))
    return None if value is None else unpack_presence(value)


def close(tx: Transaction, session: Session) -> None:
    tx.session.execute(update(Session).where(Session.id == session.id).values(stopped_at=tx.now, closed_by="stop"))


def test_sessions_come_and_go(database: Database) -> None:
    with database.transaction() as tx:
        one = make_session(tx, subscription_id=7, calling_station_id="02:00:5E:00:00:0A", nas_port_id="ether2")
        make_session(tx, subscription_id=7, nas_id=2, calling_station_id="+55", nas_port_id="15728640")
        make_session(tx, subscription_id=8)
        make_session(tx, subscription_id=7, calling_station_id="gone", stopped_at=tx.now)
        publish_presence(tx, [7])
        publish_presence(tx, {8, 9})
    both = [Line(1, b"02:00:5E:00:00:0A", b"ether2"), Line(2, b"+55", b"15728640")]
    assert (lines(database, 7), lines(database, 8), lines(database, 9)) == (both, [Line(1)], None)
    with database.transaction() as tx:
        publish_presence(tx, [7])
        close(tx, one)  # after the call, and yet before the commit
    assert lines(database) == both[1:]
    with database.transaction() as tx:
        tx.session.execute(update(Session).values(stopped_at=tx.now))
        publish_presence(tx, [7])
    assert (lines(database, 7), lines(database, 8)) == (None, [Line(1)])


def test_what_has_not_changed_costs_no_host_anything(database: Database) -> None:
    with database.transaction() as tx:
        make_session(tx, subscription_id=7)
        publish_presence(tx, [7])
    with database.reading() as tx:
        revision = replica.current_revision(tx)
    with database.transaction() as tx:
        publish_presence(tx, [7])
    with database.reading() as tx:
        assert list(replica.changes_since(tx, revision)) == []


def test_nobody_s_sessions_are_nothing_to_tell(database: Database) -> None:
    with database.transaction() as tx:
        make_session(tx, subscription_id=None)
        publish_presence(tx, [])
    with database.reading() as tx:
        assert tx.session.scalars(select(ReplicaEntry.key)).all() == []


@pytest.mark.parametrize(
    ("caller", "user", "expected"),
    [
        ("", "02-00-5E-10-00-01", b"02-00-5E-10-00-01"),
        ("ether2", "02-00-5E-10-00-01", b"ether2"),
        ("", "ana", b""),
        ("hex:fffe", "ana", b"\xff\xfe"),
    ],
    ids=["IPoE, caller untold", "caller told", "a login is no caller", "octets that are no text"],
)
def test_who_the_caller_is(database: Database, caller: str, user: str, expected: bytes) -> None:
    with database.transaction() as tx:
        make_session(tx, subscription_id=7, calling_station_id=caller, user_name=user)
        publish_presence(tx, [7])
    assert lines(database) == [Line(1, expected)]


def test_of_two_transactions_the_later_sees_what_the_earlier_did(database: Database) -> None:
    """Two drainers close one session each of one subscription: neither leaves the other's behind as a live one."""
    with database.transaction() as tx:
        one = make_session(tx, subscription_id=7, calling_station_id="one")
        two = make_session(tx, subscription_id=7, calling_station_id="two")
        publish_presence(tx, [7])
    ready = threading.Barrier(2, timeout=20) if database.dialect == "postgresql" else None

    def drain(session: Session) -> None:
        with database.transaction() as tx:
            close(tx, session)
            publish_presence(tx, [7])
            if ready is not None:  # SQLite has one writer at a time anyway
                ready.wait()

    threads = [threading.Thread(target=drain, args=(session,)) for session in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert lines(database) is None


def test_more_subscriptions_than_one_query_takes(database: Database) -> None:
    with database.transaction() as tx:
        make_session(tx, subscription_id=1)
        make_session(tx, subscription_id=4_999)
        publish_presence(tx, range(1, 5_000))
    assert (lines(database, 1), lines(database, 2), lines(database, 4_999)) == ([Line(1)], None, [Line(1)])


def test_what_does_not_agree_with_the_sessions_is_put_right(runtime: Runtime) -> None:
    database = runtime.database
    with database.transaction() as tx:
        make_session(tx, subscription_id=7)
        over = make_session(tx, subscription_id=8)
        make_session(tx, subscription_id=9)
        publish_presence(tx, [8, 9])
    with database.transaction() as tx:
        close(tx, over)  # by hand, as it were
    assert (lines(database, 7), lines(database, 8), lines(database, 9)) == (None, [Line(1)], [Line(1)])
    SCHEDULES["mend-presence"].run(runtime)
    assert (lines(database, 7), lines(database, 8), lines(database, 9)) == ([Line(1)], None, [Line(1)])
    with database.reading() as tx:
        revision = replica.current_revision(tx)
    mend_presence(runtime)
    with database.reading() as tx:
        assert replica.current_revision(tx) == revision, "nothing is left to mend"
