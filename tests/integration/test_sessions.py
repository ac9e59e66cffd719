"""Who is connected, who was, and who is taken for gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import NotFound
from core.job_queue import Job
from core.jobs import SCHEDULES
from core.runtime import Runtime
from radius import sessions
from radius.drain import Drainer
from radius.models import Session, SpoolPosition
from radius.stale import close_stale, close_stale_sessions
from tests.factories_accounting import INTERIM, NOW, acct_attributes, received, spool_up
from tests.factories_sessions import make_session
from tests.ticking import FakeClock

ADDRESS, OTHER = ip_address("100.64.0.9"), ip_address("100.64.0.10")
INTERVAL = timedelta(seconds=300)


def ids(found: Sequence[Session]) -> list[int]:
    return [each.id for each in found]


def minutes(count: float) -> datetime:
    return NOW + timedelta(minutes=count)


def test_open_sessions_by_whatever_is_asked(database: Database) -> None:
    with database.transaction() as tx:
        one = make_session(tx, subscription_id=7, nas_id=1, user_name="ana", framed_ip_address=ADDRESS)
        two = make_session(tx, subscription_id=7, nas_id=2, user_name="ana", framed_ip_address=OTHER)
        three = make_session(tx, subscription_id=8, nas_id=1, user_name="bia")
        make_session(tx, subscription_id=7, nas_id=1, user_name="ana", framed_ip_address=ADDRESS, stopped_at=NOW)
    questions: list[tuple[dict[str, Any], list[Session]]] = [
        ({}, [one, two, three]),
        ({"subscription_id": 7}, [one, two]),
        ({"nas_id": 1}, [one, three]),
        ({"user_name": "ana"}, [one, two]),
        ({"address": ADDRESS}, [one]),
        ({"subscription_id": 7, "nas_id": 2}, [two]),
        ({"subscription_id": 9}, []),
    ]
    with database.reading() as tx:
        for question, expected in questions:
            assert ids(sessions.open_sessions(tx, **question)) == ids(expected), question


def test_pages_do_not_shift_while_sessions_come(database: Database) -> None:
    with database.transaction() as tx:
        old = [make_session(tx, stopped_at=NOW if number % 2 else None) for number in range(7)]
    newest_first = ids(old)[::-1]
    with database.transaction() as tx:
        first = sessions.list_sessions(tx, limit=3)
        make_session(tx)
        second = sessions.list_sessions(tx, limit=3, before_id=first[-1].id)
        third = sessions.list_sessions(tx, limit=3, before_id=second[-1].id)
    assert ids([*first, *second, *third]) == newest_first
    with database.reading() as tx:
        assert ids(sessions.list_sessions(tx, only_open=True, before_id=old[-1].id)) == newest_first[2::2]


def test_one_session(database: Database) -> None:
    with database.transaction() as tx:
        made = make_session(tx)
        assert sessions.get_session(tx, made.id, lock=True) is made
        with pytest.raises(NotFound):
            sessions.get_session(tx, made.id + 1)


def test_nas_with_open_sessions_of_subscriptions(database: Database) -> None:
    with database.transaction() as tx:
        for subscription_id in range(1, 1_201):
            make_session(tx, subscription_id=subscription_id, nas_id=subscription_id % 7)
        make_session(tx, subscription_id=5_000, nas_id=70)
        make_session(tx, subscription_id=5_001, nas_id=71, stopped_at=NOW)
    with database.reading() as tx:
        assert sessions.nas_ids_with_open_sessions(tx, []) == []
        assert sessions.nas_ids_with_open_sessions(tx, [5_001]) == []
        assert sessions.nas_ids_with_open_sessions(tx, [5_000, 8, 1]) == [1, 70]
        assert sessions.nas_ids_with_open_sessions(tx, list(range(1, 1_201))) == [0, 1, 2, 3, 4, 5, 6]


def test_sessions_that_missed_three_interims_are_closed_at_their_last_sign(
    database: Database, clock: FakeClock
) -> None:
    with database.transaction() as tx:
        silent = make_session(tx, nas_id=1)
        fresh = make_session(tx, nas_id=1, updated_at=minutes(1))
        elsewhere = make_session(tx, nas_id=2)
        make_session(tx, nas_id=3, stopped_at=NOW)
    clock.now = minutes(15) + timedelta(seconds=1)
    with database.transaction() as tx:
        assert close_stale(tx, INTERVAL, 3) == 2
    with database.transaction() as tx:
        ends = {each.id: (each.stopped_at, each.closed_by) for each in tx.session.scalars(select(Session))}
        assert (ends[silent.id], ends[elsewhere.id]) == ((NOW, "stale"), (NOW, "stale"))
        assert ends[fresh.id] == (None, "")
        assert tx.session.scalars(select(Job.key).order_by(Job.key)).all() == ["1", "2"]
        assert close_stale(tx, INTERVAL, 3) == 0, "closing twice closes nothing"


@pytest.mark.parametrize(
    ("caught_up", "listening", "seen", "closed"),
    [(60, 0, 60, 1), (15, 0, 60, 0), (60, 50, 60, 0), (15, 0, -60 * 24, 1)],
    ids=["listening and up to date", "a backlog in the spool", "listening for a short time", "a host that is no more"],
)
def test_our_own_deafness_closes_nobody(
    database: Database, clock: FakeClock, caught_up: int, listening: int, seen: int, closed: int
) -> None:
    with database.transaction() as tx:
        make_session(tx)
        row = {"spool": "one", "segment": 1, "offset": 0}
        times = {"caught_up_at": minutes(caught_up), "listening_since": minutes(listening), "seen_at": minutes(seen)}
        tx.session.add(SpoolPosition(**row, **times))
    clock.now = minutes(60)
    with database.transaction() as tx:
        assert close_stale(tx, INTERVAL, 3) == closed


def test_a_session_that_was_taken_for_gone_comes_back_with_its_next_interim(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    drainer = Drainer(database, tmp_path)
    spool_up(tmp_path, received(acct_attributes(INTERIM, b"s1", seconds=60), NOW))
    drainer.step()
    with database.transaction() as tx:
        tx.session.query(SpoolPosition).delete()
        clock.now = minutes(60)
    with database.transaction() as tx:
        assert close_stale(tx, INTERVAL, 3) == 1
    spool_up(tmp_path, received(acct_attributes(INTERIM, b"s1", seconds=3660), minutes(60)))
    again = Drainer(database, tmp_path)
    while again.step():
        pass
    with database.reading() as tx:
        [session] = sessions.open_sessions(tx)
        assert (session.session_seconds, session.closed_by) == (3660, "")


def test_it_is_done_every_minute_with_the_settings_of_the_product(runtime: Runtime, clock: FakeClock) -> None:
    assert SCHEDULES["close-stale-sessions"].seconds == 60
    with runtime.database.transaction() as tx:
        make_session(tx)
    for minute, still_open in ((15, 1), (16, 0)):
        clock.now = minutes(minute)
        close_stale_sessions(runtime)
        with runtime.database.reading() as tx:
            assert len(sessions.open_sessions(tx)) == still_open
