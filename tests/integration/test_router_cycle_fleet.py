"""Many routers, some of them bad: the others converge as if those were not there, and those when they heal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from core.jobs import HANDLERS
from core.outcomes import Applied
from core.runtime import Runtime
from core.worker import Embedded
from lab.routeros.emulator import EmulatedRouter
from provisioning.routeros import router_jobs
from provisioning.routeros.touch import CONVERGE
from tests.factories_core import eventually
from tests.factories_cycle import Site, add_to
from tests.factories_jobs import jobs_in, registry
from tests.ticking import FakeClock

GOOD, EACH = 6, 2
BAD: list[Callable[[EmulatedRouter], None]] = [
    lambda router: router.faults.hang(),
    lambda router: router.faults.refuse(),
    lambda router: router.faults.reset(after=9, times=None),
    lambda router: router.faults.trap("/ppp/secret/add", "failure: no", times=None),
    lambda router: router.faults.no_space(),
]


@pytest.fixture
def fleet(runtime: Runtime, clock: FakeClock) -> Iterator[list[Site]]:
    with ExitStack() as stack, registry():
        HANDLERS.setdefault(CONVERGE, router_jobs.converge_router)
        sites = []
        for _ in range(GOOD + len(BAD)):
            made = Site(runtime, clock, stack.enter_context(EmulatedRouter()), 0)
            add_to(made, {"ppp": EACH}, timeout_seconds=1)
            sites.append(made)
        yield sites


def test_bad_routers_hold_up_none_of_the_others(fleet: list[Site]) -> None:
    good, bad = fleet[:GOOD], fleet[GOOD:]
    for one, spoil in zip(bad, BAD, strict=True):
        spoil(one.emulator)
    turns = {one.router_id: one.cycle() for one in bad + good}
    assert all(isinstance(turns[one.router_id].outcome, Applied) for one in good)
    assert all(one.standing().in_step for one in good), "one turn each, as without the bad ones"
    assert not any(one.standing().in_step for one in bad)
    for one in bad:
        one.emulator.faults.heal()
        one.clock.advance(minutes=1)
        one.settle()
    assert all(one.standing().in_step and one.planned() == [] for one in fleet)
    assert {one.emulator.most_connections for one in fleet} == {1}


def test_the_worker_converges_all_but_the_bad_and_those_when_they_heal(
    fleet: list[Site], runtime: Runtime, clock: FakeClock
) -> None:
    """All in one embedded worker, woken by what the facts enqueued; the bad ones hang at first."""
    bad, good = fleet[0], fleet[1:]
    bad.emulator.faults.hang()
    worker = Embedded(runtime)
    worker.start()
    try:
        eventually(lambda: all(one.standing().in_step for one in good))
        eventually(lambda: bad.status().failures > 0)
        assert not bad.standing().in_step
        bad.emulator.faults.heal()
        clock.advance(minutes=1)
        eventually(lambda: bad.standing().in_step)
        fleet[1].restrict(fleet[1].ids[0])
        eventually(lambda: fleet[1].standing().touched == 0)
        assert restricted(fleet[1]) == 1
    finally:
        worker.stop()
    assert {one.emulator.most_connections for one in fleet} == {1}
    assert {job.status for job in jobs_in(runtime.database) if job.kind == CONVERGE} == {"done"}


def restricted(one: Site) -> int:
    """How many of its secrets have a profile that restricts."""
    profiles: Any = {row["name"] for row in one.marked("/ppp/profile") if row.get("address-list")}
    return sum(row["profile"] in profiles for row in one.marked("/ppp/secret"))
