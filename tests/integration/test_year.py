"""The same year by the whole product: commands, jobs, tables and the cached state, on both databases."""

from __future__ import annotations

import pytest

from core.runtime import Runtime
from tests.simulator.product import Product, settings_of
from tests.simulator.world import draw_world
from tests.simulator.year import play
from tests.ticking import FakeClock


@pytest.mark.parametrize("seed", [1, 2])
def test_every_state_follows_from_the_facts(seed: int, runtime: Runtime, clock: FakeClock) -> None:
    world = draw_world(seed, 10)
    settings = settings_of(world, runtime.settings)
    runtime.database.settings = settings
    product = Product(world, Runtime(settings, runtime.database, runtime.keyring, clock), clock)
    assert play(world, product) > 1000
