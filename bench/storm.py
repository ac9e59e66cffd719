"""A reconnect storm: `python -m bench.storm [--subscribers N] [--sqlite]`.

Everybody's power comes back at once: each subscriber authenticates (PAP with Message-Authenticator) and, when
accepted, starts accounting; what is not answered is sent again after 3, 6, 12 … seconds, as routers do. A subscriber
is on when the accounting Start is acknowledged. The server (RADIUS processes and PostgreSQL) has one core, the
routers the other.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass

from bench import generator
from bench.host import RadiusHost, is_drained, prepare, settings_for
from bench.machine import LOAD_CORE, SERVER_CORE, pinned
from bench.results import Options, Row, Say, Step
from bench.scratch import catraca_database, scratch
from bench.servers import postgres
from core.runtime import Runtime


@dataclass(frozen=True)
class Storm:
    """Seconds from its start: until all requests were out, until half and all were on, and in the database."""

    dialled: float
    half_on: float
    all_on: float
    drained: float
    resent: int


def storm(host: RadiusHost, subscribers: int, say: Say) -> Storm:
    """Let everybody dial in. AssertionError when somebody is refused, or not on after five minutes."""
    auth, acct = host.settings.radius_auth_port, host.settings.radius_acct_port
    command = [*pinned(LOAD_CORE), generator.build(name="stormload"), "-p", auth, "-q", acct, "-n", subscribers]
    runtime = Runtime.open(host.settings)
    try:
        begun = time.monotonic()
        with subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as load:
            assert load.stderr is not None
            assert load.stdout is not None
            for told in load.stderr:
                say(told.strip())
            found = json.loads(load.stdout.read())
        host.await_that(lambda: is_drained(runtime), "the accounting is drained", 300)
        drained = time.monotonic() - begun
    finally:
        runtime.close()
    if found["on"] != subscribers or found["rejected"]:
        raise AssertionError(f"not everybody came on: {found}")
    return Storm(found["dialled"], found["p50"], found["longest"], drained, found["resent"])


def measure(options: Options, say: Say) -> Step:
    return measure_on(options, say, sqlite=False)


def measure_on(options: Options, say: Say, *, sqlite: bool) -> Step:
    subscribers = 5_000 if options.quick else options.subscribers
    with scratch() as directory, ExitStack() as stack:
        url = None if sqlite else catraca_database(stack.enter_context(postgres(directory)))
        settings = settings_for(directory / "data", url)
        say(f"{subscribers} access records into the database")
        prepare(settings, subscribers)
        host = stack.enter_context(RadiusHost(settings, core=SERVER_CORE))
        found = storm(host, subscribers, say)
    kind = "SQLite" if sqlite else "PostgreSQL"
    what = (
        f"reconnect storm: {subscribers:,} subscribers authenticate and start accounting at once (all requests out in "
        f"{found.dialled:.1f} s), {kind}, one core"
    )
    figure = (
        f"half are on after {found.half_on:.1f} s, all after {found.all_on:.1f} s (the longest wait); "
        f"{found.resent:,} retransmissions; all sessions in the database after {found.drained:.1f} s"
    )
    return Step(rows=[Row(what, figure, "", "python -m bench.storm")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=100_000)
    parser.add_argument("--sqlite", action="store_true", help="on SQLite instead of PostgreSQL")
    given = parser.parse_args()
    step = measure_on(Options(subscribers=given.subscribers), print, sqlite=given.sqlite)
    print(*(f"{row.what}: {row.figure}" for row in step.rows), sep="\n")


if __name__ == "__main__":
    main()
