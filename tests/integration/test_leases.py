"""Leases: one holder over all threads and processes, freed by time; and schedules that rest on them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from core.clock import system_clock
from core.database import Database
from core.jobs import every, run_periodic
from core.leases import Lease, hold_lease, keep_lease
from core.runtime import Runtime
from tests.factories_core import PATIENCE, race
from tests.factories_jobs import registry

RACERS = 16
LONG = timedelta(minutes=10)
OVER = timedelta(seconds=-1)
"""The length of a lease that has run out as soon as it is taken: of a holder that died long ago."""


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with registry():
        yield


def held_in(database: Database) -> int:
    with database.reading() as tx:
        return tx.session.scalars(select(func.count()).select_from(Lease)).one()


def leave_behind(database: Database, name: str) -> None:
    """A lease of a holder that died: its time is over, its row stayed."""
    with database.transaction() as tx:
        tx.session.add(Lease(name=name, holder="dead", until=system_clock() + OVER))


def test_a_lease_is_held_and_given_back(database: Database) -> None:
    with hold_lease(database, "nas:1", LONG) as ours:
        assert ours
        with hold_lease(database, "nas:1", LONG) as again, hold_lease(database, "nas:2", LONG) as other:
            assert (again, other) == (False, True)
        assert held_in(database) == 1, "who did not hold it did not give it back"
    assert held_in(database) == 0
    with hold_lease(database, "nas:1", LONG) as ours:
        assert ours


def test_a_lease_is_given_back_after_an_error(database: Database) -> None:
    def fail() -> None:
        with hold_lease(database, "nas:1", LONG):
            raise KeyError("nas")

    with pytest.raises(KeyError):
        fail()
    assert held_in(database) == 0


@pytest.mark.parametrize("left", [False, True], ids=["of a free name", "that a dead holder left"])
def test_racing_for_a_lease_gives_it_to_one(database: Database, left: bool) -> None:
    for name in [f"nas:{number}" for number in range(4)]:
        if left:
            leave_behind(database, name)
        decided = threading.Barrier(RACERS)

        def attempt(_racer: int, name: str = name, decided: threading.Barrier = decided) -> bool:
            with hold_lease(database, name, LONG) as ours:
                decided.wait(PATIENCE)  # nobody gives it back before all have tried
                return ours

        assert sorted(race(RACERS, attempt)) == [False] * (RACERS - 1) + [True]


def test_holders_take_turns(database: Database) -> None:
    """With a lease around it, a read and a write that are not one transaction lose nothing."""
    with database.transaction() as tx:
        tx.session.add(Lease(name="counter", holder="0", until=tx.now))
    inside = threading.Semaphore(1)

    def attempt(_racer: int) -> None:
        while True:
            with hold_lease(database, "nas:1", LONG) as ours:
                if ours:
                    assert inside.acquire(blocking=False), "two hold the lease"
                    with database.reading() as tx:
                        number = tx.session.scalars(select(Lease.holder).where(Lease.name == "counter")).one()
                    with database.transaction() as tx:
                        statement = text("UPDATE lease SET holder = :next WHERE name = 'counter'")
                        tx.session.execute(statement, {"next": str(int(number) + 1)})
                    inside.release()
                    return

    race(4, attempt)
    with database.reading() as tx:
        assert tx.session.scalars(select(Lease.holder).where(Lease.name == "counter")).one() == "4"


def test_a_dead_holders_lease_is_free_when_its_time_is_over(database: Database) -> None:
    with hold_lease(database, "nas:1", OVER) as dead:
        assert dead
        with hold_lease(database, "nas:1", LONG) as ours:
            assert ours
    assert held_in(database) == 0


def test_who_held_too_long_does_not_give_back_what_is_anothers(database: Database) -> None:
    with hold_lease(database, "nas:1", OVER):
        following = hold_lease(database, "nas:1", LONG)
        assert following.__enter__()
    assert held_in(database) == 1
    following.__exit__(None, None, None)
    assert held_in(database) == 0


def test_an_exclusive_schedule_runs_once_at_a_time(runtime: Runtime) -> None:
    started, tried = threading.Event(), threading.Event()
    runs: list[int] = []

    @every(60, "test-exclusive")
    def work(_runtime: Runtime) -> None:
        runs.append(1)
        started.set()
        assert tried.wait(PATIENCE)

    first: list[bool] = []
    thread = threading.Thread(target=lambda: first.append(run_periodic(runtime, "test-exclusive")))
    thread.start()
    assert started.wait(PATIENCE)
    assert run_periodic(runtime, "test-exclusive") is False
    tried.set()
    thread.join(PATIENCE)
    assert (first, len(runs)) == ([True], 1)
    assert run_periodic(runtime, "test-exclusive") is True
    assert len(runs) == 2


def test_a_schedule_that_is_safe_beside_itself_takes_no_lease(runtime: Runtime) -> None:
    together = threading.Barrier(2)

    @every(60, "test-shared", exclusive=False)
    def work(given: Runtime) -> None:
        assert held_in(given.database) == 0
        together.wait(PATIENCE)  # passes only when two are in here at once

    assert race(2, lambda _racer: run_periodic(runtime, "test-shared")) == [True, True]


def test_a_schedule_that_fails_can_run_again(runtime: Runtime) -> None:
    fail = True

    @every(60, "test-failing")
    def work(_runtime: Runtime) -> None:
        if fail:
            raise KeyError("nas")

    with pytest.raises(KeyError):
        run_periodic(runtime, "test-failing")
    fail = False
    assert run_periodic(runtime, "test-failing") is True


def test_a_kept_lease_is_lengthened_while_it_is_ours(database: Database) -> None:
    with keep_lease(database, "router:7", timedelta(seconds=60)) as lease:
        assert lease is not None
        assert lease.renew()
        with keep_lease(database, "router:7", timedelta(seconds=60)) as second:
            assert second is None
    with keep_lease(database, "router:7", timedelta(seconds=60)) as third:
        assert third is not None


def test_a_kept_lease_that_another_took_over_is_not_lengthened(database: Database) -> None:
    with keep_lease(database, "router:7", timedelta(seconds=-1)) as late:
        assert late is not None
        with keep_lease(database, "router:7", timedelta(seconds=60)) as other:
            assert other is not None
            assert not late.renew()
            assert other.renew()
