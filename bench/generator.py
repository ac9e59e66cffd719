"""The load generator, `radload.c`, run on the load's core. It is built when it is older than its source."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import LOAD_CORE, pinned

HERE = Path(__file__).parent


class WrongAnswers(Exception):
    """The server answered, but not what the client may take for an answer."""


@dataclass(frozen=True)
class Load:
    """One run: answers/s, CPU µs an answer of the groups asked for, latency percentiles in milliseconds."""

    rate: float
    cpu: float
    p50: float
    p99: float
    answers: int
    unanswered: int
    signed: int
    """Answers that had a Message-Authenticator, which then was right."""


def build(directory: Path = HERE / "build", name: str = "radload") -> Path:
    """Compile the generator; gives the program."""
    program, sources = directory / name, (HERE / f"{name}.c", HERE / "digests.h")
    directory.mkdir(exist_ok=True)
    if not program.exists() or program.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        subprocess.run(["gcc", "-O2", "-w", "-o", program, sources[0]], check=True)
    return program


def run(program: Path, port: int, mode: Iterable[str], *more: object, pids: Iterable[int] = ()) -> Load:
    """Ask the server on a loopback port; `more` are options of the generator. WrongAnswers."""
    groups = [word for index, pid in enumerate(pids) for word in ("-G", f"p{index}:{pid}")]
    command = [*pinned(LOAD_CORE), program, "-p", port, *mode, *groups, *more]
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"the load generator failed: {ended.stderr}")
    found: dict[str, Any] = json.loads(ended.stdout)
    wrong = {name: found[name] for name in ("badauth", "badma", "badproof", "unexpected", "challenge") if found[name]}
    if wrong or not found["done"]:
        raise WrongAnswers(f"port {port}, {' '.join(mode)}: {wrong or 'no answer at all'}")
    return Load(
        rate=found["rps"],
        cpu=sum(found["us_per_req"].values()),
        p50=found["p50us"] / 1000,
        p99=found["p99us"] / 1000,
        answers=found["done"],
        unanswered=found["timeouts"],
        signed=found["ma"],
    )
