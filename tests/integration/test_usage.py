"""Usage by company's day: at midnight, across sessions, for whose session it turns out to be, and at the API."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from core.database import Database
from core.runtime import Runtime
from radius.codec import Attribute
from radius.drain import Drainer
from radius.fold import STALE
from radius.models import Session
from radius.session_end import end_sessions
from radius.usage import DayUsage, add_usage, usage_of
from radius.usage_meter import Counted
from tests.factories_accounting import FAST, INTERIM, START, STOP, acct_attributes, received, spool_up
from tests.factories_api import Client, opened, problem
from tests.factories_sessions import make_session

MIDNIGHT = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
"""In São Paulo: the 2nd of March ends."""
MONDAY, TUESDAY, WEDNESDAY = (date(2026, 3, day) for day in (2, 3, 4))
EVER = (date.min, date.max)


def told(status: int, hours: float, octets: tuple[int, int] = (0, 0), *, subscription: int = 7) -> list[Attribute]:
    seconds = round((hours + 12) * 3600)
    return acct_attributes(status, b"s1", b"ana", seconds=seconds, octets=octets, grant=FAST, subscription=subscription)


def drain(
    database: Database, directory: Path, *records: tuple[int, float, tuple[int, int]], subscription: int = 7
) -> None:
    """Records as (status, hours after midnight, octets), in one batch, of a session that began at noon."""
    sent = [
        received(told(status, hours, octets, subscription=subscription), MIDNIGHT + timedelta(hours=hours))
        for status, hours, octets in records
    ]
    spool_up(directory, *sent)
    drainer = Drainer(database, directory)
    while drainer.step():
        pass


def days(database: Database, subscription: int = 7) -> dict[date, tuple[int, int]]:
    with database.reading() as tx:
        return {each.day: (each.input_octets, each.output_octets) for each in usage_of(tx, subscription, *EVER)}


DAYS = {
    "one day": ([(START, -12, (0, 0)), (INTERIM, -1, (10, 20))], {MONDAY: (10, 20)}),
    "one day, over": ([(START, -12, (0, 0)), (STOP, -1, (10, 20))], {MONDAY: (10, 20)}),
    "across midnight": (
        [(INTERIM, -1, (10, 20)), (INTERIM, 1, (15, 50)), (STOP, 2, (16, 60))],
        {MONDAY: (10, 20), TUESDAY: (6, 40)},
    ),
    "an interim late from the day before raises what it raises": (
        [(INTERIM, -2, (10, 20)), (INTERIM, 1, (15, 50)), (INTERIM, -1, (12, 30))],
        {MONDAY: (10, 20), TUESDAY: (5, 30)},
    ),
    "a stop again, that says more": (
        [(STOP, -1, (10, 20)), (STOP, -0.5, (11, 22))],
        {MONDAY: (11, 22)},
    ),
    "a day of silence": (
        [(INTERIM, -1, (10, 20)), (INTERIM, 25, (30, 30))],
        {MONDAY: (10, 20), WEDNESDAY: (20, 10)},
    ),
    "beyond 32 bits": ([(STOP, -1, (5 << 40, 7 << 40))], {MONDAY: (5 << 40, 7 << 40)}),
}


@pytest.mark.parametrize("at_once", [True, False], ids=["in one batch", "batch by batch"])
@pytest.mark.parametrize(("records", "expected"), DAYS.values(), ids=DAYS.keys())
def test_each_day_has_what_its_records_brought(
    database: Database,
    tmp_path: Path,
    records: list[tuple[int, float, tuple[int, int]]],
    expected: dict[date, tuple[int, int]],
    at_once: bool,
) -> None:
    for batch in [records] if at_once else [[each] for each in records]:
        drain(database, tmp_path, *batch)
    assert days(database) == expected


def test_a_session_that_was_taken_for_gone_and_lives_is_not_counted_twice(database: Database, tmp_path: Path) -> None:
    drain(database, tmp_path, (INTERIM, -2, (10, 20)))
    with database.transaction() as tx:
        assert end_sessions(tx, by=STALE, cause="Lost-Carrier").sessions == 1
    assert days(database) == {MONDAY: (10, 20)}
    drain(database, tmp_path, (INTERIM, -1, (15, 25)))
    assert days(database) == {MONDAY: (15, 25)}
    drain(database, tmp_path, (STOP, 1, (16, 26)))
    assert days(database) == {MONDAY: (15, 25), TUESDAY: (1, 1)}


def test_what_a_session_moved_before_it_was_known_whose_it_is_is_not_lost(database: Database, tmp_path: Path) -> None:
    nobodys = acct_attributes(INTERIM, b"s1", b"ana", seconds=3600 * 11, octets=(10, 20))
    spool_up(tmp_path, received(nobodys, MIDNIGHT - timedelta(hours=1)))
    drain(database, tmp_path, (INTERIM, 1, (15, 25)))
    assert days(database) == {TUESDAY: (15, 25)}


def test_a_session_that_becomes_another_subscriptions_leaves_each_its_own(database: Database, tmp_path: Path) -> None:
    drain(database, tmp_path, (INTERIM, -2, (10, 20)))
    drain(database, tmp_path, (STOP, -1, (15, 25)), subscription=8)
    assert (days(database), days(database, 8)) == ({MONDAY: (10, 20)}, {MONDAY: (5, 5)})


def test_a_session_from_before_days_were_counted(database: Database, tmp_path: Path) -> None:
    drain(database, tmp_path, (INTERIM, -2, (10, 20)))
    with database.transaction() as tx:
        tx.session.execute(update(Session).values(usage_day=None, told=None))
    assert days(database) == {MONDAY: (10, 20)}
    drain(database, tmp_path, (INTERIM, 2, (11, 21)))
    assert days(database) == {MONDAY: (10, 20), TUESDAY: (1, 1)}


def test_days_add_up_over_sessions_and_only_those_asked_for_are_told(database: Database) -> None:
    with database.transaction() as tx:
        add_usage(tx, [Counted(7, MONDAY, 1, 2), Counted(7, TUESDAY, 3, 4), Counted(8, MONDAY, 9, 9)])
        add_usage(tx, [Counted(7, MONDAY, 10, 20)])
        for stopped_at in (None, MIDNIGHT):
            make_session(
                tx, subscription_id=7, usage_day=TUESDAY, input_octets=100, output_octets=200, usage_input_octets=40,
                usage_output_octets=50, stopped_at=stopped_at,
            )  # fmt: skip
    with database.reading() as tx:
        assert usage_of(tx, 7, MONDAY, MONDAY) == [DayUsage(MONDAY, 11, 22)]
        assert usage_of(tx, 7, TUESDAY, WEDNESDAY) == [DayUsage(TUESDAY, 63, 154)]
        assert usage_of(tx, 7, WEDNESDAY, WEDNESDAY) == []


def test_at_the_api(runtime: Runtime) -> None:
    client = Client(runtime)
    subscription = opened(client)
    with runtime.database.transaction() as tx:
        add_usage(tx, [Counted(subscription, MONDAY + timedelta(days=number), number + 1, 9) for number in range(5)])
    path = f"/subscriptions/{subscription}/usage"
    first = client.get(path, limit=2).content
    assert [each["day"] for each in first["items"]] == ["2026-03-06", "2026-03-05"]
    second = client.get(path, limit=2, after=first["next"]).content
    assert second["items"][0] == {"day": "2026-03-04", "input_octets": 3, "output_octets": 9}
    last = client.get(path, limit=2, after=second["next"]).content
    assert ([each["day"] for each in last["items"]], last["next"]) == (["2026-03-02"], None)
    some = client.get(path, first_day="2026-03-03", last_day="2026-03-04").content
    assert [each["day"] for each in some["items"]] == ["2026-03-04", "2026-03-03"]
    problem(client.get("/subscriptions/999/usage"), 404, "not-found")
