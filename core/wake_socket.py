"""Waking the embedded worker from another process: ids of jobs over a Unix datagram socket in the data directory.

The `memory://` broker lives inside one process, so the RADIUS processes, which write jobs too, cannot reach it. A
datagram that finds nobody, or no room, is lost, and the sweep finds the rows: this is an alarm clock like the others.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from struct import iter_unpack, pack

from core.logs import get_logger
from core.runtime import Runtime
from core.unix_datagrams import bound, connected

_AT_ONCE = 500
"""Ids in a datagram."""
log = get_logger("core.wake-socket")


def wake_path(data_dir: Path) -> Path:
    return data_dir / "wake.sock"


def wake_from_beside(runtime: Runtime) -> Callable[[list[int]], None]:
    """A `Database.wake` for a process that has no worker: by the broker, or to the process that embeds one."""
    if runtime.settings.embedded:
        return wake_over(wake_path(runtime.settings.data_dir))
    from core.worker import make_app, wake_with  # here, because Celery is large and the embedded default needs none

    return wake_with(make_app(runtime.settings, lambda: runtime))


def wake_over(path: Path) -> Callable[[list[int]], None]:
    """A `Database.wake` for processes beside the one that listens at `path`; it never waits."""

    def wake(job_ids: list[int]) -> None:
        with suppress(OSError), connected(path) as sender:
            for start in range(0, len(job_ids), _AT_ONCE):
                some = job_ids[start : start + _AT_ONCE]
                sender.send(pack(f">{len(some)}q", *some))

    return wake


class WakeListener:
    """Hands what arrives at `path` to `wake`, in a thread of its own."""

    def __init__(self, path: Path, wake: Callable[[list[int]], None]) -> None:
        self._path = path
        self._wake = wake
        self._thread: threading.Thread | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin; where the socket cannot be made, jobs of other processes wait for the sweep."""
        try:
            heard = bound(self._path)
        except OSError as error:
            log.warning("other processes cannot wake the worker; the sweep will", reason=str(error))
            return
        self._thread = threading.Thread(target=self._listen, args=(heard,), name="wake-socket", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and take the socket away. Safe to call before `start`."""
        self._stopping = True
        if self._thread is not None:
            wake_over(self._path)([0])
            self._thread.join(timeout=1.0)
        self._path.unlink(missing_ok=True)

    def _listen(self, heard: socket.socket) -> None:
        with heard:
            while not self._stopping:
                datagram = heard.recv(8 * _AT_ONCE)
                ids = [number for (number,) in iter_unpack(">q", datagram[: len(datagram) // 8 * 8]) if number > 0]
                if ids and not self._stopping:
                    self._wake(ids)
