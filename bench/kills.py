"""kill -9 under accounting load: `python -m bench.kills [--times N] [--postgres]`.

By turns an accounting worker, the sync process (drainer) and the whole process group are killed, while a NAS keeps a
ledger of what was acknowledged to it. At the end the database has to agree with the ledger, record by record.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass

from bench.host import RadiusHost
from bench.ledger import Ledger, accounting_lines, shortened
from bench.nas_load import NasLoad
from bench.records import SECRET
from bench.results import Options, Row, Say, Step
from bench.scratch import prepared_host

LINES, PACE = 200, 1_500.0
TARGETS = ("accounting", "sync", "everything")
_NAMES = {"accounting": "an accounting worker", "sync": "the drainer", "everything": "everything"}


@dataclass(frozen=True)
class Kills:
    """What came of it. `disagreements` are between ledger and database; longest: without any acknowledgement."""

    kills: dict[str, int]
    records: int
    resent: int
    longest_silence: float
    disagreements: list[str]


def kill_under_load(
    host: RadiusHost,
    times: int,
    *,
    lines: int = LINES,
    pace: float = PACE,
    records_between: int = 150,
    say: Say = print,
) -> Kills:
    """Kill `times` times, each time after `records_between` more acknowledgements and a moment of chance."""
    ledger, chance = Ledger(), random.Random(20_260_302)
    load = NasLoad(
        accounting_lines(lines, host.settings.radius_acct_port, ledger), SECRET.encode(), pace=pace, waits=(0.3,)
    )
    kills, longest = dict.fromkeys(TARGETS, 0), 0.0
    load.start()
    for number in range(times):
        silent_since, seen = time.monotonic(), ledger.records
        host.await_that(lambda seen=seen: ledger.records > seen, "accounting is acknowledged")
        longest = max(longest, time.monotonic() - silent_since)
        host.await_that(lambda seen=seen: ledger.records >= seen + records_between, "accounting goes on")
        time.sleep(chance.random() * 0.1)
        target = TARGETS[number % len(TARGETS)]
        kills[target] += 1
        if target == "everything":
            host.kill_everything()
            host.start()
        else:
            host.kill(target)
        if (number + 1) % 10 == 0:
            say(f"{number + 1} of {times} kills, {ledger.records} records acknowledged")
    load.stop(120)
    return Kills(kills, ledger.records, load.resent, longest, ledger.compare_drained(host))


def measure(options: Options, say: Say) -> Step:
    times = 9 if options.quick else 100
    with prepared_host(options, LINES, postgres=True) as host:
        found = kill_under_load(host, times, say=say)
    if found.disagreements:
        say(shortened(found.disagreements))
    how = ", ".join(f"{_NAMES[target]} {count}" for target, count in found.kills.items())
    figure = (
        f"{len(found.disagreements)} of {found.records:,} acknowledged records lost or counted twice; "
        f"longest without an acknowledgement {found.longest_silence:.1f} s"
    )
    what = f"kill -9 under accounting load ({PACE:,.0f}/s), {times} times: {how}"
    return Step(rows=[Row(what, figure, "0 lost, 0 counted twice", "python -m bench.kills")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--sqlite", action="store_true", help="on SQLite instead of PostgreSQL")
    options = parser.parse_args()
    with prepared_host(Options(), LINES, postgres=not options.sqlite) as host:
        found = kill_under_load(host, options.times)
    print(f"kills {found.kills}, {found.records} records acknowledged, {found.resent} retransmissions")
    print(shortened(found.disagreements))


if __name__ == "__main__":
    main()
