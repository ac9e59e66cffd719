"""A year of 2,000 subscriptions, for many seeds: after every step the product's decisions are what the facts say.

`CATRACA_YEARS` sets how many seeds; `python -m tests.simulator` plays more of them, and one again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import date, datetime

import pytest

from billing_bridge.calendar.company import DayCheck
from billing_bridge.dunning.rules import SuspensionRules, WantedOrder
from tests.simulator.decisions import Account, Decisions
from tests.simulator.world import World, draw_world
from tests.simulator.year import Differs, play

YEARS = int(os.environ.get("CATRACA_YEARS", "200"))


@pytest.mark.parametrize("seed", range(1, YEARS + 1))
def test_every_state_follows_from_the_facts(seed: int) -> None:
    world = draw_world(seed, 2000)
    assert play(world, Decisions(world)) > 40_000


def test_a_seed_gives_the_same_year_again() -> None:
    assert draw_world(7, 20) == draw_world(7, 20) != draw_world(8, 20)


class Forgetful(Decisions):
    """Payments end no order."""

    def _lapse(self, account: Account, minute: int) -> None:
        pass


class Generous(Decisions):
    """Trust for whoever asks."""

    def _may_trust(self, account: Account, now: datetime, until: datetime) -> bool:
        return True


class Weekender(Decisions):
    """Restricts on Sundays and holidays too."""

    def _is_held(self, rules: SuspensionRules, day: int) -> DayCheck:
        return DayCheck(None, {})


class Hasty(Decisions):
    """Needs no notice."""

    def _noticed(self, account: Account) -> Mapping[int, date]:
        return dict.fromkeys(account.open, date.min)


class Boundless(Decisions):
    """Knows no cap."""

    def _waits(self, found: Mapping[int, WantedOrder]) -> bool:
        return False


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param(Forgetful, id="payments end no order"),
        pytest.param(Generous, id="trust without limits"),
        pytest.param(Weekender, id="no calendar"),
        pytest.param(Hasty, id="no notice needed"),
        pytest.param(Boundless, id="no cap"),
    ],
)
def test_a_product_that_errs_is_found_out(engine: Callable[[World], Decisions]) -> None:
    """The comparison can fail: each of these is found by one of the first seeds."""
    with pytest.raises(Differs, match="seed"):
        _play_some(engine)


def _play_some(engine: Callable[[World], Decisions]) -> None:
    for seed in range(1, 20):
        world = draw_world(seed, 200)
        play(world, engine(world))
