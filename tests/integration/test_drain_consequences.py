"""What follows from accounting besides the session itself: addresses that are over, presence, who waits for whom."""

from __future__ import annotations

import threading
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from core.database import Database
from radius import attributes as a
from radius.codec import Attribute
from radius.drain import Drainer
from radius.drainers import Drainers
from radius.fold import REMOVED
from radius.history_models import AddressHistory
from radius.line import Line
from radius.models import ReplicaEntry, Session, SpoolPosition, UsageDay
from radius.nas import add_nas, remove_nas
from radius.presence import presence_key, unpack_presence
from radius.session_end import end_sessions
from radius.session_lock import lock_sessions_of
from radius.session_statistics import refresh_statistics
from radius.spool import spool_of
from tests.factories_accounting import FAST, INTERIM, NOW, START, STOP, acct_attributes, received, spool_up
from tests.factories_sessions import make_session
from tests.scenarios.waiting import until

CALLER = b"02:00:5E:10:00:01"


def tell(
    database: Database, directory: Path, status: int, after: float, *more: Attribute, address: str = "100.64.0.9"
) -> None:
    """Drain one record of subscription 7's session."""
    attributes = acct_attributes(
        status, b"s1", b"ana", *more, seconds=int(after), octets=(int(after), 0), address=address, grant=FAST
    )
    spool_up(directory, received(attributes, NOW + timedelta(seconds=after)))
    drainer = Drainer(database, directory)
    while drainer.step():
        pass


def uses(database: Database) -> list[tuple[str, float, float]]:
    """What the history holds: network, and seconds after NOW from when to when."""
    with database.reading() as tx:
        rows = tx.session.scalars(select(AddressHistory).order_by(AddressHistory.until)).all()
        return [
            (f"{row.address}/{row.prefix_length}", (row.since - NOW).total_seconds(), (row.until - NOW).total_seconds())
            for row in rows
        ]


def the_session(database: Database) -> Session:
    with database.reading() as tx:
        [session] = tx.session.scalars(select(Session))
        tx.session.expunge(session)
        return session


def lines(database: Database, subscription: int = 7) -> list[Line]:
    with database.reading() as tx:
        found = tx.session.scalar(select(ReplicaEntry.value).where(ReplicaEntry.key == presence_key(subscription)))
        return unpack_presence(found) if found is not None else []


def prefix(kind: int, network: str, bits: int) -> Attribute:
    return kind, bytes((0, bits)) + ip_address(network).packed[: (bits + 7) // 8]


def test_the_use_of_an_earlier_address_is_remembered(database: Database, tmp_path: Path) -> None:
    tell(database, tmp_path, START, 0)
    tell(database, tmp_path, INTERIM, 300)
    assert uses(database) == []
    tell(database, tmp_path, INTERIM, 600, address="100.64.0.10")
    tell(database, tmp_path, INTERIM, 900, address="100.64.0.10")
    tell(database, tmp_path, INTERIM, 1200, address="100.64.0.11")
    assert uses(database) == [("100.64.0.9/32", 0, 600), ("100.64.0.10/32", 600, 1200)]
    session = the_session(database)
    assert (session.framed_ip_address, session.address_since) == (
        ip_address("100.64.0.11"),
        NOW + timedelta(seconds=1200),
    )
    tell(database, tmp_path, INTERIM, 1200, address="100.64.0.11")
    assert len(uses(database)) == 2


def test_an_earlier_address_that_is_told_late_is_remembered(database: Database, tmp_path: Path) -> None:
    tell(database, tmp_path, START, 0, address="100.64.0.10")
    tell(database, tmp_path, INTERIM, 900, address="100.64.0.10")
    tell(database, tmp_path, INTERIM, 300, address="100.64.0.9")
    assert uses(database) == [("100.64.0.9/32", 0, 300)]
    assert the_session(database).framed_ip_address == ip_address("100.64.0.10")


@pytest.mark.parametrize(
    ("kind", "column"),
    [(a.FRAMED_IPV6_PREFIX, "framed_ipv6_prefix"), (a.DELEGATED_IPV6_PREFIX, "delegated_ipv6_prefix")],
    ids=["framed", "delegated"],
)
def test_prefixes_are_kept_and_earlier_ones_remembered(
    database: Database, tmp_path: Path, kind: int, column: str
) -> None:
    tell(database, tmp_path, START, 0)
    tell(database, tmp_path, INTERIM, 300, prefix(kind, "2001:db8:1::", 56))
    session = the_session(database)
    assert (getattr(session, column), getattr(session, f"{column}_since")) == ("2001:db8:1::/56", None)
    tell(database, tmp_path, INTERIM, 600, prefix(kind, "2001:db8:2::", 56))
    session = the_session(database)
    assert (getattr(session, column), getattr(session, f"{column}_since")) == (
        "2001:db8:2::/56",
        NOW + timedelta(seconds=600),
    )
    assert uses(database) == [("2001:db8:1::/56", 0, 600)]


def test_one_batch_that_opens_a_session_and_moves_it(database: Database, tmp_path: Path) -> None:
    """The history needs the number of a session that is only being written."""
    spool_up(
        tmp_path,
        received(acct_attributes(START, b"s1", address="100.64.0.9"), NOW),
        received(acct_attributes(INTERIM, b"s1", address="100.64.0.10"), NOW + timedelta(seconds=300)),
    )
    Drainer(database, tmp_path).step()
    assert uses(database) == [("100.64.0.9/32", 0, 300)]
    with database.reading() as tx:
        assert tx.session.scalar(select(AddressHistory.session_id)) == tx.session.scalar(select(Session.id))


def test_presence_follows_the_session(database: Database, tmp_path: Path) -> None:
    caller, port = (a.CALLING_STATION_ID, CALLER), (a.NAS_PORT_ID, b"vlan-7")
    tell(database, tmp_path, START, 0, caller)
    assert lines(database) == [Line(1, CALLER, b"")]
    with database.reading() as tx:
        before = tx.session.scalar(select(func.max(ReplicaEntry.revision)))
    tell(database, tmp_path, INTERIM, 300, caller)
    with database.reading() as tx:
        assert tx.session.scalar(select(func.max(ReplicaEntry.revision))) == before, "an Interim tells nobody"
    tell(database, tmp_path, INTERIM, 600, caller, port)
    assert lines(database) == [Line(1, CALLER, b"vlan-7")], "the port was told"
    tell(database, tmp_path, STOP, 900, caller, port)
    assert lines(database) == []


def test_sessions_of_a_removed_nas_are_over_counted_and_absent(database: Database) -> None:
    with database.transaction() as tx:
        nas = add_nas(tx, name="pop", network="192.0.2.1", secret="0123456789")
        mine = make_session(tx, nas_id=nas.id, subscription_id=7, input_octets=10, output_octets=20)
        other = make_session(tx, nas_id=nas.id + 1, subscription_id=8, input_octets=10)
        end_sessions(tx, Session.id == -1, by=REMOVED, cause="")
    with database.transaction() as tx:
        remove_nas(tx, nas.id)
    with database.reading() as tx:
        ends = {each.id: each.closed_by for each in tx.session.scalars(select(Session))}
        assert ends == {mine.id: REMOVED, other.id: ""}
        [day] = tx.session.scalars(select(UsageDay))
        assert (day.subscription_id, day.input_octets, day.output_octets) == (7, 10, 20)
    assert lines(database) == []


def test_every_spool_of_the_host_is_drained_new_ones_and_abandoned_ones_too(database: Database, tmp_path: Path) -> None:
    first = tmp_path / "radius" / "spool"
    for number in (1, 3):
        spool_up(spool_of(first, number), received(acct_attributes(START, b"s%d" % number)))
    drainers = Drainers(database, first)
    stop = threading.Event()
    thread = threading.Thread(target=drainers.run, args=(stop, 0.01))
    thread.start()

    def drained() -> list[str]:
        with database.reading() as tx:
            return sorted(tx.session.scalars(select(Session.acct_session_id)))

    until(lambda: drained() == ["s1", "s3"], "both spools are drained")
    spool_up(first.with_name("spool-radsec"), received(acct_attributes(START, b"s4")))
    until(lambda: drained() == ["s1", "s3", "s4"], "the new spool is drained")
    stop.set()
    thread.join()
    assert drainers.counters()["drained", "written"] == 3
    with database.reading() as tx:
        assert tx.session.scalar(select(func.count()).select_from(SpoolPosition)) == 3


def test_a_spool_that_cannot_be_opened_holds_up_no_other(database: Database, tmp_path: Path) -> None:
    first = tmp_path / "radius" / "spool"
    first.parent.mkdir()
    first.write_text("not a directory")
    spool_up(spool_of(first, 2), received(acct_attributes(START, b"s2")))
    drainers = Drainers(database, first)
    drainers.turn(0.01)
    assert drainers.counters()["drained", "written"] == 1


def test_who_writes_many_sessions_of_a_nas_waits_for_who_does(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    order: list[str] = []
    locked, done = threading.Event(), threading.Event()

    def second() -> None:
        locked.wait()
        with database.transaction() as tx:
            lock_sessions_of(tx, [3])
            order.append("another NAS")
        with database.transaction() as tx:
            lock_sessions_of(tx, [2, 1])
            order.append("second")
        done.set()

    thread = threading.Thread(target=second)
    thread.start()
    with database.transaction() as tx:
        lock_sessions_of(tx, [1])
        locked.set()
        until(lambda: _waiting(database), "the second one waits")
        order.append("first")
    assert done.wait(30)
    thread.join()
    assert order == ["another NAS", "first", "second"]


def _waiting(database: Database) -> bool:
    with database.reading() as tx:
        return bool(
            tx.session.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
        )


def test_statistics_are_taken_when_the_table_has_outgrown_them(database: Database) -> None:
    if database.dialect == "postgresql":
        with database.transaction() as tx:  # other tests leave the table empty, but not small
            tx.session.execute(text("TRUNCATE session"))
    assert not refresh_statistics(database)
    with database.transaction() as tx:
        for _ in range(100):
            make_session(tx, user_name="x" * 500, calling_station_id="x" * 500, nas_port_id="x" * 500)
        if database.dialect == "postgresql":
            copies = (
                "INSERT INTO session (key, instance, nas_id, nas_address, acct_session_id, user_name, started_at, "
                "updated_at, granted_fingerprint, calling_station_id, nas_port_id, closed_by, terminate_cause, "
                "input_octets, output_octets, session_seconds, acked_fingerprint, refused_fingerprint) "
                "SELECT key, instance + n, nas_id, nas_address, acct_session_id, user_name, started_at, updated_at, "
                "'', calling_station_id, nas_port_id, '', '', 0, 0, 0, '', '' FROM session, generate_series(1, 40) AS n"
            )
            tx.session.execute(text(copies))
    assert refresh_statistics(database) == (database.dialect == "postgresql")
    assert not refresh_statistics(database), "they have just been taken"
