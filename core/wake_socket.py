"""Waking the embedded worker from another process: ids of jobs over a Unix datagram socket in the data directory.

The `memory://` broker lives inside one process, so the RADIUS processes, which write jobs too, cannot reach it. A
datagram that finds nobody, or no room, is lost, and the sweep finds the rows: this is an alarm clock like the others.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from struct import iter_unpack, pack

from core.logs import get_logger
from core.runtime import Runtime

_AT_ONCE = 500
"""Ids in a datagram."""
_PATH_ROOM = 100
"""Octets of a path that certainly fit into a socket's address (108, unix(7))."""
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
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        with suppress(OSError), _address(path) as address, socket.socket(socket.AF_UNIX, kind) as sender:
            for start in range(0, len(job_ids), _AT_ONCE):
                some = job_ids[start : start + _AT_ONCE]
                sender.sendto(pack(f">{len(some)}q", *some), address)

    return wake


class WakeListener:
    """Hands what arrives at `path` to `wake`, in a thread of its own."""

    def __init__(self, path: Path, wake: Callable[[list[int]], None]) -> None:
        self._path = path
        self._wake = wake
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._listen, name="wake-socket", daemon=True)
        self._stopping = False

    def start(self) -> None:
        """Begin; where the socket cannot be made, jobs of other processes wait for the sweep."""
        try:
            self._path.unlink(missing_ok=True)
            with _address(self._path) as address:
                self._socket.bind(address)
            self._path.chmod(0o600)
        except OSError as error:
            log.warning("other processes cannot wake the worker; the sweep will", reason=str(error))
            return
        self._thread.start()

    def stop(self) -> None:
        """End, and take the socket away. Safe to call before `start`."""
        self._stopping = True
        if self._thread.is_alive():
            wake_over(self._path)([0])
            self._thread.join(timeout=1.0)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _listen(self) -> None:
        while not self._stopping:
            datagram = self._socket.recv(8 * _AT_ONCE)
            ids = [number for (number,) in iter_unpack(">q", datagram[: len(datagram) // 8 * 8]) if number > 0]
            if ids and not self._stopping:
                self._wake(ids)


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """What to call the socket: a long path is spelled by way of its open directory."""
    if len(os.fsencode(path)) <= _PATH_ROOM:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
