"""Turns for a few: what they leave at a router, and what keeps them from becoming reads of all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from core.outcomes import Applied, Retry
from core.runtime import Runtime
from provisioning.routeros.cycle.records import OWN
from provisioning.routeros.routers import change_router
from provisioning.routeros.services.commands import stop_serving
from provisioning.routeros.touch import touch_routers
from tests.factories_cycle import Site, site
from tests.ticking import FakeClock

GARDEN = {"portal": "192.0.2.20", "allow": ["192.0.2.0/28"]}
RULE, PROFILE = "/ip/firewall/filter", "/ppp/profile"


@pytest.fixture
def borda(runtime: Runtime, clock: FakeClock) -> Iterator[Site]:
    with site(runtime, clock, {"ppp": 4}) as made:
        made.settle()
        yield made


def profiles(made: Site) -> set[str]:
    return {row["name"] for row in made.marked(PROFILE)}


def asked(made: Site, before: Counter[str], path: str) -> int:
    return made.emulator.sentences[path] - before[path]


def touch(made: Site, *ids: int) -> None:
    with made.runtime.database.transaction() as tx:
        touch_routers(tx, ids)


def pay(made: Site, *ids: int) -> None:
    for one in ids:
        made.pay(one)
    made.settle()


def restrict(made: Site, *ids: int) -> None:
    made.restrict(*ids)
    made.settle()


def test_the_profile_that_nobody_uses_after_a_payment_goes_at_once(borda: Site) -> None:
    before, full_at = profiles(borda), borda.status().full_at
    restrict(borda, borda.ids[0])
    assert len(profiles(borda)) == 2
    pay(borda, borda.ids[0])
    assert profiles(borda) == before
    assert borda.planned() == []
    assert borda.status().full_at == full_at, "all of it was not read for that"


def test_a_profile_stays_as_long_as_somebody_else_uses_it(borda: Site) -> None:
    restrict(borda, *borda.ids[:2])
    both = profiles(borda)
    before = Counter(borda.emulator.sentences)
    pay(borda, borda.ids[0])
    assert (profiles(borda), borda.planned()) == (both, [])
    assert asked(borda, before, f"{PROFILE}/remove") == 0
    assert asked(borda, before, f"{PROFILE}/print") == 2 + 1, (
        "before and after, and by the plan that was just looked at"
    )
    pay(borda, borda.ids[1])
    assert (len(profiles(borda)), borda.planned()) == (1, [])


def test_the_profile_of_who_was_the_last_to_use_it_goes_with_the_service(borda: Site) -> None:
    restrict(borda, borda.ids[0])
    with borda.runtime.database.transaction() as tx:
        stop_serving(tx, router=borda.router_id, subscription_id=borda.ids[0])
    borda.settle()
    assert (len(profiles(borda)), borda.planned()) == (1, [])


def test_everybody_moves_to_and_fro_and_nothing_is_left(borda: Site) -> None:
    before = profiles(borda)
    restrict(borda, *borda.ids)
    assert (len(profiles(borda)), profiles(borda) & before, borda.planned()) == (1, set(), [])
    pay(borda, *borda.ids)
    assert (profiles(borda), borda.planned()) == (before, [])


def test_a_profile_without_our_mark_stays_whatever_its_name(borda: Site) -> None:
    borda.emulator.by_hand(f"{PROFILE}/add", name="catraca-vip", comment="da diretoria")
    foreign = borda.emulator.foreign_bytes()
    secret = next(row for row in borda.marked("/ppp/secret") if row["name"] == borda.login(borda.ids[0]))
    borda.emulator.by_hand("/ppp/secret/set", id=secret[".id"], profile="catraca-vip")
    touch(borda, borda.ids[0])
    borda.settle()
    assert borda.planned() == []
    assert borda.emulator.foreign_bytes() == foreign


def test_a_turn_that_takes_nobody_off_a_profile_asks_no_more(borda: Site) -> None:
    before = Counter(borda.emulator.sentences)
    touch(borda, borda.ids[0])
    assert borda.settle() == 1
    assert asked(borda, before, "/ppp/secret/print") == 1


@pytest.mark.parametrize("path", [f"{PROFILE}/remove", f"{PROFILE}/print"])
def test_that_a_profile_cannot_be_taken_away_harms_nobody(borda: Site, path: str) -> None:
    restrict(borda, borda.ids[0])
    borda.emulator.faults.trap(path, "failure: not now")
    borda.pay(borda.ids[0])
    borda.cycle()
    assert len(profiles(borda)) == 2
    borda.emulator.faults.heal()
    borda.check()
    assert (len(profiles(borda)), borda.planned(), borda.record(borda.ids[0]).why) == (1, [], "")


@pytest.fixture
def closed(runtime: Runtime, clock: FakeClock) -> Iterator[Site]:
    """A router that refuses the rules of its walled garden for ever."""
    with site(runtime, clock, {"ppp": 3}, garden=GARDEN) as made:
        made.emulator.faults.trap(f"{RULE}/add", "failure: not here")
        yield made


def test_a_rule_that_is_refused_for_ever_makes_no_payment_read_all_of_the_router(closed: Site) -> None:
    assert closed.settle() == 2, "tried once more at once"
    assert closed.record(OWN).why == "the router refused: failure: not here"
    assert not closed.standing().in_step
    before, full_at = Counter(closed.emulator.sentences), closed.status().full_at
    restrict(closed, closed.ids[0])
    pay(closed, closed.ids[0])
    assert closed.record(closed.ids[0]).why == ""
    assert (asked(closed, before, f"{RULE}/print"), asked(closed, before, f"{RULE}/add")) == (0, 0)
    assert closed.status().full_at == full_at is not None
    assert closed.record(OWN).why == "the router refused: failure: not here"


def test_it_is_tried_again_at_each_check_until_the_router_takes_it(closed: Site) -> None:
    closed.settle()
    before = Counter(closed.emulator.sentences)
    assert closed.check() == 1
    assert (asked(closed, before, f"{RULE}/print"), asked(closed, before, f"{RULE}/add") > 0) == (2, True)
    closed.emulator.faults.heal()
    assert closed.check() == 1
    assert (closed.planned(), closed.record(OWN).why, closed.standing().in_step) == ([], "", True)
    assert closed.drift() == []


def test_other_facts_of_the_router_are_tried_at_once(closed: Site) -> None:
    closed.settle()
    closed.emulator.faults.heal()
    with closed.runtime.database.transaction() as tx:
        change_router(tx, closed.router_id, garden={**GARDEN, "portal": "192.0.2.21"})
    assert closed.settle() == 1
    assert (closed.planned(), closed.record(OWN).why) == ([], "")


def test_a_profile_that_is_refused_for_ever_is_the_trouble_of_who_needs_it(runtime: Runtime, clock: FakeClock) -> None:
    with site(runtime, clock, {"ppp": 3}, garden=GARDEN) as made:
        made.settle()
        made.emulator.faults.trap(f"{PROFILE}/add", "failure: no such pool")
        made.restrict(made.ids[0])
        for _ in range(4):
            outcome = made.cycle().outcome
            assert isinstance(outcome, Retry)
            made.clock.now += outcome.after
        before = Counter(made.emulator.sentences)
        touch(made, made.ids[1])
        assert isinstance(made.cycle().outcome, Retry), "who needs it is tried again and again"
        assert made.record(made.ids[1]).why == ""
        assert "refused" in made.record(made.ids[0]).why
        assert asked(made, before, f"{RULE}/print") == 0
        made.emulator.faults.heal()
        made.settle()
        assert made.record(made.ids[0]).why == ""
        assert isinstance(made.cycle().outcome, Applied)
        made.check()
        assert (made.planned(), made.standing().in_step) == ([], True)
