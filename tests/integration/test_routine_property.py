"""However the clock runs and whenever somebody looks: no slot twice, and going forward none unaccounted for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.database import Database
from core.runtime import Runtime
from provisioning.routines.commands import remove_routine, schedule_of
from provisioning.routines.schedule import slots_between
from tests.factories_routines import Chore, known, make_routine, routine_in, runs_of, tick_and_run
from tests.ticking import START, FakeClock

HOURS = st.floats(min_value=0.01, max_value=60)
STEPS = st.lists(HOURS, min_size=1, max_size=8)
BACK = st.lists(st.one_of(HOURS, st.floats(min_value=-2.9, max_value=-0.01)), min_size=2, max_size=8)
"""Together less than the day after which a clock counts as having been wrong."""


@pytest.fixture
def chore() -> Iterator[Chore]:
    with known(Chore()) as task:
        yield task


def lived(runtime: Runtime, clock: FakeClock, steps: list[float]) -> int:
    """A routine every six hours that sees these steps of the clock, in hours; gives its id."""
    clock.now = START
    routine_id = make_routine(runtime.database, hours=[0, 6, 12, 18])
    for hours in steps:
        clock.advance(hours=hours)
        tick_and_run(runtime)
        tick_and_run(runtime)
    with runtime.database.transaction() as tx:
        remove_routine(tx, routine_id=routine_id)
    return routine_id


@settings(max_examples=10)
@given(steps=STEPS)
def test_going_forward_every_slot_is_run_or_stood_for(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, steps: list[float]
) -> None:
    routine_id = lived(runtime, clock, steps)
    runs = runs_of(database, routine_id)
    expected = list(slots_between(schedule_of(routine_in(database, routine_id)), START, clock.now, "America/Sao_Paulo"))
    slots = [run.slot_at for run in runs]
    assert len(slots) == len(set(slots))
    assert set(slots) <= set(expected)
    assert sum(1 + run.missed for run in runs) == len(expected)
    assert slots[-1:] == expected[-1:]
    assert {run.status for run in runs} <= {"done"}


@settings(max_examples=10)
@given(steps=BACK)
def test_a_clock_that_goes_to_and_fro_runs_no_slot_twice(
    runtime: Runtime, database: Database, clock: FakeClock, chore: Chore, steps: list[float]
) -> None:
    chore.runs.clear()
    routine_id = lived(runtime, clock, steps)
    slots = [run.slot_at for run in runs_of(database, routine_id)]
    assert len(slots) == len(set(slots)) == len(chore.runs)
    assert all(earlier < later for earlier, later in pairwise(slots) if earlier and later)
    assert all(slot is not None and slot <= START + timedelta(hours=sum(h for h in steps if h > 0)) for slot in slots)
