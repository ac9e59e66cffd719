"""`python -m tests.simulator --years 10000`: as many years as there is time for; a seed that differs is told.

python -m tests.simulator --first 4711 --years 1                 one seed again, by decisions
python -m tests.simulator --first 4711 --years 1 --database      the same year by the whole product, on SQLite
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pool
from pathlib import Path

import structlog

from api import assembly
from core.database import Database
from core.migrate import migrate
from core.runtime import Runtime
from core.secrets import open_keyring
from core.settings import Settings
from tests.simulator.decisions import Decisions
from tests.simulator.product import Product, settings_of
from tests.simulator.world import World, draw_world
from tests.simulator.year import Differs, play
from tests.ticking import FakeClock

Job = tuple[int, int, bool]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description="Play years and compare.")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--years", type=int, default=200, help="how many seeds")
    parser.add_argument("--subscriptions", type=int, default=2000)
    parser.add_argument("--database", action="store_true", help="the whole product on SQLite, instead of its decisions")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    jobs = [
        (seed, options.subscriptions, options.database) for seed in range(options.first, options.first + options.years)
    ]
    began, compared = time.monotonic(), 0
    with Pool(options.processes) as pool:
        for done, (checks, difference) in enumerate(pool.imap(_play, jobs), 1):
            if difference:
                print(difference, file=sys.stderr)
                return 1
            compared += checks
            if done % 10 == 0 or done == len(jobs):
                print(
                    f"{done} of {len(jobs)} years, {compared} comparisons, {time.monotonic() - began:.0f} s", flush=True
                )
    return 0


def _play(job: Job) -> tuple[int, str]:
    seed, subscriptions, whole = job
    world = draw_world(seed, subscriptions)
    try:
        if not whole:
            return play(world, Decisions(world)), ""
        with _installation(world) as product:
            return play(world, product), ""
    except Differs as difference:
        return 0, str(difference)


@contextmanager
def _installation(world: World) -> Iterator[Product]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    assembly.load()
    clock = FakeClock()
    with tempfile.TemporaryDirectory(prefix="catraca-year-") as scratch:
        settings = settings_of(world, Settings(data_dir=Path(scratch)))
        keyring = open_keyring(settings.resolved_key_file)
        database = Database(settings.resolved_database_url, keyring, clock, settings)
        migrate(database)
        yield Product(world, Runtime(settings, database, keyring, clock), clock)
        database.close()


if __name__ == "__main__":
    sys.exit(main())
