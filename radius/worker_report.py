"""What a RADIUS worker tells of itself about every second: counters, latency, gauges. Pure.

All numbers but the gauges are sums since the worker's start, so a report that is lost costs nothing, and whoever adds
up the reports of several workers, or of one that was restarted, can do so as Prometheus does.

Latency is the time from a datagram's arrival at this host until its reply was sent. What is taken from the socket
together is counted by the one that waited longest; a reject that is held back on purpose is not counted.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LATENCY_BOUNDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds in seconds, each inclusive; what is beyond the last falls into one bucket more."""

Counters = Mapping[tuple[str, str], int]
Sightings = Mapping[int, tuple[int, int, int]]
"""NAS id → requests (with, without, refused for lack of) Message-Authenticator."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Answers by the time that they took: `buckets` are not cumulative, one more than LATENCY_BOUNDS; `seconds` is
    the sum of all times."""

    buckets: tuple[int, ...] = (0,) * (len(LATENCY_BOUNDS) + 1)
    seconds: float = 0.0

    @property
    def answers(self) -> int:
        return sum(self.buckets)


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One worker at one moment. `name` is its place in the process tree, such as auth-1.

    `counters` are (result, reason) → n. `gauges` are such as `held_rejects`, `duplicate_cache_entries`, `spool_bytes`
    and `last_turn` (epoch seconds at which the worker last looked at its sockets).
    """

    name: str
    counters: Counters = field(default_factory=dict)
    latency: Latency = Latency()
    sightings: Sightings = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """One line of JSON, without its end."""
        told: dict[str, Any] = {
            "name": self.name,
            "counters": [[*label, count] for label, count in self.counters.items()],
            "latency": {"buckets": self.latency.buckets, "seconds": self.latency.seconds},
            "sightings": [[nas_id, *counts] for nas_id, counts in self.sightings.items()],
            "gauges": dict(self.gauges),
        }
        return json.dumps(told, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, line: bytes) -> WorkerReport:
        """What `to_json` made; ValueError for anything else."""
        try:
            told = json.loads(line)
            latency = told["latency"]
            return cls(
                name=str(told["name"]),
                counters={(str(result), str(reason)): int(count) for result, reason, count in told["counters"]},
                latency=Latency(tuple(map(int, latency["buckets"])), float(latency["seconds"])),
                sightings={int(nas_id): (int(a), int(b), int(c)) for nas_id, a, b, c in told["sightings"]},
                gauges={str(name): float(value) for name, value in told["gauges"].items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no worker report: {type(error).__name__}") from error


class LatencyCounter:
    """Counts a turn's answers together: they left together. One thread's."""

    __slots__ = ("_buckets", "_seconds")

    def __init__(self) -> None:
        self._buckets = [0] * (len(LATENCY_BOUNDS) + 1)
        self._seconds = 0.0

    def count(self, seconds: float, answers: int) -> None:
        """This many answers took so long each."""
        self._buckets[bisect_left(LATENCY_BOUNDS, seconds)] += answers
        self._seconds += seconds * answers

    def latency(self) -> Latency:
        """A copy of the counts since the start."""
        return Latency(tuple(self._buckets), self._seconds)
