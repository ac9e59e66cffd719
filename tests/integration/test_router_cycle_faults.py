"""A cycle that is cut off anywhere is made good by the next: at every sentence, by every kind of fault."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.runtime import Runtime
from lab.routeros.emulator import EmulatedRouter
from provisioning.routeros.routers import change_router, get_router
from tests.factories_cycle import Site, add_to, site
from tests.ticking import FakeClock

GARDEN = {"portal": "192.0.2.20", "portal_port": 80, "allow": ["192.0.2.0/28", "pix.bank.example"], "dns": True}
MIXED = {"ppp": 3, "dhcp": 2, "static": 2}
EXAMPLES = int(os.environ.get("CATRACA_FAULTS", "6"))


def mended(made: Site) -> None:
    """The next turn that comes through leaves nothing to do; no fault is left, and time goes by."""
    made.emulator.faults.heal()
    made.clock.advance(minutes=16)
    made.settle()
    assert made.planned() == []
    standing = made.standing()
    assert (standing.in_step, standing.touched, standing.differing, standing.trouble) == (True, 0, 0, "")
    assert made.emulator.most_connections == 1


STRIKES: list[Any] = [
    pytest.param(lambda router, k: router.faults.reset(after=k), 1, id="reset in the middle of an answer"),
    pytest.param(lambda router, k: router.faults.reset(after=k, mid_sentence=False), 3, id="reset before it is done"),
    pytest.param(lambda router, k: router.faults.fatal("session terminated", after=k), 5, id="fatal"),
]


@pytest.mark.parametrize(("strike", "every"), STRIKES)
def test_a_cut_at_any_sentence_is_made_good(
    runtime: Runtime, clock: FakeClock, strike: Callable[[EmulatedRouter, int], None], every: int
) -> None:
    with site(runtime, clock, MIXED) as made:
        made.settle()
        foreign = made.emulator.foreign_bytes()
        last = sentences_of_an_apply(made)
        assert last > 12
        for k in range(0, last + 1, step_of(runtime, every)):
            flip(made, k)
            strike(made.emulator, k)
            made.cycle()
            mended(made)
        assert made.emulator.foreign_bytes() == foreign
        assert made.drift() == [], "our own halves are no drift"


def step_of(runtime: Runtime, every: int) -> int:
    """What the router sees does not depend on the database, so it is cut at fewer sentences on PostgreSQL."""
    return every if runtime.database.dialect == "sqlite" else 11


def flip(made: Site, k: int) -> None:
    """Much to do each time: everybody's rows move to and fro between two ways of being served."""
    with made.runtime.database.transaction() as tx:
        on = get_router(tx, made.router_id).garden is None
        speed = "queue-simple" if on else "profile"
        change_router(tx, made.router_id, garden=GARDEN if on else None, speed_by=speed, reduced_list=f"reduced{k}")


def sentences_of_an_apply(made: Site) -> int:
    before = made.emulator.sentences.total()
    flip(made, 0)
    made.settle()
    return made.emulator.sentences.total() - before


def test_a_power_cut_that_forgets_writes_is_made_good(runtime: Runtime, clock: FakeClock) -> None:
    with site(runtime, clock, MIXED) as made:
        made.settle()
        for lost in (1, 5, 40):
            flip(made, lost)
            made.cycle()
            made.emulator.power_cut(lost_writes=lost)
            mended(made)


def test_a_reboot_that_drops_the_sessions_is_made_good(runtime: Runtime, clock: FakeClock) -> None:
    with site(runtime, clock) as made:
        made.settle()
        flip(made, 1)
        made.emulator.faults.reset(after=9)
        made.cycle()
        made.emulator.reboot()
        mended(made)


TRAPS: list[Any] = [
    pytest.param("/ppp/secret/set", id="changing secrets"),
    pytest.param("/ppp/profile/add", id="adding profiles"),
    pytest.param("/queue/simple/add", id="adding queues"),
    pytest.param("/ip/firewall/filter", id="the garden's rules"),
    pytest.param("/ip/firewall/address-list/add", id="restricting"),
]


@pytest.mark.parametrize("path", TRAPS)
def test_what_is_refused_for_a_while_is_done_later(runtime: Runtime, clock: FakeClock, path: str) -> None:
    with site(runtime, clock, MIXED) as made:
        made.settle()
        made.emulator.faults.trap(path, "failure: not now")
        made.restrict(*made.ids[-4:])
        flip(made, 1)
        made.cycle()
        assert not made.standing().in_step
        mended(made)


FAULT = st.sampled_from(["reset", "reset-before", "fatal", "hang", "trap", "refuse", "reboot", "power", "full", "hand"])
EVENT = st.tuples(FAULT, st.integers(0, 30), st.booleans())


@given(events=st.lists(EVENT, min_size=1, max_size=6))
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
def test_any_order_of_faults_converges(runtime: Runtime, clock: FakeClock, events: list[tuple[str, int, bool]]) -> None:
    with EmulatedRouter() as emulator:
        made = Site(runtime, clock, emulator, 0)
        add_to(made, {"ppp": 3, "static": 2}, timeout_seconds=1)
        foreign = emulator.foreign_bytes()
        for number, (fault, k, heals) in enumerate(events):
            flip(made, number)
            happen(made, fault, k)
            made.cycle()
            if heals:
                emulator.faults.heal()
        mended(made)
        assert emulator.foreign_bytes() == foreign


def happen(made: Site, fault: str, k: int) -> None:
    emulator, faults = made.emulator, made.emulator.faults
    rows = made.marked("/ppp/secret")
    match fault:
        case "reset" | "reset-before":
            faults.reset(after=k, mid_sentence=fault == "reset")
        case "fatal":
            faults.fatal("session terminated", after=k)
        case "hang":
            faults.hang(after=k)
        case "trap":
            faults.trap(("/ppp/secret", "/queue/simple/add", "/ip/firewall/filter/add")[k % 3], "failure: no", times=k)
        case "refuse":
            faults.refuse()
        case "reboot":
            emulator.reboot()
        case "power":
            emulator.power_cut(lost_writes=k)
        case "full":
            faults.no_space()
        case "hand" if rows:
            emulator.by_hand("/ppp/secret/remove", id=rows[k % len(rows)][".id"])
