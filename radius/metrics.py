"""What each RADIUS process shows of itself: its report, and who it is, in a file of its own in `radius/metrics`.

Processes are killed and started again, and a counter that begins anew hides what happened in between. So a process
goes on where the former one of its name stood: what is shown are sums since the installation began.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from radius.metrics_file import LARGEST, MetricsFile, read_metrics_file
from radius.spool import segment_path, segments, spools_in
from radius.worker_report import Latency, WorkerReport

Report = Callable[[WorkerReport], None]
More = Callable[[], Mapping[tuple[str, str], int]]
"""Counters that are kept beside the worker's."""
SHOWN_NAS = 500
"""NAS whose sightings are shown as numbers; of all others the database tells."""
_LABELS = 512
_COMPLAIN_SECONDS = 60.0
_DIRECTORY, _SUFFIX = "metrics", ".metrics"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A report as the file has it: `at` and `started_at` are epoch seconds of the machine, `starts` counts lives.

    `born` tells two processes of one id apart (clock ticks since boot, proc(5)). `cpu_seconds` is of all lives.
    """

    report: WorkerReport
    pid: int
    born: int
    started_at: float
    at: float
    starts: int
    cpu_seconds: float

    @property
    def running(self) -> bool:
        """Whether that process runs on this machine right now."""
        return born_at(self.pid) == self.born

    def to_json(self) -> bytes:
        about = {name: getattr(self, name) for name in self.__slots__ if name != "report"}
        return json.dumps(about, separators=(",", ":")).encode() + b"\n" + self.report.to_json()

    @classmethod
    def from_json(cls, text: bytes) -> Shown:
        """What `to_json` made; ValueError for anything else."""
        about, _, report = text.partition(b"\n")
        try:
            return cls(report=WorkerReport.from_json(report), **json.loads(about))
        except TypeError as error:
            raise ValueError("not what a process shows") from error


def snapshot_writer(host: Path, name: str, more: More | None = None) -> Report:
    """What the process `name` hands its reports to, every second or so; `host` is `<data_dir>/radius`.

    It never raises: numbers are not worth that.
    """
    return _Writer(host / _DIRECTORY / f"{name}{_SUFFIX}", more or dict)


def read_shown(host: Path) -> list[Shown]:
    """What every process of this host showed last, in order of name."""
    return sorted(_read(host / _DIRECTORY), key=lambda shown: _natural(shown.report.name))


def forget_others(host: Path, names: Iterable[str]) -> None:
    """Take away the files of processes that this host has no more."""
    kept = {f"{name}{_SUFFIX}" for name in names}
    for path in (host / _DIRECTORY).glob(f"*{_SUFFIX}"):
        if path.name not in kept:
            with suppress(OSError):
                path.unlink()


def add_reports(one: WorkerReport, two: WorkerReport) -> WorkerReport:
    """Both lives of one process: sums, and the gauges of the second. Labels and NAS stay bounded."""
    counters = dict(two.counters)
    for label, count in one.counters.items():
        label = label if label in counters or len(counters) < _LABELS else (label[0], "other")
        counters[label] = counters.get(label, 0) + count
    sightings = dict(two.sightings)
    for nas_id, before in one.sightings.items():
        now = sightings.get(nas_id, (0, 0, 0))
        sightings[nas_id] = (before[0] + now[0], before[1] + now[1], before[2] + now[2])
    return replace(two, counters=counters, latency=_add(one.latency, two.latency), sightings=sightings)


def born_at(pid: int) -> int | None:
    """When the process was started, in clock ticks since boot; None when there is none, or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def resident_bytes(pid: int) -> int:
    """Memory of a process that is not swapped out, shared pages included; 0 when there is no such process."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def spool_sizes(host: Path) -> dict[str, int]:
    """Octets on disk of each spool of this host, drained segments included."""
    return {spool.name: sum(_sizes(spool)) for spool in spools_in(host)}


def _sizes(spool: Path) -> Iterator[int]:
    for number in segments(spool):
        with suppress(FileNotFoundError):  # the drainer deletes
            yield segment_path(spool, number).stat().st_size


class _Writer:
    """Adds the former lives to each report, and writes it down."""

    def __init__(self, path: Path, more: More) -> None:
        self._path = path
        self._more = more
        self._file: MetricsFile | None = None
        self._former: Shown | None = None
        self._complain_at = 0.0
        self._started_at = time.time()
        self._pid, self._born = os.getpid(), born_at(os.getpid()) or 0

    def __call__(self, report: WorkerReport) -> None:
        try:
            if self._file is None:
                self._open()
            assert self._file is not None  # noqa: S101
            self._file.write(_fitting(self._shown(report)))
        except (OSError, ValueError) as error:
            self._complain(error)

    def _open(self) -> None:
        self._file = MetricsFile(self._path)
        with suppress(ValueError):
            self._former = Shown.from_json(self._file.content)

    def _shown(self, report: WorkerReport) -> Shown:
        report = replace(report, counters={**report.counters, **self._more()})
        cpu, starts, times = 0.0, 1, os.times()
        if self._former is not None:
            report = add_reports(self._former.report, report)
            cpu, starts = self._former.cpu_seconds, self._former.starts + 1
        cpu += times.user + times.system
        return Shown(report, self._pid, self._born, self._started_at, time.time(), starts, cpu)

    def _complain(self, error: Exception) -> None:
        if time.monotonic() >= self._complain_at:
            self._complain_at = time.monotonic() + _COMPLAIN_SECONDS
            log.error("the numbers of this process cannot be shown in %s: %s", self._path, error)


def _fitting(shown: Shown) -> bytes:
    """The text of what is shown, without the sightings of NAS beyond the first, or of all, where it would not fit."""
    report = shown.report
    if len(report.sightings) > SHOWN_NAS:
        kept = dict(sorted(report.sightings.items())[:SHOWN_NAS])
        shown = replace(shown, report=replace(report, sightings=kept))
    text = shown.to_json()
    return text if len(text) <= LARGEST else replace(shown, report=replace(report, sightings={})).to_json()


def _read(directory: Path) -> Iterator[Shown]:
    for path in directory.glob(f"*{_SUFFIX}"):
        with suppress(OSError, ValueError):  # one that was just made, or just taken away
            yield Shown.from_json(read_metrics_file(path))


def _natural(name: str) -> tuple[str, int]:
    """auth-2 before auth-10."""
    role, _, number = name.rpartition("-")
    return (role, int(number)) if number.isdecimal() else (name, 0)


def _add(one: Latency, two: Latency) -> Latency:
    if len(one.buckets) != len(two.buckets):  # a release that had other bounds
        return two
    return Latency(tuple(map(sum, zip(one.buckets, two.buckets, strict=True))), one.seconds + two.seconds)
