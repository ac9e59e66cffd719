"""Everything that is measured, in one run: `python -m bench [--quick] [--only STEPS] [--modes MODES] [--output DIR]`.

Writes `benchmarks.md`, its plot and `benchmarks.json` (from which a run of some steps takes the figures of the
others), and the README's table. Needs root on Debian 12 with two cores, the packages that `.ci/run` installs,
freeradius-postgresql, and `pip install -c constraints.txt -e '.[bench]'`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import LOAD_CORE, described
from bench.report import all_modes, page, quoted
from bench.results import Options, Step

ROOT = Path(__file__).parent.parent
STEPS = (
    "authentication", "accounting", "storm", "visibility", "cold_start", "kills", "outage", "mutations", "restore",
    "state", "dunning", "router_apply", "router_fleet",
)  # fmt: skip
"""Modules of `bench` with a `measure`, in the order of the page."""
_QUICK_ROUNDS, _QUICK_SECONDS = 1, 1.0


def main() -> None:
    given = _arguments()
    options = Options(
        quick=given.quick,
        modes=tuple(given.modes.split(",")) if given.modes else (),
        rounds=given.rounds or (_QUICK_ROUNDS if given.quick else 3),
        seconds=given.seconds or (_QUICK_SECONDS if given.quick else 2.5),
    )
    output = given.output or (ROOT / "bench" / "build" if given.quick else ROOT / "docs")
    output.mkdir(exist_ok=True)
    os.sched_setaffinity(0, {int(LOAD_CORE)})  # what measures stays off the server's core
    begun = time.monotonic()
    steps = kept(output / "benchmarks.json")
    failed = []
    for name in given.only.split(",") if given.only else STEPS:
        step = run(name, options, begun)
        if step is None:
            failed.append(name)
        else:
            merge(steps, name, step)
            write(output, {each: steps[each] for each in STEPS if each in steps}, quote=not given.quick)
    print(f"{time.monotonic() - begun:.0f} s; written: {output / 'benchmarks.md'}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def run(name: str, options: Options, begun: float) -> Step | None:
    """One step, with its progress; None when it failed, which is told, and the others go on."""

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {name}: {text}", flush=True)

    say("begins")
    try:
        step: Step = importlib.import_module(f"bench.{name}").measure(options, say)
    except Exception as error:
        notes = "\n".join(getattr(error, "__notes__", ()))
        say(f"failed: {type(error).__name__}: {error}\n{notes}".rstrip())
        return None
    for row in step.rows:
        say(f"{row.what}: {row.figure}")
    return step


def merge(steps: dict[str, Step], name: str, step: Step) -> None:
    """A run of some modes leaves the others as they were."""
    before = steps.get(name, Step())
    steps[name] = Step(step.rows or before.rows, before.modes | step.modes, step.note or before.note)


def kept(path: Path) -> dict[str, Step]:
    """What earlier runs found."""
    if not path.exists():
        return {}
    return {name: Step.from_json(said) for name, said in json.loads(path.read_text()).items()}


def write(output: Path, steps: dict[str, Step], *, quote: bool) -> None:
    (output / "benchmarks.json").write_text(
        json.dumps({name: step.to_json() for name, step in steps.items()}, indent=1) + "\n"
    )
    text = page(steps, described(), datetime.now(UTC).date().isoformat(), _commit())
    (output / "benchmarks.md").write_text(text)
    if modes := all_modes(steps):
        try:
            from bench.plot import draw

            draw(modes, output / "benchmarks.svg")
        except ImportError as error:
            print(f"no plot: {error}; pip install -e '.[bench]'", flush=True)
    if quote:
        readme = ROOT / "README.md"
        readme.write_text(quoted(readme.read_text(), steps))


def _commit() -> str:
    found = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="short and small, into bench/build: does it all still run?"
    )
    parser.add_argument("--only", help=f"steps, comma between them: {','.join(STEPS)}")
    parser.add_argument("--modes", help="of the comparison: PAP,PAP+MA,CHAP,MS-CHAPv2,Interim")
    parser.add_argument("--rounds", type=int, help="rounds of the comparison (3)")
    parser.add_argument("--seconds", type=float, help="length of one saturated measurement (2.5)")
    parser.add_argument("--output", type=Path, help="directory to write into (docs)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
