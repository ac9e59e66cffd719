"""What a benchmark hands over to the report: rows of one figure each, or servers compared; it goes through JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

Say = Callable[[str], None]
"""Told the progress, a line at a time."""


@dataclass(frozen=True)
class Options:
    """Of a run. `modes` are those of the comparison; `seconds` is the length of one saturated measurement."""

    quick: bool = False
    modes: tuple[str, ...] = ()
    rounds: int = 3
    seconds: float = 2.5
    subscribers: int = 100_000


@dataclass(frozen=True)
class Row:
    """One figure: what was done, what came of it, what was asked for ("": nothing), the command to repeat it."""

    what: str
    figure: str
    asked: str
    command: str


@dataclass(frozen=True)
class Measured:
    """One server in one mode: medians over the rounds, latencies in milliseconds (None: it cannot hold that rate).

    `faster` and `cheaper` are Catraca's ratio to it in answers/s and in CPU, medians of the ratios within a round.
    `rate` of accounting counts until everything is in the database; `acknowledged` is what clients see meanwhile.
    """

    rate: float
    cpu: float
    p99_saturated: float
    p50_steady: float | None
    p99_steady: float | None
    p50_half: float | None
    p99_half: float | None
    faster: float = 1.0
    cheaper: float = 1.0
    acknowledged: float | None = None


@dataclass
class Step:
    """What one step of `python -m bench` found; `modes` are mode → server → figures."""

    rows: list[Row] = field(default_factory=list)
    modes: dict[str, dict[str, Measured]] = field(default_factory=dict)
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Self:
        modes = {
            mode: {name: Measured(**each) for name, each in found.items()} for mode, found in said["modes"].items()
        }
        return cls([Row(**row) for row in said["rows"]], modes, said["note"])
