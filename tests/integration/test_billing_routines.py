"""The routines that an installation begins with: who is late is restricted each day at six, once, by the rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing_bridge import background  # noqa: F401 - their import registers the tasks
from billing_bridge.dunning import tasks as dunning_tasks  # noqa: F401 - their import registers the tasks
from billing_bridge.dunning.work import CHUNK, list_runs
from billing_bridge.models import DunningRun
from billing_bridge.notices import tasks as notice_tasks  # noqa: F401 - their import registers the tasks
from core.alarms import raise_alarm
from core.database import Database
from core.runtime import Runtime
from provisioning.models import Debt, RestrictionOrderRow
from provisioning.orders import live_orders
from provisioning.routines.commands import list_routines
from provisioning.routines.own_tasks import rehearse_enable
from tests.factories import restrict
from tests.factories_billing import make_billed, make_invoice, make_method, state_of
from tests.factories_core import race
from tests.factories_routines import carry_out, runs_of, tick_and_run
from tests.ticking import FakeClock

SIX = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""Six in the morning in São Paulo, on a Monday."""


@pytest.fixture(autouse=True)
def seeded(runtime: Runtime, clock: FakeClock) -> dict[str, int]:
    """An installation that began a second before six: the routines' ids by task."""
    clock.now = SIX - timedelta(seconds=1)
    tick_and_run(runtime)
    with runtime.database.reading() as tx:
        return {routine.task: routine.id for routine in list_routines(tx)}


def late_subscriptions(database: Database, count: int, late: int = 30) -> list[int]:
    with database.transaction() as tx:
        method = make_method(tx)
        ids = []
        for _ in range(count):
            subscription = make_billed(tx, method)
            make_invoice(tx, subscription, late=late)
            ids.append(subscription.id)
        return ids


def dunned(database: Database) -> list[DunningRun]:
    with database.reading() as tx:
        return list(list_runs(tx))


def test_the_defaults_run_daily(seeded: dict[str, int], database: Database) -> None:
    assert set(seeded) >= {"notify", "suspend-and-reduce", "enable", "sweep-stale-sessions"}
    with database.reading() as tx:
        hours = {row.task: (row.hours, row.minutes, row.description) for row in list_routines(tx)}
    assert hours["suspend-and-reduce"] == ([6], [0], "Suspensão diária")
    assert hours["notify"] == ([5], [0], "Avisos de suspensão")
    assert hours["enable"] == ([6], [30], "Habilitação diária")
    assert hours["sweep-stale-sessions"] == ([], [0], "Limpeza de sessões mudas")


def test_a_run_of_several_chunks_is_told_when_it_is_through(
    runtime: Runtime, database: Database, clock: FakeClock, seeded: dict[str, int]
) -> None:
    count = CHUNK + 1
    database.settings.suspension_cap_minimum = count
    late_subscriptions(database, count)
    clock.now = SIX
    tick_and_run(runtime)
    [told] = runs_of(database, seeded["suspend-and-reduce"])
    assert (told.status, told.counts["ordered"], dunned(database)[0].status) == ("done", count, "done")


def test_who_is_late_is_suspended_at_six_and_not_a_second_before(
    runtime: Runtime, database: Database, clock: FakeClock, seeded: dict[str, int]
) -> None:
    [subscription] = late_subscriptions(database, 1)
    tick_and_run(runtime)
    assert (dunned(database), state_of(database, subscription)) == ([], "ACTIVE")
    clock.now = SIX
    for _ in range(3):
        tick_and_run(runtime)
        clock.advance(hours=7)
    [run] = dunned(database)
    assert (run.day.day, run.ordered, run.source) == (2, 1, "routine")
    assert run.actor == f"routine {seeded['suspend-and-reduce']} Suspensão diária"
    assert state_of(database, subscription) == "SUSPENDED"
    [routine_run] = runs_of(database, seeded["suspend-and-reduce"])
    assert (routine_run.slot_at, routine_run.status, routine_run.counts["ordered"]) == (SIX, "done", 1)


def test_once_a_day(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    for _ in range(3 * 24):
        clock.advance(hours=1)
        tick_and_run(runtime)
    assert [run.day.day for run in dunned(database)] == [2, 3, 4]


def test_days_that_were_missed_are_made_up_for_once(
    runtime: Runtime, database: Database, clock: FakeClock, seeded: dict[str, int]
) -> None:
    clock.now = SIX
    tick_and_run(runtime)
    clock.advance(days=3, hours=5)
    tick_and_run(runtime)
    tick_and_run(runtime)
    assert [run.day.day for run in dunned(database)] == [2, 5]
    assert [run.missed for run in runs_of(database, seeded["suspend-and-reduce"])] == [0, 2]


def test_a_missed_run_decides_by_the_day_on_which_it_runs(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    """A slot of Thursday that is made up for on a Friday is Friday's: on no day may it restrict who is not to be
    restricted on that day.
    """
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx))
        make_invoice(tx, subscription, late=28)
    clock.now = SIX + timedelta(days=1, hours=20)
    tick_and_run(runtime)
    assert (dunned(database)[-1].day.day, state_of(database, subscription.id)) == (4, "SUSPENDED")


def test_over_the_cap_it_waits_and_does_not_try_again_that_day(
    runtime: Runtime, database: Database, clock: FakeClock, seeded: dict[str, int]
) -> None:
    ids = late_subscriptions(database, 11)
    clock.now = SIX
    for _ in range(3):
        tick_and_run(runtime)
        clock.advance(minutes=1)
    [waiting] = dunned(database)
    assert (waiting.status, waiting.planned, waiting.ordered, waiting.cap) == ("waiting", 11, 0, 10)
    assert {state_of(database, item) for item in ids} == {"ACTIVE"}
    assert [run.status for run in runs_of(database, seeded["suspend-and-reduce"])] == ["waiting"]


def test_a_guard_holds_it_and_the_next_day_it_runs(
    runtime: Runtime, database: Database, clock: FakeClock, seeded: dict[str, int]
) -> None:
    [subscription] = late_subscriptions(database, 1)
    with database.transaction() as tx:
        alarm = raise_alarm(tx, "feed-empty", "bank", detail="no file since Friday")
    clock.now = SIX
    tick_and_run(runtime)
    assert [run.status for run in runs_of(database, seeded["suspend-and-reduce"])] == ["held"]
    assert state_of(database, subscription) == "ACTIVE"
    with database.transaction() as tx:
        tx.session.merge(alarm).cleared_at = tx.now
    clock.advance(days=1)
    tick_and_run(runtime)
    assert state_of(database, subscription) == "SUSPENDED"


def test_schedulers_and_workers_at_once_run_the_day_once(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    [subscription] = late_subscriptions(database, 1)
    clock.now = SIX
    race(3, lambda _racer: tick_and_run(runtime))
    carry_out(runtime)
    [run] = dunned(database)
    with database.reading() as tx:
        assert (run.ordered, len(live_orders(tx, subscription))) == (1, 1)


def test_enable_restores_whose_debt_is_gone_though_every_guard_holds(
    runtime: Runtime, database: Database, clock: FakeClock, seeded: dict[str, int]
) -> None:
    """The debt went away behind the back of billing; two others still owe."""
    with database.transaction() as tx:
        method = make_method(tx)
        gone, owing, less = (make_billed(tx, method).id for _ in range(3))
        for subscription_id, invoice_id in ((gone, 901), (owing, 902), (less, 903)):
            restrict(tx, subscription_id, invoice_id=invoice_id)
        for invoice_id, cents in ((901, 0), (903, 1)):
            tx.session.query(Debt).filter_by(invoice_id=invoice_id).update({"open_cents": cents})
        raise_alarm(tx, "feed-empty", "bank", detail="no file since Friday")
    with database.reading() as tx:
        assert rehearse_enable(tx, {}).counts == {"looked_at": 3, "lapsed": 1}
    clock.now = SIX + timedelta(minutes=29, seconds=59)
    tick_and_run(runtime)
    assert state_of(database, gone) == "SUSPENDED"
    clock.now = SIX + timedelta(minutes=30)
    tick_and_run(runtime)
    assert [state_of(database, item) for item in (gone, owing, less)] == ["ACTIVE", "SUSPENDED", "SUSPENDED"]
    [run] = runs_of(database, seeded["enable"])
    assert (run.status, run.counts) == ("done", {"looked_at": 3, "lapsed": 1, "restored": 1})
    with database.reading() as tx:
        lapsed = tx.session.query(RestrictionOrderRow).filter(RestrictionOrderRow.lapsed_at.is_not(None)).all()
        assert [order.subscription_id for order in lapsed] == [gone]


def test_one_that_cannot_be_looked_at_keeps_nobody_else_restricted(
    runtime: Runtime, database: Database, clock: FakeClock, seeded: dict[str, int]
) -> None:
    with database.transaction() as tx:
        method = make_method(tx)
        broken, gone = (make_billed(tx, method).id for _ in range(2))
        restrict(tx, broken, invoice_id=901).level = "nonsense"
        restrict(tx, gone, invoice_id=902)
        tx.session.query(Debt).filter_by(invoice_id=902).update({"open_cents": 0})
    clock.now = SIX + timedelta(minutes=30)
    tick_and_run(runtime)
    assert state_of(database, gone) == "ACTIVE"
    [run] = runs_of(database, seeded["enable"])
    assert (run.status, run.counts) == ("failed", {"looked_at": 1, "lapsed": 1, "restored": 1, "failed": 1})
