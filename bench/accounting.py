"""Interim accounting against FreeRADIUS on the same PostgreSQL: `python -m bench.accounting [--rounds N] [--seconds
N]`.

20,000 sessions are started, then Interims of these are sent, 256 under way, to each server by turns. FreeRADIUS
answers when its statement is committed; Catraca when the record is on disk, so for it the clock and the CPU time run
on until everything has arrived in the same PostgreSQL. The CPU of all processes counts: accounting worker, drainer
and supervisor, or FreeRADIUS, and PostgreSQL. Before each measurement PostgreSQL makes a checkpoint, which counts
for nobody.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench import generator
from bench.authentication import STEADY_RATE, at_rate, medians
from bench.generator import Load
from bench.host import RadiusHost, is_drained, prepare, settings_for
from bench.machine import SERVER_CORE, cpu_seconds
from bench.results import Measured, Options, Say, Step
from bench.scratch import catraca_database, scratch
from bench.servers import PeerDatabase, Server, freeradius, postgres
from core.runtime import Runtime

SESSIONS, WINDOW = 20_000, 256
LEAST_SECONDS = 5.0
"""A shorter measurement would count the last batch's way into the database too much."""
_MODE = ("-m", "acct")


@dataclass(frozen=True)
class Peer:
    """A server and when it is at rest: everything that it has acknowledged is in the database."""

    server: Server
    at_rest: Callable[[], bool]


@dataclass(frozen=True)
class Round:
    """`load.rate` and `load.cpu` count until the server was at rest; `acknowledged` is records/s as clients see it."""

    load: Load
    acknowledged: float
    steady: Load | None
    half: Load | None


def start_sessions(program: Path, peer: Peer, began: int) -> None:
    started = generator.run(
        program, peer.server.port, _MODE, "-A", "start", "-n", SESSIONS, "-c", SESSIONS, "-w", 64, "-S", 16,
        "-u", 0, "-d", 300, "-t", 30, "-B", began,
    )  # fmt: skip
    if started.answers < SESSIONS:
        raise RuntimeError(f"{peer.server.name}: {started.answers} of {SESSIONS} sessions were started")
    _await(peer)


def one_round(program: Path, peer: Peer, database: PeerDatabase, seconds: float, began: int) -> Round:
    def ask(*more: object) -> Load:
        return generator.run(program, peer.server.port, _MODE, "-A", "interim", "-n", SESSIONS, "-B", began, *more)

    database.run("postgres", "-c", "checkpoint")
    before, begun = cpu_seconds(peer.server.pids), time.monotonic()
    saturated = ask("-u", 0, "-d", seconds, "-w", WINDOW, "-S", 32)
    _await(peer)
    after, elapsed = cpu_seconds(peer.server.pids), time.monotonic() - begun
    whole = replace(saturated, rate=saturated.answers / elapsed, cpu=(after - before) * 1e6 / saturated.answers)
    steady = at_rate(ask, STEADY_RATE, seconds) if whole.rate > 1.1 * STEADY_RATE else None
    half = at_rate(ask, whole.rate / 2, seconds)
    _await(peer)
    return Round(whole, saturated.rate, steady, half)


def compare(
    program: Path, peers: Sequence[Peer], database: PeerDatabase, options: Options, say: Say
) -> dict[str, Measured]:
    began = int(time.time()) - 600
    for peer in peers:
        say(f"{peer.server.name}: {SESSIONS} sessions start")
        start_sessions(program, peer, began)
    found: dict[str, list[Round]] = {peer.server.name: [] for peer in peers}
    for number in range(1, options.rounds + 1):
        for peer in peers:
            found[peer.server.name].append(one_round(program, peer, database, options.seconds, began))
        told = ", ".join(
            f"{name} {rounds[-1].load.rate:,.0f}/s, {rounds[-1].load.cpu:.0f} µs" for name, rounds in found.items()
        )
        say(f"Interim, round {number} of {options.rounds}: {told}")
    ours = [each.load for each in found[peers[0].server.name]]
    return {
        name: replace(
            medians([(each.load, each.steady, each.half) for each in rounds], ours),
            acknowledged=median(each.acknowledged for each in rounds),
        )
        for name, rounds in found.items()
    }


def measure(options: Options, say: Say) -> Step:
    if options.modes and "Interim" not in options.modes:
        return Step()
    if not options.quick:
        options = replace(options, seconds=max(options.seconds, LEAST_SECONDS))
    program = generator.build()
    with scratch() as directory, ExitStack() as stack:
        say("PostgreSQL with both servers' tables")
        database = stack.enter_context(postgres(directory))
        database.populate()
        settings = settings_for(directory / "data", catraca_database(database))
        prepare(settings, SESSIONS)
        host = stack.enter_context(RadiusHost(settings, core=SERVER_CORE))
        runtime = Runtime.open(settings)
        stack.callback(runtime.close)
        ours = Server("Catraca", settings.radius_acct_port, (host.pid, database.pid))
        kinds = stack.enter_context(freeradius(directory, ("pg", "pglean"), database))
        theirs = [replace(kind, port=kind.port + 1) for kind in kinds.values()]
        peers = [Peer(ours, lambda: is_drained(runtime)), *(Peer(server, lambda: True) for server in theirs)]
        found = compare(program, peers, database, options, say)
    return Step(
        modes={"Interim": found}, note=f"{options.rounds} rounds of {options.seconds:g} s, {SESSIONS:,} sessions"
    )


def _await(peer: Peer) -> None:
    deadline = time.monotonic() + 300
    while not peer.at_rest():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{peer.server.name} does not come to rest")
        time.sleep(0.05)  # asking costs PostgreSQL time, which counts


def main() -> None:
    from bench.report import comparison_table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    step = measure(Options(rounds=given.rounds, seconds=given.seconds), print)
    print(comparison_table(step.modes))


if __name__ == "__main__":
    main()
