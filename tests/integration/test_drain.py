"""From the spool into sessions: each record exactly once, whatever fails on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, text, update

from core.database import Database
from core.errors import Unavailable
from core.job_queue import Job
from radius import attributes as a
from radius import drain as draining
from radius import replica
from radius.accounting import AccountingRecord, read_record
from radius.codec import Attribute
from radius.drain import Drainer
from radius.fold import choose, fold
from radius.models import Session, SpoolPosition
from radius.records import pack
from radius.spool import SpoolWriter, segments
from tests.factories_accounting import (
    FAST,
    INTERIM,
    NOW,
    ON,
    SLOW,
    START,
    STOP,
    acct_attributes,
    received,
    spool_up,
)
from tests.factories_auth import mac_record, record
from tests.outage import outage
from tests.ticking import FakeClock


def report(directory: Path, *records: list[Attribute], after: float = 0, nas_id: int = 1) -> None:
    """Put records into the spool that were received `after` seconds from NOW."""
    at = NOW + timedelta(seconds=after)
    spool_up(directory, *(received(each, at, nas_id=nas_id) for each in records))


def drain(database: Database, directory: Path) -> int:
    """Everything that is in the spool, by a drainer that has just been started."""
    drainer, total = Drainer(database, directory), 0
    while done := drainer.step():
        total += done
    return total


def sessions(database: Database) -> list[Session]:
    with database.reading() as tx:
        found = list(tx.session.scalars(select(Session).order_by(Session.id)))
        tx.session.expunge_all()
        return found


def jobs(database: Database) -> list[str]:
    """Keys of the waiting jobs that tell upper layers about sessions; they are taken."""
    with database.transaction() as tx:
        keys = list(tx.session.scalars(select(Job.key).where(Job.kind == "session.changed").order_by(Job.key)))
        tx.session.execute(delete(Job))
        return keys


def test_a_session_from_start_to_stop(database: Database, tmp_path: Path) -> None:
    line: Attribute = (a.CALLING_STATION_ID, b"02:00:5E:10:00:01")
    report(tmp_path, acct_attributes(START, b"s1", b"ana", line, grant=FAST, subscription=42, address="100.64.0.9"))
    assert drain(database, tmp_path) == 1
    [session] = sessions(database)
    assert (session.nas_id, session.nas_address) == (1, ip_address("192.0.2.1"))
    assert (session.acct_session_id, session.user_name) == ("s1", "ana")
    assert (session.subscription_id, session.granted_fingerprint) == (42, FAST.fingerprint)
    assert (session.framed_ip_address, session.calling_station_id) == (ip_address("100.64.0.9"), "02:00:5E:10:00:01")
    assert (session.started_at, session.stopped_at) == (NOW, None)
    report(tmp_path, acct_attributes(INTERIM, b"s1", seconds=300, octets=(1 << 33, 5)), after=300)
    report(tmp_path, acct_attributes(STOP, b"s1", seconds=400, octets=(1 << 34, 9)), after=400)
    assert drain(database, tmp_path) == 2
    [session] = sessions(database)
    assert (session.input_octets, session.output_octets, session.session_seconds) == (1 << 34, 9, 400)
    assert (session.stopped_at, session.closed_by) == (NOW + timedelta(seconds=400), "stop")
    assert session.framed_ip_address == ip_address("100.64.0.9")


def test_names_that_are_no_text_survive_for_the_coa(database: Database, tmp_path: Path) -> None:
    report(tmp_path, acct_attributes(START, b"\xff\x00\xfe", "joão".encode()))
    drain(database, tmp_path)
    identity = sessions(database)[0].identity
    assert (identity.acct_session_id, identity.user_name) == (b"\xff\x00\xfe", "joão".encode())


def test_a_record_that_comes_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    interim = acct_attributes(INTERIM, b"s1", seconds=300, octets=(7, 7), grant=FAST, event=NOW)
    report(tmp_path, interim, interim, after=300)
    report(tmp_path, acct_attributes(INTERIM, b"s1", seconds=300, octets=(7, 7), grant=FAST, event=NOW), after=310)
    drain(database, tmp_path)
    [session] = sessions(database)
    assert (session.input_octets, session.started_at) == (7, NOW - timedelta(seconds=300))


def test_many_sessions_in_few_transactions(database: Database, tmp_path: Path) -> None:
    starts = [acct_attributes(START, b"s%d" % number, b"user%d" % number) for number in range(2_500)]
    report(tmp_path, *starts)
    assert drain(database, tmp_path) == 2_500
    report(tmp_path, *(acct_attributes(STOP, b"s%d" % number, b"user%d" % number) for number in range(2_500)), after=60)
    assert drain(database, tmp_path) == 2_500
    with database.reading() as tx:
        assert tx.session.scalar(select(func.count()).where(Session.closed_by == "stop")) == 2_500


def test_who_is_told(database: Database, tmp_path: Path) -> None:
    def heard(*records: list[Attribute], after: float, nas_id: int = 1) -> list[str]:
        report(tmp_path, *records, after=after, nas_id=nas_id)
        drain(database, tmp_path)
        return jobs(database)

    assert heard(acct_attributes(START, b"s1", grant=SLOW), after=0) == ["1"], "opened"
    assert heard(acct_attributes(INTERIM, b"s1", grant=SLOW, octets=(1, 1)), after=300) == [], "nothing new"
    assert heard(acct_attributes(INTERIM, b"s1", grant=FAST), after=600) == ["1"], "another policy"
    assert heard(acct_attributes(STOP, b"s1", grant=FAST), after=700) == ["1"], "closed"
    assert heard(acct_attributes(START, b"s1", grant=FAST), after=1) == [], "late, and no news"
    assert heard(acct_attributes(STOP, b"s2"), acct_attributes(START, b"s3"), after=900, nas_id=30) == ["30"]


def test_a_proof_of_a_coa_resets_what_was_acknowledged(database: Database, tmp_path: Path) -> None:
    report(tmp_path, acct_attributes(START, b"s1", grant=SLOW))
    drain(database, tmp_path)
    with database.transaction() as tx:
        tx.session.execute(update(Session).values(acked_fingerprint=FAST.fingerprint, acked_at=NOW))
    report(tmp_path, acct_attributes(INTERIM, b"s1", grant=SLOW), after=300)
    drain(database, tmp_path)
    assert sessions(database)[0].acked_fingerprint == FAST.fingerprint
    report(tmp_path, acct_attributes(INTERIM, b"s1", grant=FAST), after=600)
    drain(database, tmp_path)
    [session] = sessions(database)
    assert (session.granted_fingerprint, session.acked_fingerprint, session.acked_at) == (FAST.fingerprint, "", None)


def test_a_restart_closes_the_sessions_of_that_router_only(database: Database, tmp_path: Path) -> None:
    other_router = [received(acct_attributes(START, b"s2"), source="192.0.2.2")]
    other_nas = [received(acct_attributes(START, b"s3"), nas_id=2)]
    on = received(acct_attributes(ON, b""), NOW + timedelta(seconds=60))
    later = received(acct_attributes(START, b"s4"), NOW + timedelta(seconds=90))
    before = received(acct_attributes(START, b"s1"))
    spool_up(tmp_path, *other_router, *other_nas, before, on, later)
    drain(database, tmp_path)
    ends = {each.acct_session_id: (each.stopped_at, each.closed_by) for each in sessions(database)}
    assert ends == {"s1": (on.at, "nas"), "s2": (None, ""), "s3": (None, ""), "s4": (None, "")}
    spool_up(tmp_path, received(acct_attributes(ON, b""), NOW + timedelta(seconds=120)))
    drain(database, tmp_path)
    closed = {each.acct_session_id for each in sessions(database) if each.stopped_at}
    assert closed == {"s1", "s4"}, "also when the sessions came in an earlier batch"


def test_one_number_for_two_lines_makes_two_sessions(database: Database, tmp_path: Path) -> None:
    """pppd's session ids repeat within a second."""
    ppp0, ppp1 = ((a.NAS_PORT_ID, name) for name in (b"ppp0", b"ppp1"))
    report(tmp_path, acct_attributes(START, b"s1", b"ana", ppp0), acct_attributes(START, b"s1", b"ana", ppp1))
    report(tmp_path, acct_attributes(STOP, b"s1", b"ana", ppp1), after=60)
    drain(database, tmp_path)
    ends = {each.nas_port_id: each.stopped_at is None for each in sessions(database)}
    assert ends == {"ppp0": True, "ppp1": False}


def test_a_number_that_is_used_again_supersedes_the_session_that_had_it(database: Database, tmp_path: Path) -> None:
    report(tmp_path, acct_attributes(START, b"s1"))
    report(tmp_path, acct_attributes(START, b"s1"), after=86_400)
    report(tmp_path, acct_attributes(INTERIM, b"s1", seconds=300), after=86_700)
    drain(database, tmp_path)
    one, two = sessions(database)
    assert (one.instance, one.closed_by, one.stopped_at) == (0, "superseded", NOW)
    assert (two.instance, two.started_at, two.stopped_at) == (1, NOW + timedelta(days=1), None)


def test_without_a_class_the_user_name_tells_the_subscription(database: Database, tmp_path: Path) -> None:
    ana, box = record(7, "ana"), mac_record(8, "02:00:5e:10:00:01")
    with database.transaction() as tx:
        for each in (ana, box):
            replica.put(tx, pack(each, tx.keyring.seal))
    names = (b"ana", b"02-00-5E-10-00-01", b"nobody")
    report(tmp_path, *(acct_attributes(START, b"s1", name) for name in names))
    drain(database, tmp_path)
    assert [each.subscription_id for each in sessions(database)] == [7, 8, None]


def test_a_crash_before_the_commit_leaves_the_records_in_the_spool(database: Database, tmp_path: Path) -> None:
    report(tmp_path, acct_attributes(START, b"s1"))
    dying = Drainer(database, tmp_path)
    with outage(database, "session"), pytest.raises(Unavailable):
        dying.step()
    assert sessions(database) == []
    assert drain(database, tmp_path) == 1
    assert len(sessions(database)) == 1


def test_a_new_drainer_goes_on_where_the_old_one_was(database: Database, tmp_path: Path) -> None:
    report(tmp_path, acct_attributes(START, b"s1"))
    assert drain(database, tmp_path) == 1
    assert drain(database, tmp_path) == 0
    with database.transaction() as tx:
        tx.session.execute(delete(Session))
    report(tmp_path, acct_attributes(START, b"s2"))
    assert drain(database, tmp_path) == 1
    assert [each.acct_session_id for each in sessions(database)] == ["s2"], "s1 was not read again"


def test_two_drainers_of_one_spool_do_not_drain_a_record_twice(database: Database, tmp_path: Path) -> None:
    one, two = Drainer(database, tmp_path), Drainer(database, tmp_path)
    one.step()
    two.step()
    report(tmp_path, acct_attributes(START, b"s1"))
    one.step()
    with database.transaction() as tx:
        tx.session.execute(delete(Session))
    two.step()
    two.step()
    assert sessions(database) == []


def test_a_spool_made_anew_is_drained_from_its_beginning(database: Database, tmp_path: Path) -> None:
    report(tmp_path / "old", *(acct_attributes(START, b"s%d" % number) for number in range(5)))
    drain(database, tmp_path / "old")
    report(tmp_path / "new", acct_attributes(START, b"s9"))
    assert drain(database, tmp_path / "new") == 1


def test_drained_segments_are_deleted(database: Database, tmp_path: Path) -> None:
    for number in range(4):
        report(tmp_path, acct_attributes(START, b"s%d" % number))
    assert segments(tmp_path) == [1, 2, 3, 4]
    drain(database, tmp_path)
    assert segments(tmp_path) == [4]


def test_one_bad_record_does_not_hold_up_the_others(database: Database, tmp_path: Path) -> None:
    """A record that the database refuses, made by a trigger, because no datagram that we know of can do it."""
    names = [b"s1", b"poison", b"s2", b"s3"]
    report(tmp_path, *(acct_attributes(START, name) for name in names))
    drainer = Drainer(database, tmp_path)
    with refusing(database, "poison"):
        for _ in range(12):
            drainer.step()
    assert [each.acct_session_id for each in sessions(database)] == ["s1", "s2", "s3"]
    assert b"poison" in (tmp_path / "rejected").read_bytes()


@contextmanager
def refusing(database: Database, name: str) -> Iterator[None]:
    if database.dialect == "sqlite":
        begin = (
            f"CREATE TRIGGER refuse BEFORE INSERT ON session WHEN NEW.acct_session_id = '{name}' "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
        end = "DROP TRIGGER refuse"
    else:
        begin = f"ALTER TABLE session ADD CONSTRAINT refuse CHECK (acct_session_id <> '{name}')"
        end = "ALTER TABLE session DROP CONSTRAINT refuse"
    with database.transaction() as tx:
        tx.session.execute(text(begin))
    yield
    with database.transaction() as tx:
        tx.session.execute(text(end))


def test_unusable_datagrams_are_passed_over(database: Database, tmp_path: Path) -> None:
    report(tmp_path, acct_attributes(None), acct_attributes(START, b""), acct_attributes(START, b"s1"))
    writer = SpoolWriter(tmp_path)
    writer.append([b"no envelope at all", b""])
    writer.close()
    report(tmp_path, acct_attributes(START, b"s2"))
    assert drain(database, tmp_path) == 6
    assert [each.acct_session_id for each in sessions(database)] == ["s1", "s2"]


def test_what_was_received_during_an_outage_is_there_afterwards(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "RETRY_SECONDS", 0.05)
    stop = threading.Event()
    running = threading.Thread(target=Drainer(database, tmp_path).run, args=(stop, 0.01))
    with outage(database, "session"):
        running.start()
        for number in range(20):
            report(tmp_path, acct_attributes(START, b"s%02d" % number), after=number)
            time.sleep(0.005)
    while len(sessions(database)) < 20:
        assert running.is_alive()
        time.sleep(0.02)
    stop.set()
    running.join()
    assert [each.acct_session_id for each in sessions(database)] == [f"s{number:02d}" for number in range(20)]


def test_two_hosts_may_hear_parts_of_one_session_at_once(database: Database, tmp_path: Path) -> None:
    """A NAS that changes between two RADIUS servers; whoever loses the race tries again."""
    hosts = [tmp_path / "one", tmp_path / "two"]
    for number in range(40):
        report(hosts[0], acct_attributes(START, b"s%d" % number))
        report(hosts[1], acct_attributes(INTERIM, b"s%d" % number, seconds=300, octets=(5, 5)), after=300)
    stop = threading.Event()
    threads = [threading.Thread(target=Drainer(database, host).run, args=(stop, 0.01)) for host in hosts]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = sessions(database)
        if len(found) == 40 and all(each.input_octets == 5 and each.started_at == NOW for each in found):
            break
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    found = sessions(database)
    assert len(found) == 40
    assert all((each.input_octets, each.started_at) == (5, NOW) for each in found)


def position(database: Database) -> SpoolPosition:
    with database.reading() as tx:
        row = tx.session.scalars(select(SpoolPosition)).one()
        tx.session.expunge_all()
        return row


def test_the_drainer_tells_how_far_it_has_heard(database: Database, clock: FakeClock, tmp_path: Path) -> None:
    drainer = Drainer(database, tmp_path)
    drainer.step()
    assert (position(database).caught_up_at, position(database).listening_since) == (NOW, NOW)
    clock.advance(seconds=30)
    report(tmp_path, acct_attributes(START, b"s1"), after=10)
    drainer.step()
    row = position(database)
    assert (row.caught_up_at, row.listening_since) == (NOW + timedelta(seconds=10), NOW)


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(days=-1)], ids=["outage or jump", "clock set back"])
def test_after_a_gap_listening_begins_anew(
    database: Database, clock: FakeClock, tmp_path: Path, jump: timedelta
) -> None:
    Drainer(database, tmp_path).step()
    clock.now += jump
    Drainer(database, tmp_path).step()
    assert position(database).listening_since == NOW + jump


def test_folding_in_the_database_is_folding_in_memory(database: Database, tmp_path: Path) -> None:
    """Batch by batch, with reading and writing between, a session becomes what the pure fold makes of it."""
    arrivals = [
        received(acct_attributes(INTERIM, b"s1", seconds=600, octets=(9, 1), address="10.0.0.1"), NOW),
        received(acct_attributes(STOP, b"s1", seconds=900, octets=(8, 4), grant=FAST), NOW + timedelta(seconds=300)),
        received(acct_attributes(START, b"s1", grant=SLOW, delay=600), NOW + timedelta(seconds=301)),
    ]
    for each in arrivals:
        spool_up(tmp_path, each)
        drain(database, tmp_path)
    state = None
    for each in arrivals:
        told = read_record(each)
        assert isinstance(told, AccountingRecord)
        assert state is None or choose([state], told) == 0
        state = fold(state, told)
    [session] = sessions(database)
    assert state is not None
    for name in state.__slots__:
        assert getattr(session, name) == getattr(state, name), name
