"""The spool's disk is full or fails: nothing is acknowledged, nothing crashes, and it goes on by itself afterwards."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bench.host import RadiusHost
from bench.ledger import Ledger, accounting_lines, shortened
from bench.nas_load import NasLoad
from bench.records import SECRET
from tests.resilience.conftest import SUBSCRIBERS, StartHost
from tests.resilience.faulty_disk import FaultyDisk

PACE, SOME = 500.0, 200
QUIET_SECONDS = 0.5
"""Longer than any answer is under way that was decided on before the disk failed."""
TMPFS_OCTETS = 48 << 20


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catraca.db'}"


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        pytest.param({"writing": errno.EIO}, "Input/output error", id="EIO in write"),
        pytest.param({"writing": errno.ENOSPC}, "No space left on device", id="ENOSPC in write"),
        pytest.param({"writing": errno.ENOSPC, "half": True}, "No space left on device", id="ENOSPC in mid-record"),
        pytest.param({"syncing": errno.EIO}, "Input/output error", id="EIO in fdatasync"),
        pytest.param({"syncing": errno.ENOSPC}, "No space left on device", id="ENOSPC in fdatasync"),
    ],
)
def test_a_failing_disk(
    faults: dict[str, int], said: str, start_host: StartHost, migrated_url: str, tmp_path: Path
) -> None:
    disk = FaultyDisk(tmp_path, tmp_path / "data" / "radius" / "spool")
    host = start_host(migrated_url, environment=disk.environment)

    def breaks() -> None:
        disk.fail(**faults)  # type: ignore[arg-type]
        host.await_that(lambda: disk.failures > 3, "the disk is tried, and fails, again and again")

    survives(host, breaks, disk.mend, said)


def test_a_full_file_system(start_host: StartHost, sqlite_url: str, tmp_path: Path) -> None:
    spool = tmp_path / "data" / "radius" / "spool"
    with small_file_system(spool):
        host = start_host(sqlite_url)
        ballast = spool / "ballast"

        def fills_up() -> None:
            os.kill(host.pids("sync")[0], signal.SIGSTOP)  # or it would clear away what is drained, and make room
            with ballast.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(1 << 16)):
                    pass
            host.await_that(lambda: "accounting spool" in host.log, "somebody complains")

        def is_cleared() -> None:
            ballast.unlink()
            os.kill(host.pids("sync")[0], signal.SIGCONT)

        survives(host, fills_up, is_cleared, "No space left on device")
        host.stop()


def survives(host: RadiusHost, breaks: Callable[[], None], is_mended: Callable[[], None], said: str) -> None:
    """Load the host, break its disk, mend it; every promise is held against what happens."""
    ledger = Ledger()
    load = NasLoad(accounting_lines(SUBSCRIBERS, host.settings.radius_acct_port, ledger), SECRET.encode(), pace=PACE)
    load.start()
    host.await_that(lambda: ledger.records > SOME, "accounting is acknowledged")
    processes = {role: host.pids(role) for role in ("auth", "accounting", "sync")}
    breaks()
    time.sleep(QUIET_SECONDS)
    acknowledged = ledger.records
    time.sleep(2 * QUIET_SECONDS)
    assert ledger.records == acknowledged, "nothing is acknowledged that is not on the disk"
    assert said in host.log, "whoever looks is told"
    is_mended()
    host.await_that(lambda: ledger.records > acknowledged + SOME, "it recovers by itself")
    load.stop()
    assert {role: host.pids(role) for role in processes} == processes, "no process had to be started again"
    wrong = ledger.compare_drained(host)
    assert not wrong, shortened(wrong)


@contextmanager
def small_file_system(directory: Path) -> Iterator[None]:
    """A tmpfs of its own at `directory`; skips where mounting is not allowed, which in CI root always is."""
    directory.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_OCTETS},mode=0700", "tmpfs", str(directory)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        if os.environ.get("CI") and os.geteuid() == 0:
            pytest.fail(f"a full file system may not be skipped in CI: {done.stderr}")
        pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)
