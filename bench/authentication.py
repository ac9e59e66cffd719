"""PAP with Message-Authenticator against the peers, in interleaved rounds: `python -m bench.authentication`.

Every server answers once a round, pinned to one core, the load generator to the other; ratios are taken within a round,
because the machine's speed drifts between hours, and the median of the rounds is shown. Needs root (it builds
FreeRADIUS configurations and a PostgreSQL of its own), gcc, freeradius and postgresql.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench.servers import HERE, Server, catraca, freeradius, peer_database, pyrad


def build_generator() -> Path:
    """Compile the load generator."""
    program = HERE / "build" / "radload"
    program.parent.mkdir(exist_ok=True)
    subprocess.run(["gcc", "-O2", "-o", program, HERE / "radload.c"], check=True)
    return program


def measure(generator: Path, server: Server, seconds: float, extra: list[str]) -> dict[str, float]:
    """One run against one server: answers/s, CPU µs an answer, p99 in µs."""
    groups = [word for index, pid in enumerate(server.pids) for word in ("-G", f"p{index}:{pid}")]
    command = [
        "taskset", "-c", "1", str(generator), "-p", str(server.port), "-d", str(seconds), "-u", "1", "-w", "64",
        "-S", "16", *groups, *extra,
    ]  # fmt: skip
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if result["badauth"] or result["badma"] or result["unexpected"] or not result["done"]:
        raise RuntimeError(f"{server.name} answered wrongly: {result}")
    return {"rate": result["rps"], "cpu": sum(result["us_per_req"].values()), "p99": result["p99us"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--subscribers", type=int, default=100_000)
    parser.add_argument("--mode", choices=["pap", "chap"], default="pap")
    options = parser.parse_args()
    generator = build_generator()
    extra = ["-M", "-m", options.mode, "-n", str(options.subscribers)]
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="catraca-bench-", dir="/tmp")))
        postgres = stack.enter_context(peer_database(directory))
        ours = stack.enter_context(catraca(directory, options.subscribers))
        theirs = stack.enter_context(pyrad(directory, options.subscribers)) if options.mode == "pap" else None
        for _ in range(options.rounds):
            for server in filter(None, (ours, theirs)):
                found[server.name].append(measure(generator, server, options.seconds, extra))
            for kind in ("lean", "pglean", "pg"):
                with freeradius(directory, kind, postgres) as peer:
                    found[peer.name].append(measure(generator, peer, options.seconds, extra))
    print(table(found))


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """The medians, and our ratio to each peer, round by round."""
    rows = ["| server | answers/s | CPU µs an answer | p99 ms | Catraca answers more by |", "|---|---|---|---|---|"]
    ours = found["Catraca"]
    for name, runs in found.items():
        ratio = median(mine["rate"] / other["rate"] for mine, other in zip(ours, runs, strict=True))
        rate, cpu, p99 = (median(run[key] for run in runs) for key in ("rate", "cpu", "p99"))
        shown = "–" if name == "Catraca" else f"{ratio:.1f} ×"
        rows.append(f"| {name} | {rate:,.0f} | {cpu:.1f} | {p99 / 1000:.2f} | {shown} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
