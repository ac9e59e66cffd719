"""A disk that fails on demand, for processes that are started with it; see faulty_disk.c."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("faulty_disk.c")


class FaultyDisk:
    """Compiled into `directory`; files whose path begins with `under` are on it. `environment` puts a process on it."""

    def __init__(self, directory: Path, under: Path) -> None:
        if shutil.which("gcc") is None:
            if os.environ.get("CI"):
                pytest.fail("tests of a failing disk may not be skipped in CI: install gcc")
            pytest.skip("no gcc to make a disk fail with")
        library, control = directory / "faulty_disk.so", directory / "faults"
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", library, _SOURCE, "-ldl"], check=True)
        control.write_bytes(bytes(16))
        with control.open("r+b") as file:
            self._words = memoryview(mmap.mmap(file.fileno(), 16)).cast("i")
        self.environment = {"LD_PRELOAD": str(library), "FAULTS_CONTROL": str(control), "FAULTS_UNDER": str(under)}

    @property
    def failures(self) -> int:
        """How many calls have failed so far."""
        return self._words[3]

    def fail(self, *, writing: int = 0, syncing: int = 0, half: bool = False) -> None:
        """Fail with these errnos from now on; `half`: some of the octets are written before that."""
        self._words[0], self._words[1], self._words[2] = writing, syncing, int(half)

    def mend(self) -> None:
        self.fail()
