"""The RADIUS processes of one host, and the supervisor that keeps them running.

    sync         feeder (database → access records) and drainer (spool → database); the only one that knows SQL
    auth-1 … n   authentication, on one port
    accounting   accounting: socket → spool

They share nothing but files, so any of them may be killed at any time and is started again: authentication never
notices that the database is away, and accounting never notices that the drainer is slow.

Children are new interpreters, not forks: an LMDB environment does not survive a fork, nor do threads, and a worker
should carry none of its parent's memory. They end when their standard input does, which the kernel sees to even when
the parent is killed.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from ipaddress import ip_address

from core.errors import CatracaError
from core.logs import get_logger
from core.settings import Settings
from radius.child_process import ChildFailed, ChildProcess

START_SECONDS = 120.0
"""Longest wait for a child: the first load of a million access records takes a while."""
STOP_SECONDS = 2.5
_WATCH_SECONDS = 0.1
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_SOUND_SECONDS = 10.0
"""Who has run for this long before it died is started again at once."""
log = get_logger("radius.processes")


class RadiusNotStarted(CatracaError):
    """The RADIUS processes cannot serve; `detail` says what to mend."""

    status = 503
    slug = "radius-not-started"
    title = "RADIUS could not be started"


class RadiusProcesses:
    """Starts, watches and stops the RADIUS processes that the settings ask for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sync = ChildProcess("sync", "sync")
        self._workers = [ChildProcess(f"auth-{number}", "auth") for number in range(1, settings.radius_workers + 1)]
        self._workers.append(ChildProcess("accounting", "accounting"))
        self._again: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None

    def start(self) -> None:
        """Return when every port is bound and the first access records are here; else RadiusNotStarted, none left."""
        self._check_ports()
        try:
            self._start_and_hear(self._children())
        except BaseException:
            self.stop()
            raise
        self._watch = threading.Thread(target=self._watch_children, name="radius-watch", daemon=True)
        self._watch.start()

    def stop(self) -> None:
        """End all processes, within three seconds; those that do not listen are killed. Safe to call twice."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.join()
        for child in self._children():
            child.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children():
            child.end(deadline)

    def alive(self) -> dict[str, bool]:
        """Which processes run right now, by name."""
        return {child.name: child.running for child in self._children()}

    def pids(self) -> dict[str, int]:
        """Process ids of those that run, by name."""
        return {child.name: pid for child in self._children() if (pid := child.pid) is not None}

    def _children(self) -> list[ChildProcess]:
        return [self._sync, *self._workers]

    def _check_ports(self) -> None:
        """Workers share their port (SO_REUSEPORT), so another server on it would go unnoticed: look first."""
        for name in ("radius_auth_port", "radius_acct_port"):
            port = getattr(self._settings, name)
            if not port:
                raise RadiusNotStarted(f"{name} is 0, but the processes need one port that all of them know")
            _probe(self._settings.radius_address, port)

    def _start_and_hear(self, children: list[ChildProcess]) -> None:
        deadline = time.monotonic() + START_SECONDS
        for child in children:
            child.start(self._settings)
        for child in children:
            try:
                if child.hear(deadline - time.monotonic()) is None:
                    raise ChildFailed(f"it is not ready after {START_SECONDS:.0f} s")
            except ChildFailed as error:
                raise RadiusNotStarted(f"the {child.name} process: {error}") from error

    def _watch_children(self) -> None:
        while not self._stopping.wait(_WATCH_SECONDS):
            for child in self._children():
                try:
                    self._look_after(child)
                except ChildFailed as error:
                    log.error("a RADIUS process cannot serve", process=child.name, reason=str(error))
                except Exception:
                    log.exception("could not look after a RADIUS process", process=child.name)

    def _look_after(self, child: ChildProcess) -> None:
        """Start it again when it is down, after a pause that doubles as long as it keeps dying."""
        if child.running:
            self._listen(child)
        elif child.name not in self._again:
            self._plan_restart(child, time.monotonic())
        elif time.monotonic() >= self._again[child.name]:
            del self._again[child.name]
            child.start(self._settings)

    def _listen(self, child: ChildProcess) -> None:
        """A new sync process may have had to make the access records anew: workers still map the file that is gone."""
        facts = child.hear(0.0)
        if facts and facts.get("made_anew"):
            log.warning("the access records were made anew: restarting the workers")
            for worker in self._workers:
                worker.terminate()

    def _plan_restart(self, child: ChildProcess, now: float) -> None:
        pause = self._pauses.get(child.name, 0.0) * 2
        if now - child.started_at >= _SOUND_SECONDS:
            pause = 0.0
        pause = min(max(pause, _SHORTEST_PAUSE), _LONGEST_PAUSE)
        self._pauses[child.name], self._again[child.name] = pause, now + pause
        log.error("a RADIUS process ended", process=child.name, exit_code=child.exit_code, again_in_seconds=pause)


def _probe(address: str, port: int) -> None:
    """RadiusNotStarted when somebody has the port, or we may not have it."""
    try:
        version = ip_address(address).version
    except ValueError as error:
        raise RadiusNotStarted(f"radius_address is no IPv4 or IPv6 address: {address}") from error
    with socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
        except OSError as error:
            raise RadiusNotStarted(f"UDP port {port} on {address} cannot be bound: {_hint(error)}") from error


def _hint(error: OSError) -> str:
    hints = {
        errno.EADDRINUSE: "another program has it; stop that one, or choose another port",
        errno.EACCES: "this user may not have it; choose a port from 1024 on",
        errno.EADDRNOTAVAIL: "this host does not have that address",
    }
    return hints.get(error.errno or 0, os.strerror(error.errno or 0))
