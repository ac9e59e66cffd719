"""The RADIUS processes of one host, and the supervisor that keeps them running.

    sync               feeder (database → access records) and drainer (spools → database); the only one that knows SQL
    auth-1 … n         authentication, on one port
    accounting-1 … n   accounting, on one port: socket → spool, each its own
    radsec             both over TLS, on one port, where a certificate is set; with a spool of its own

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
from ipaddress import IPv4Address, IPv6Address

from core.errors import CatracaError
from core.logs import get_logger
from core.settings import Settings
from radius.child_process import ChildFailed, ChildProcess
from radius.endpoint import only_v6, read_addresses
from radius.metrics import forget_others

START_SECONDS = 120.0
"""Longest wait for a child: the first load of a million access records takes a while."""
SPOOL_SECONDS = 5.0
"""Longest wait for one of MAY_WAIT, once all others are ready."""
MAY_WAIT = frozenset({"accounting"})
"""Roles that need a disk with room. Where there is none authentication is served all the same."""
STOP_SECONDS = 2.5
_WATCH_SECONDS = 0.05
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_SOUND_SECONDS = 1.0
"""Who has served and lived for this long before it died is started again at once."""
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
        self._workers = [
            *_several("auth", settings.radius_workers),
            *_several("accounting", settings.radius_acct_workers),
            *([ChildProcess("radsec", "radsec")] if settings.radsec else []),
        ]
        self._again: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None

    def start(self) -> None:
        """Return when every port is bound and the first access records are here; else RadiusNotStarted, none left."""
        self._check_ports()
        forget_others(self._settings.lmdb_path.parent, [child.name for child in self._children()])
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
            addresses = _addresses(self._settings.radius_address)
            for address in addresses:
                _probe(address, port, only_v6=only_v6(addresses))

    def _start_and_hear(self, children: list[ChildProcess]) -> None:
        deadline = time.monotonic() + START_SECONDS
        for child in children:
            child.start(self._settings)
        for child in sorted(children, key=lambda each: each.role in MAY_WAIT):
            try:
                _await(child, deadline)
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
        """Start it again when it is down: at once, or after a pause where it would not live long."""
        if child.running:
            self._listen(child)
            return
        now = time.monotonic()
        if child.name not in self._again:
            self._plan_restart(child, now)
        if now >= self._again[child.name]:
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
        """The pause doubles as long as it dies before it serves, for what keeps it from that may last."""
        if child.ready:
            self._pauses[child.name] = 0.0
            pause = 0.0 if now - child.started_at >= _SOUND_SECONDS else _SHORTEST_PAUSE
        else:
            pause = min(max(self._pauses.get(child.name, 0.0) * 2, _SHORTEST_PAUSE), _LONGEST_PAUSE)
            self._pauses[child.name] = pause
        self._again[child.name] = now + pause
        log.error("a RADIUS process ended", process=child.name, exit_code=child.exit_code, again_in_seconds=pause)


def _several(role: str, count: int) -> list[ChildProcess]:
    return [ChildProcess(f"{role}-{number}", role) for number in range(1, count + 1)]


def _await(child: ChildProcess, deadline: float) -> None:
    """Until it is ready; ChildFailed when it is not at `deadline` (monotonic seconds)."""
    may_wait = child.role in MAY_WAIT
    if child.hear(SPOOL_SECONDS if may_wait else deadline - time.monotonic()) is None:
        if not may_wait:
            raise ChildFailed(f"it is not ready after {START_SECONDS:.0f} s")
        log.error("a RADIUS process does not serve yet; its own log says why", process=child.name)


def _addresses(text: str) -> list[IPv4Address | IPv6Address]:
    try:
        return read_addresses(text)
    except ValueError as error:
        raise RadiusNotStarted(f"radius_address is no list of IPv4 and IPv6 addresses: {text}") from error


def _probe(address: IPv4Address | IPv6Address, port: int, *, only_v6: bool) -> None:
    """RadiusNotStarted when somebody has the port, or we may not have it."""
    with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            if address.version == 6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_v6)
            probe.bind((str(address), port))
        except OSError as error:
            raise RadiusNotStarted(f"UDP port {port} on {address} cannot be bound: {_hint(error)}") from error


def _hint(error: OSError) -> str:
    hints = {
        errno.EADDRINUSE: "another program has it; stop that one, or choose another port",
        errno.EACCES: "this user may not have it; choose a port from 1024 on",
        errno.EADDRNOTAVAIL: "this host does not have that address",
    }
    return hints.get(error.errno or 0, os.strerror(error.errno or 0))
