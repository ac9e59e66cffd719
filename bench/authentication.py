"""Authentication against the peers: `python -m bench.authentication [--modes …] [--rounds N] [--seconds N]`.

All servers run at once, each pinned to the server's core, and are asked by turns: a round asks every server once, so
that ratios are taken within a round, because the machine's speed drifts between hours. In each mode: as fast as it
answers 64 requests under way (answers/s, CPU of all its processes), then at 2,000/s and at half of what it just
reached. Needs root (it builds FreeRADIUS configurations and a PostgreSQL of its own), gcc, freeradius,
freeradius-postgresql and postgresql.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import generator
from bench.generator import Load
from bench.results import Measured, Options, Say, Step
from bench.scratch import scratch
from bench.servers import Server, catraca, freeradius, postgres, pyrad

MODES: dict[str, tuple[str, ...]] = {
    "PAP": ("-m", "pap"),
    "PAP+MA": ("-m", "pap", "-M"),
    "CHAP": ("-m", "chap", "-M"),
    "MS-CHAPv2": ("-m", "mschapv2", "-M"),
}
"""Mode → options of the load generator."""
STEADY_RATE, WINDOW = 2_000.0, 64
_HOLDS = 0.97
"""Share of a rate that has to be answered for its latency to mean something."""

Ask = Callable[..., Load]


def peers_of(mode: str, kinds: Mapping[str, Server], pyrads: Server) -> list[Server]:
    """Who can be asked in this mode, strongest configuration first; ours comes before them."""
    if mode == "MS-CHAPv2":
        return [kinds["leanms"], kinds["pgms"], kinds["pg"]]
    return [pyrads, kinds["lean"], kinds["pglean"], kinds["pg"]]


def one_round(ask: Ask, seconds: float) -> tuple[Load, Load | None, Load | None]:
    """Saturated, at 2,000/s and at half of saturation; None where the server cannot hold the rate."""
    saturated = ask("-u", 0.5, "-d", seconds, "-w", WINDOW, "-S", 16)
    steady = at_rate(ask, STEADY_RATE, seconds) if saturated.rate > 1.1 * STEADY_RATE else None
    return saturated, steady, at_rate(ask, saturated.rate / 2, seconds)


def at_rate(ask: Ask, rate: float, seconds: float) -> Load | None:
    load = ask("-u", 0.3, "-d", seconds / 2, "-r", rate, "-w", 3_000, "-S", 32)
    return load if load.rate > _HOLDS * rate and not load.unanswered else None


def medians(rounds: Sequence[tuple[Load, Load | None, Load | None]], ours: Sequence[Load]) -> Measured:
    """The medians, and the medians of our ratios to it; `ours` are our saturated loads of the same rounds."""
    saturated = [each[0] for each in rounds]
    steady = [each[1] for each in rounds if each[1] is not None]
    half = [each[2] for each in rounds if each[2] is not None]
    return Measured(
        rate=median(load.rate for load in saturated),
        cpu=median(load.cpu for load in saturated),
        p99_saturated=median(load.p99 for load in saturated),
        p50_steady=median(load.p50 for load in steady) if steady else None,
        p99_steady=median(load.p99 for load in steady) if steady else None,
        p50_half=median(load.p50 for load in half) if half else None,
        p99_half=median(load.p99 for load in half) if half else None,
        faster=median(mine.rate / its.rate for mine, its in zip(ours, saturated, strict=True)),
        cheaper=median(its.cpu / mine.cpu for mine, its in zip(ours, saturated, strict=True)),
    )


def compare(mode: str, servers: Sequence[Server], program: Path, options: Options, say: Say) -> dict[str, Measured]:
    """All servers in one mode, round by round; the first one is ours."""
    found: dict[str, list[tuple[Load, Load | None, Load | None]]] = {server.name: [] for server in servers}
    for number in range(1, options.rounds + 1):
        for server in servers:

            def ask(*more: object, server: Server = server) -> Load:
                asked = (*more, "-n", options.subscribers)
                return generator.run(program, server.port, MODES[mode], *asked, pids=server.pids)

            found[server.name].append(one_round(ask, options.seconds))
        rates = ", ".join(f"{name} {rounds[-1][0].rate:,.0f}/s" for name, rounds in found.items())
        say(f"{mode}, round {number} of {options.rounds}: {rates}")
    ours = [each[0] for each in found[servers[0].name]]
    return {name: medians(rounds, ours) for name, rounds in found.items()}


def measure(options: Options, say: Say) -> Step:
    modes = [mode for mode in MODES if not options.modes or mode in options.modes]
    program = generator.build()
    step = Step(note=f"{options.rounds} rounds of {options.seconds:g} s, {options.subscribers:,} subscribers")
    with scratch() as directory, ExitStack() as stack:
        say("PostgreSQL with FreeRADIUS's tables")
        database = stack.enter_context(postgres(directory))
        database.populate()
        say("the servers start")
        kinds = ("pg", "pgms", "leanms") if modes == ["MS-CHAPv2"] else ("pg", "pglean", "lean", "pgms", "leanms")
        peers = stack.enter_context(freeradius(directory, kinds, database))
        ours = stack.enter_context(catraca(directory, options.subscribers))
        pyrads = stack.enter_context(pyrad(directory, options.subscribers))
        for mode in modes:
            step.modes[mode] = compare(mode, [ours, *peers_of(mode, peers, pyrads)], program, options, say)
    return step


def main() -> None:
    from bench.report import comparison_table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modes", help=f"comma between them; default: {','.join(MODES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    modes = tuple(given.modes.split(",")) if given.modes else ()
    step = measure(Options(modes=modes, rounds=given.rounds, seconds=given.seconds), print)
    print(comparison_table(step.modes))


if __name__ == "__main__":
    main()
