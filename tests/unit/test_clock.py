"""The clock of a rehearsal: one offset for every process of the tree."""

from __future__ import annotations

import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.clock import RehearsalClock, clock_from, system_clock

CHILD = """
import sys
from datetime import timedelta
from pathlib import Path
from core.clock import RehearsalClock
clock = RehearsalClock(Path(sys.argv[1]))
for line in sys.stdin:
    if line.strip() != "read":
        clock.advance(timedelta(seconds=float(line)))
    print(clock.offset.total_seconds(), flush=True)
"""


class Child:
    """Another process with a clock on the same file."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate()

    def ask(self, line: str) -> float:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def test_the_system_clock_is_aware_and_utc() -> None:
    assert system_clock().utcoffset() == timedelta(0)


def test_no_rehearsal_file_means_the_machines_time() -> None:
    assert clock_from(None) is system_clock


def test_two_processes_live_in_the_same_hour(tmp_path: Path) -> None:
    clock = RehearsalClock(tmp_path / "clock")
    with Child(tmp_path / "clock") as other:
        assert other.ask("read") == 0
        clock.advance(timedelta(days=40, microseconds=5))
        assert other.ask("read") == 40 * 86400 + 0.000005
        other.ask("3600")
        assert clock.offset == timedelta(days=40, hours=1, microseconds=5)
        assert clock() - datetime.now(UTC) > timedelta(days=40)


def test_the_offset_outlives_its_processes(tmp_path: Path) -> None:
    RehearsalClock(tmp_path / "clock").advance(timedelta(days=3))
    assert RehearsalClock(tmp_path / "clock").offset == timedelta(days=3)
    assert clock_from(tmp_path / "clock")() > system_clock() + timedelta(days=2)


@pytest.mark.parametrize(
    ("content", "offset"),
    [
        pytest.param(None, 0, id="no file"),
        pytest.param(b"", 0, id="made by another process and not yet filled"),
        pytest.param(struct.pack("<d", 86400.0), 86400, id="of a rehearsal under way"),
    ],
)
def test_opening_keeps_what_is_there(tmp_path: Path, content: bytes | None, offset: float) -> None:
    path = tmp_path / "made" / "clock"
    if content is not None:
        path.parent.mkdir()
        path.write_bytes(content)
    assert RehearsalClock(path).offset.total_seconds() == offset
