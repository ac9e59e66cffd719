"""Watching the clocks: the alarm, how it ends, and that a rehearsal raises none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.alarms import clear_alarm, open_alarms
from core.clock_guard import Mark
from core.clock_marks import PRODUCT, machine_mark, watch_clocks
from core.database import Database
from core.jobs import run_periodic
from core.runtime import Runtime
from tests.ticking import FakeClock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def seen(database: Database, wall: datetime, uptime: timedelta, boot: str = "one") -> list[str]:
    """Show the watch this mark; gives what is told by the alarms that are open then."""
    with database.transaction() as tx:
        watch_clocks(tx, {"machine m": Mark(wall, boot, uptime.total_seconds())})
        return [alarm.detail for alarm in open_alarms(tx, ("clock-jump",))]


def test_a_quiet_clock_raises_nothing(database: Database) -> None:
    for minutes in (0, 1, 2, 90):
        assert seen(database, NOON + minutes * MINUTE, minutes * MINUTE) == []


def test_a_jump_forward_is_told_and_stays_open(database: Database) -> None:
    seen(database, NOON, MINUTE)
    told = "the clock of machine m jumped forward by 3 d, to 2026-03-05 12:01 UTC"
    assert seen(database, NOON + 3 * DAY + MINUTE, 2 * MINUTE) == [told]
    [still] = seen(database, NOON + 3 * DAY + 2 * MINUTE, 3 * MINUTE)
    assert still == "the clock of machine m jumped forward by 3 d, to 2026-03-05 12:02 UTC"


def test_it_ends_when_the_clock_is_back(database: Database) -> None:
    seen(database, NOON, MINUTE)
    assert seen(database, NOON + 3 * DAY, 2 * MINUTE)
    assert seen(database, NOON + 2 * MINUTE, 3 * MINUTE) == []
    assert seen(database, NOON + 3 * MINUTE, 4 * MINUTE) == []


def test_who_clears_it_says_that_the_new_time_is_right(database: Database) -> None:
    seen(database, NOON, MINUTE)
    assert seen(database, NOON + 3 * DAY, 2 * MINUTE)
    with database.transaction() as tx:
        [alarm] = open_alarms(tx)
        clear_alarm(tx, alarm_id=alarm.id, note="the machine was set right")
    assert seen(database, NOON + 3 * DAY + MINUTE, 3 * MINUTE) == []
    assert seen(database, NOON + 3 * DAY + 2 * MINUTE, 4 * MINUTE) == []
    assert len(seen(database, NOON, 5 * MINUTE)) == 1


@pytest.mark.parametrize(
    ("wall", "count"),
    [
        pytest.param(NOON + 30 * DAY, 0, id="a month later"),
        pytest.param(NOON - timedelta(hours=1), 0, id="an hour earlier"),
        pytest.param(NOON - timedelta(hours=1, seconds=1), 1, id="more than an hour earlier"),
    ],
)
def test_over_a_reboot_only_back_is_certain(database: Database, wall: datetime, count: int) -> None:
    seen(database, NOON, 5 * MINUTE, "one")
    assert len(seen(database, wall, MINUTE, "two")) == count


def test_each_machine_has_its_own_alarm(database: Database) -> None:
    with database.transaction() as tx:
        watch_clocks(tx, {"machine a": Mark(NOON, "a", 0), "machine b": Mark(NOON, "b", 0)})
        watch_clocks(tx, {"machine a": Mark(NOON + DAY, "a", 60), "machine b": Mark(NOON + DAY, "b", 60)})
        assert [alarm.subject for alarm in open_alarms(tx)] == ["machine a", "machine b"]
        watch_clocks(tx, {"machine a": Mark(NOON + 2 * MINUTE, "a", 120), "machine b": Mark(NOON + DAY, "b", 60)})
        assert [alarm.subject for alarm in open_alarms(tx)] == ["machine b"]


def test_the_schedule_marks_this_machine_and_a_rehearsal_raises_nothing(runtime: Runtime, clock: FakeClock) -> None:
    for _ in range(3):
        run_periodic(runtime, "clock-marks")
        clock.advance(days=40)
    with runtime.database.reading() as tx:
        assert open_alarms(tx) == []


def test_the_products_clock_does_not_go_back(runtime: Runtime, clock: FakeClock) -> None:
    run_periodic(runtime, "clock-marks")
    clock.advance(hours=-2)
    run_periodic(runtime, "clock-marks")
    with runtime.database.reading() as tx:
        assert [alarm.subject for alarm in open_alarms(tx)] == [PRODUCT]
    clock.advance(hours=2)
    run_periodic(runtime, "clock-marks")
    with runtime.database.reading() as tx:
        assert open_alarms(tx) == []


def test_this_machine_counts_since_its_boot() -> None:
    one, other = machine_mark(), machine_mark()
    assert one.boot_id == other.boot_id
    assert other.uptime >= one.uptime
