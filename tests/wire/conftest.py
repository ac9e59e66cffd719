"""FreeRADIUS as an access server, and simulated NAS that dial it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from lab.nas import SimulatedNas
from tests.factories_nas import NAS_SECRET, USERS, MakeNas, where
from tests.freeradius import FreeRadius
from tests.ticking import FakeClock


@pytest.fixture(scope="module")
def access_server() -> Iterator[FreeRadius]:
    """FreeRADIUS with the subscribers of tests/factories_nas.py."""
    with FreeRadius.access_server(NAS_SECRET.decode(), USERS) as server:
        yield server


@pytest.fixture
def make_nas(access_server: FreeRadius, clock: FakeClock) -> Iterator[MakeNas]:
    """Makes running NAS on the test's clock that do not redial; keywords as those of SimulatedNas."""
    with ExitStack() as power:

        def make(**settings: Any) -> SimulatedNas:
            settings.setdefault("server", where(access_server))
            settings.setdefault("redial_seconds", None)
            return power.enter_context(SimulatedNas(secret=NAS_SECRET, clock=clock, **settings))

        yield make


@pytest.fixture
def nas(make_nas: MakeNas) -> SimulatedNas:
    return make_nas()
