"""What the sync process finds out about replica and spools, whoever hangs and whatever is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from radius import nas, replica
from radius.accounting import Received, pack_received
from radius.models import SpoolPosition
from radius.spool import START, Position, SpoolReader, SpoolWriter, spool_name
from radius.store import RecordStore
from radius.sync_report import SpoolDepth, SyncReport, spool_depth
from radius.worker_report import WorkerReport
from tests.factories_sessions import make_session
from tests.outage import outage
from tests.scenarios.waiting import until
from tests.ticking import START as BEGINNING
from tests.ticking import FakeClock


def payload(seconds: int = 0, size: int = 100) -> bytes:
    return pack_received(Received(1, ip_address("192.0.2.1"), BEGINNING + timedelta(seconds=seconds), bytes(size)))


def spooled(directory: Path, *payloads: bytes, **options: Any) -> None:
    writer = SpoolWriter(directory, **options)
    for each in payloads:
        writer.append([each])
    writer.close()


def octets(*payloads: bytes) -> int:
    return sum(len(each) + 8 for each in payloads)


def test_an_empty_spool_has_no_depth(tmp_path: Path) -> None:
    assert spool_depth(tmp_path, START) == SpoolDepth(0, 0, None)
    spooled(tmp_path, payload())
    assert spool_depth(tmp_path, Position(1, octets(payload()))) == SpoolDepth(0, 0, None)


def test_what_waits_is_counted_from_the_position_on(tmp_path: Path) -> None:
    records = [payload(n, 50 + n) for n in range(10)]
    spooled(tmp_path, *records, segment_bytes=400)
    spooled(tmp_path, payload(10))
    assert spool_depth(tmp_path, START) == SpoolDepth(octets(*records, payload(10)), 11, BEGINNING.timestamp())
    _, position = SpoolReader(tmp_path).read(START, octets(*records[:2]))
    left = spool_depth(tmp_path, position)
    assert left == SpoolDepth(octets(*records[2:], payload(10)), 9, BEGINNING.timestamp() + 2)


def test_of_a_deep_spool_the_records_are_estimated(tmp_path: Path) -> None:
    records = [payload(n, 80 + n % 40) for n in range(4_000)]
    spooled(tmp_path / "spool", b"", *records)
    depth = spool_depth(tmp_path / "spool", START)
    assert depth.bytes == octets(b"", *records)
    assert depth.records == pytest.approx(4_001, rel=0.02)


@pytest.fixture
def told() -> list[WorkerReport]:
    return []


@pytest.fixture
def report(database: Database, tmp_path: Path, told: list[WorkerReport]) -> Iterator[SyncReport]:
    host = tmp_path / "radius"
    made = SyncReport(database, host / "records.lmdb", host, lambda: {("drained", "written"): 3}, told.append)
    yield made
    made.close()


def test_it_tells_how_far_everything_is(
    database: Database, report: SyncReport, told: list[WorkerReport], tmp_path: Path, clock: FakeClock
) -> None:
    first, second = tmp_path / "radius" / "spool", tmp_path / "radius" / "spool-2"
    spooled(first, payload(), payload(5))
    spooled(second, payload(7))
    clock.advance(seconds=65)
    with database.transaction() as tx:
        position = {"segment": 1, "offset": octets(payload())}
        times = dict.fromkeys(("caught_up_at", "seen_at", "listening_since"), tx.now)
        tx.session.add(SpoolPosition(spool=spool_name(first), **position, **times))
        router = nas.add_nas(tx, name="bras-1", network="192.0.2.1", secret="kX7-two-dozen-random")
        nas.add_nas(tx, name="bras-2", network="192.0.2.2", secret="kX7-two-dozen-random")
        make_session(tx, nas_id=router.id)
        make_session(tx, nas_id=router.id)
        make_session(tx, nas_id=router.id, stopped_at=tx.now)
    report.step()
    gauges = told[-1].gauges
    assert told[-1].counters == {("drained", "written"): 3}
    assert (gauges["feed_revision"], gauges["replica_revision"], gauges["database_up"]) == (1, 0, 1)
    assert "in_step_at" not in gauges
    assert (gauges["spool_pending_records:spool"], gauges["spool_pending_records:spool-2"]) == (1, 1)
    assert gauges["heard_at"] - gauges["spool_oldest_at:spool"] == pytest.approx(60, abs=2)
    assert (gauges["live_sessions:bras-1"], gauges["live_sessions:bras-2"]) == (2, 0)
    store = RecordStore(tmp_path / "radius" / "records.lmdb")
    store.apply({b"x": b"y"}, 1)
    store.close()
    report.step()
    assert told[-1].gauges["in_step_at"] >= gauges["heard_at"]


def test_while_the_database_is_away_it_tells_what_it_knew(
    database: Database, report: SyncReport, told: list[WorkerReport], tmp_path: Path
) -> None:
    with database.transaction() as tx:
        replica.put(tx, {b"x": b"y"})
    report.step()
    with outage(database, "replica_counter"):
        spooled(tmp_path / "radius" / "spool", payload())
        report.step()
    gauges = told[-1].gauges
    assert (gauges["database_up"], gauges["feed_revision"]) == (0, 1)
    assert gauges["heard_at"] == told[0].gauges["heard_at"]
    assert gauges["spool_pending_records:spool"] == 1


def test_whatever_goes_wrong_it_goes_on(
    database: Database, report: SyncReport, told: list[WorkerReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def fail(*_: object) -> object:
        failed.set()
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("radius.sync_report.EVERY_SECONDS", 0.01)
    stop = threading.Event()
    with monkeypatch.context() as broken:
        broken.setattr(replica, "position", fail)
        thread = threading.Thread(target=report.run, args=(stop,))
        thread.start()
        assert failed.wait(60)
    until(lambda: told, "it tells again")
    stop.set()
    thread.join()
