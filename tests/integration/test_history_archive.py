"""Sessions that are over become address history, each once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from core.database import Database
from core.jobs import SCHEDULES, run_periodic
from core.runtime import Runtime
from radius import history_jobs
from radius.drain import Drainer
from radius.history import who_had
from radius.history_archive import archive_batch
from radius.history_models import AddressHistory
from radius.history_partitions import months_kept
from radius.models import Session
from tests.factories_accounting import STOP, acct_attributes, received, spool_up
from tests.factories_history import drop_partitions, kept_users
from tests.factories_sessions import make_session
from tests.ticking import START, FakeClock

ADDRESS = ip_address("100.64.0.9")
EVERYTHING: dict[str, Any] = {
    "framed_ip_address": ADDRESS,
    "framed_ipv6_prefix": "2001:db8:0:42::/64",
    "delegated_ipv6_prefix": "2001:db8:1::/56",
}


@pytest.fixture(autouse=True)
def whole(database: Database) -> Iterator[None]:
    yield
    drop_partitions(database)


def days(count: float) -> datetime:
    return START + timedelta(days=count)


def ended(database: Database, *ends: float, **values: Any) -> None:
    """Sessions that began an hour before they ended, and one that goes on, whose number is the highest."""
    with database.transaction() as tx:
        for end in ends:
            span = {"started_at": days(end) - timedelta(hours=1), "stopped_at": days(end)}
            make_session(tx, user_name=f"d{end:g}", **{"framed_ip_address": ADDRESS, **span, **values})
        make_session(tx, user_name="live", started_at=days(-90))


def sessions_left(database: Database) -> list[str]:
    with database.reading() as tx:
        return list(tx.session.scalars(select(Session.user_name).order_by(Session.stopped_at)))


def archive(database: Database, before: float, limit: int = 1000) -> int:
    with database.transaction() as tx:
        return archive_batch(tx, days(before), limit)


def test_what_ended_before_the_instant_is_moved(database: Database) -> None:
    ended(database, -40, -31, -30, -1)
    assert archive(database, -30) == 2
    assert sorted(sessions_left(database)) == ["d-1", "d-30", "live"]
    with database.reading() as tx:
        assert kept_users(tx) == ["d-31", "d-40"]
    assert archive(database, -30) == 0


def test_a_session_leaves_a_row_for_each_address_it_had(database: Database) -> None:
    ended(database, -40, subscription_id=7, calling_station_id="02:00:5E:10:00:01", nas_port_id="v1", **EVERYTHING)
    assert archive(database, 0) == 1
    with database.reading() as tx:
        rows = tx.session.scalars(select(AddressHistory).order_by(AddressHistory.prefix_length)).all()
        networks = [f"{row.address}/{row.prefix_length}" for row in rows]
        assert networks == ["100.64.0.9/32", "2001:db8:1::/56", "2001:db8:0:42::/64"]
        for row in rows:
            assert (row.since, row.until) == (days(-40) - timedelta(hours=1), days(-40))
            assert (row.subscription_id, row.nas_id, row.user_name) == (7, 1, "d-40")
            assert (row.calling_station_id, row.nas_port_id) == ("02:00:5E:10:00:01", "v1")


ODD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no address at all": ({"framed_ip_address": None}, []),
    "a prefix that nobody can read": ({"delegated_ipv6_prefix": "nonsense"}, ["100.64.0.9"]),
    "one address told in two ways": (
        {"framed_ip_address": ip_address("2001:db8::7"), "framed_ipv6_prefix": "2001:db8::7/128"},
        ["2001:db8::7"],
    ),
}


@pytest.mark.parametrize(("values", "addresses"), ODD.values(), ids=ODD.keys())
def test_odd_sessions_go_too(database: Database, values: dict[str, Any], addresses: list[str]) -> None:
    ended(database, -40, **values)
    assert archive(database, 0) == 1
    with database.reading() as tx:
        assert [str(address) for address in tx.session.scalars(select(AddressHistory.address))] == addresses


def test_a_moved_address_keeps_its_beginning(database: Database) -> None:
    ended(database, -40, address_since=days(-40) - timedelta(minutes=10))
    archive(database, 0)
    with database.reading() as tx:
        assert who_had(tx, ADDRESS, days(-40) - timedelta(minutes=30)) == []
        [use] = who_had(tx, ADDRESS, days(-40) - timedelta(minutes=10))
        assert use.until == days(-40)


def test_batches_go_on_where_the_last_one_was_oldest_first(database: Database) -> None:
    ended(database, *range(-50, -40))
    assert [archive(database, -30, 4) for _ in range(3)] == [4, 4, 2]
    assert sessions_left(database) == ["live"]
    with database.reading() as tx:
        assert len(kept_users(tx)) == 10


def test_the_highest_number_is_never_given_out_again(database: Database) -> None:
    """SQLite numbers a row one above the highest there is."""
    with database.transaction() as tx:
        make_session(tx, started_at=days(-60), stopped_at=days(-59))
        highest = make_session(tx, user_name="last", started_at=days(-60), stopped_at=days(-50)).id
    assert archive(database, 0) == 1
    assert sessions_left(database) == ["last"]
    with database.transaction() as tx:
        assert make_session(tx).id > highest
    assert archive(database, 0) == 1


def test_a_session_number_that_a_router_uses_again_and_again(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    """Of the sessions of one number the older ones are archived while younger ones are not."""
    drainer = Drainer(database, tmp_path)
    for month in range(4):
        clock.now = days(20 * month)
        said = acct_attributes(STOP, b"81000001", seconds=60, address="100.64.0.9", event=clock.now)
        spool_up(tmp_path, received(said, clock.now))
        while drainer.step():
            pass
        archive(database, 20 * month - 30)
    assert not (tmp_path / "rejected").exists()
    with database.reading() as tx:
        assert (len(sessions_left(database)), len(kept_users(tx))) == (2, 2)


def test_a_crash_in_a_batch_leaves_all_or_nothing(database: Database) -> None:
    ended(database, -50, -49)

    def crash(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("DELETE FROM session"):
            raise RuntimeError("power cut")

    event.listen(database.engine, "before_cursor_execute", crash)
    with pytest.raises(RuntimeError, match="power cut"):
        archive(database, 0)
    event.remove(database.engine, "before_cursor_execute", crash)
    with database.reading() as tx:
        assert kept_users(tx) == []
    assert archive(database, 0) == 2
    with database.reading() as tx:
        assert kept_users(tx) == ["d-49", "d-50"]


def test_a_session_that_somebody_holds_is_left_for_later(database: Database) -> None:
    if database.dialect != "postgresql":
        return  # one writer
    ended(database, -50, -49)
    with database.transaction() as other:
        other.session.scalars(select(Session).where(Session.user_name == "d-50").with_for_update()).one()
        assert archive(database, 0) == 1
    assert archive(database, 0) == 1


def test_the_job_moves_all_by_the_settings_and_makes_the_months(runtime: Runtime, clock: FakeClock) -> None:
    assert SCHEDULES["archive-sessions"].exclusive
    runtime.settings.session_keep_days = 10
    ended(runtime.database, -400, -70, -40, -11, -9)
    assert run_periodic(runtime, "archive-sessions")
    assert sorted(sessions_left(runtime.database)) == ["d-9", "live"]
    with runtime.database.reading() as tx:
        assert kept_users(tx) == ["d-11", "d-40", "d-400", "d-70"]
        if runtime.database.dialect == "postgresql":
            names = [month.partition.removeprefix("address_history_") for month in months_kept(tx)]
            assert (names[0], names[-1], len(names)) == ("2025_03", "2026_05", 15)
    clock.advance(days=2)
    assert run_periodic(runtime, "archive-sessions")
    assert sessions_left(runtime.database) == ["live"]


def test_a_partition_that_is_in_the_way_does_not_stop_the_archive(runtime: Runtime) -> None:
    """Somebody reads the default partition for long: it gets its rows, and the month its partition later."""
    database = runtime.database
    if database.dialect != "postgresql":
        return
    ended(database, -40)
    with database.engine.connect() as reader:
        reader.exec_driver_sql("BEGIN; SELECT * FROM address_history")
        history_jobs.archive_sessions(runtime)
        with database.reading() as tx:
            assert (kept_users(tx), months_kept(tx)) == (["d-40"], [])
    history_jobs.archive_sessions(runtime)
    with database.reading() as tx:
        assert len(months_kept(tx)) == 3
        assert kept_users(tx) == ["d-40"]
