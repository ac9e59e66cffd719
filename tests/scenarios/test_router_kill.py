"""A worker that is killed (`kill -9`) in the middle of an apply: the next turn ends in the desired state."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from core.jobs import take_over
from core.migrate import migrate
from core.runtime import Runtime
from core.settings import Settings
from lab.routeros.emulator import EmulatedRouter
from provisioning.routeros.routers import change_router
from tests.factories_core import PATIENCE, eventually
from tests.factories_cycle import Site, add_to
from tests.ticking import FakeClock

ROOT = Path(__file__).parents[2]
INSTANTS = (6, 17, 25)
"""After how many sentences of a turn its process is killed: while it reads, and at some of its writes."""


@pytest.fixture
def borda(tmp_path: Path) -> Iterator[Site]:
    opened = Runtime.open(Settings(data_dir=tmp_path / "data"))
    clock = FakeClock(opened.clock())
    database = Database(opened.settings.resolved_database_url, opened.keyring, clock, opened.settings)
    migrate(database)
    with EmulatedRouter() as emulator:
        made = Site(Runtime(opened.settings, database, opened.keyring, clock), clock, emulator, 0)
        add_to(made, {"ppp": 3, "dhcp": 2, "static": 3}, timeout_seconds=20)
        yield made
    database.close()
    opened.close()


def kill_in_mid_apply(borda: Site, after: int) -> None:
    """The router stops answering at that sentence, which it has carried out, and the process dies waiting for it."""
    borda.emulator.faults.hang(after=after, carried_out=True)
    seen = borda.emulator.sentences.total()
    environment = {**os.environ, "CATRACA_DATA_DIR": str(borda.runtime.settings.data_dir)}
    command = [sys.executable, "-m", "tests.router_worker", str(borda.router_id)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            process.stdin.write("go\n")
            process.stdin.flush()
            eventually(lambda: borda.emulator.sentences.total() > seen + after)
        finally:
            process.kill()
            process.wait(PATIENCE)
    eventually(lambda: borda.emulator.connections_now == 0)


def test_the_turn_after_a_kill_ends_in_the_desired_state(borda: Site) -> None:
    foreign = borda.emulator.foreign_bytes()
    for number, after in enumerate(INSTANTS):
        with borda.runtime.database.transaction() as tx:
            speed_by = ("profile", "queue-simple")[number % 2]
            change_router(tx, borda.router_id, speed_by=speed_by, reduced_list=f"reduced{number}")
        borda.restrict(borda.ids[number])
        kill_in_mid_apply(borda, after)
        borda.emulator.faults.heal()
        take_over(borda.runtime)  # as a worker does that begins anew
        borda.check()
        assert borda.planned() == []
        assert borda.standing().in_step
    assert borda.emulator.foreign_bytes() == foreign
    assert borda.emulator.most_connections == 1
