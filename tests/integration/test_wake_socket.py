"""Jobs that a process beside the embedded worker writes are run at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from core.job_queue import Job
from core.jobs import HANDLERS
from core.outcomes import Applied, Outcome
from core.runtime import Runtime
from core.wake_socket import WakeListener, wake_from_beside, wake_over, wake_path
from core.worker import Embedded
from tests.scenarios.waiting import until


class Heard:
    """What a listener was told."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.some = threading.Event()

    def __call__(self, ids: list[int]) -> None:
        self.ids += ids
        self.some.set()


@pytest.mark.parametrize("directory", ["short", "long" * 40], ids=["a path that fits", "a path that does not"])
def test_ids_arrive(tmp_path: Path, directory: str) -> None:
    path = wake_path(tmp_path / directory)
    path.parent.mkdir()
    heard = Heard()
    listener = WakeListener(path, heard)
    listener.start()
    wake_over(path)([7, 8])
    assert heard.some.wait(10)
    wake_over(path)(list(range(1, 1_201)))
    until(lambda: len(heard.ids) == 1_202, "all ids arrive")
    listener.stop()
    assert heard.ids[:2] == [7, 8]
    assert not path.exists()


def test_nobody_there_is_nobody_waited_for(tmp_path: Path) -> None:
    wake_over(tmp_path / "nobody.sock")([1])


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "wake.sock"
    path.write_text("left behind")
    heard = Heard()
    listener = WakeListener(path, heard)
    listener.start()
    wake_over(path)([5])
    assert heard.some.wait(10)
    listener.stop()


def test_a_job_of_another_process_is_run_without_a_sweep(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = threading.Event()

    def handler(_runtime: Runtime, _job: Job) -> Outcome:
        ran.set()
        return Applied()

    monkeypatch.setitem(HANDLERS, "test.woken", handler)
    monkeypatch.setattr("core.worker.SWEEP_SECONDS", 3_600.0)
    worker = Embedded(runtime)
    worker.start()
    beside = Runtime(runtime.settings, runtime.database, runtime.keyring, runtime.clock)
    assert beside.settings.embedded
    try:
        beside.database.wake = wake_from_beside(beside)
        with beside.database.transaction() as tx:
            tx.enqueue("test.woken")
        assert ran.wait(20)
    finally:
        worker.stop()
