"""What runs inside a RADIUS child process: `python -m radius.child ROLE FD NAME`, started by `radius.processes`.

The parent talks to a child over two pipes. Standard input brings the settings, one line of JSON, and then nothing;
when it ends, the parent is gone, and so is the child soon after. The child's answer goes to the file descriptor named
on the command line: one line of JSON, `{"ready": …}` once it serves or `{"error": …}` when it cannot.

Each role imports what it needs by itself, because a worker that was killed should be back before anybody notices:
only the sync process has to carry SQLAlchemy, and workers (`WORKERS`) do without pydantic and structlog too.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.settings import Settings
    from radius.worker_settings import WorkerSettings

Ready = Callable[..., None]
_HARD_END_SECONDS = 2.5
_WATCH_SECONDS = 1.0
log = logging.getLogger("radius.child")


def main(role: str, answer_to: int, name: str) -> int:
    """Serve until the parent says stop (SIGTERM) or is gone; the process's exit status."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C goes to the parent too, which stops us in order
    parent = os.getppid()
    line = sys.stdin.buffer.readline()
    threading.Thread(target=_watch_parent, args=(parent, stop), name="parent-watch", daemon=True).start()

    def ready(**facts: object) -> None:
        _answer(answer_to, {"ready": facts})

    try:
        if role in WORKERS:
            WORKERS[role](_worker_settings(line), name, stop, ready)
        else:
            ROLES[role](_settings(line), stop, ready)
    except Exception as error:
        return _fail(error, name, answer_to)
    return 0


def _worker_settings(line: bytes) -> WorkerSettings:
    from radius.worker_logs import configure_worker_logs
    from radius.worker_settings import WorkerSettings

    settings = WorkerSettings.from_json(line)
    configure_worker_logs(settings.log_level, settings.log_format)
    return settings


def _settings(line: bytes) -> Settings:
    from core.logs import configure_logs
    from core.settings import Settings

    settings = Settings(**json.loads(line))
    configure_logs(settings.log_level, settings.log_format)
    return settings


def _fail(error: Exception, name: str, answer_to: int) -> int:
    from core.errors import CatracaError
    from radius.store import StoreUnavailable

    if isinstance(error, OSError | CatracaError | StoreUnavailable):
        _answer(answer_to, {"error": str(error)})
        log.error("the RADIUS process %s ends: %s", name, error)
    else:
        _answer(answer_to, {"error": f"{type(error).__name__}, see the log"})
        log.error("the RADIUS process %s ends", name, exc_info=error)
    return 1


def serve_auth(settings: WorkerSettings, name: str, stop: threading.Event, ready: Ready) -> None:
    from core.clock import clock_from
    from core.secrets import open_keyring
    from radius.auth_worker import run_auth_worker
    from radius.reject_events import telling

    clock = clock_from(settings.rehearsal_clock)
    note, report = telling(settings.data_dir / "radius", name, clock)
    run_auth_worker(
        settings.radius_address,
        settings.radius_auth_port,
        settings.lmdb_path,
        open_keyring(settings.resolved_key_file),
        clock,
        stop.is_set,
        reject_delay_seconds=settings.reject_delay_seconds,
        duplicate_cache_seconds=settings.duplicate_cache_seconds,
        ready=lambda bound: ready(address=bound[0], port=bound[1]),
        report=report,
        name=name,
        note=note,
    )


def serve_accounting(settings: WorkerSettings, name: str, stop: threading.Event, ready: Ready) -> None:
    from core.clock import clock_from
    from core.secrets import open_keyring
    from radius.acct_worker import run_acct_worker
    from radius.metrics import snapshot_writer
    from radius.spool import spool_of

    run_acct_worker(
        settings.radius_address,
        settings.radius_acct_port,
        settings.lmdb_path,
        spool_of(settings.spool_dir, int(name.rpartition("-")[2])),
        open_keyring(settings.resolved_key_file),
        clock_from(settings.rehearsal_clock),
        stop.is_set,
        duplicate_cache_seconds=settings.duplicate_cache_seconds,
        ready=lambda bound: ready(address=bound[0], port=bound[1]),
        report=snapshot_writer(settings.data_dir / "radius", name),
        name=name,
    )


def serve_sync(settings: Settings, stop: threading.Event, ready: Ready) -> None:
    from radius.sync import run_sync

    run_sync(settings, stop, lambda made_anew: ready(made_anew=made_anew))


def serve_radsec(settings: Settings, stop: threading.Event, ready: Ready) -> None:
    from radius.radsec_child import run_radsec

    run_radsec(settings, stop, ready)


def _answer(descriptor: int, message: dict[str, Any]) -> None:
    with suppress(OSError):  # a parent that has heard "ready" listens no more
        os.write(descriptor, json.dumps(message).encode() + b"\n")


def _watch_parent(parent: int, stop: threading.Event) -> None:
    """End with the parent, however it ends: its pipe closes, or somebody else inherits us."""
    while not stop.is_set() and os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], _WATCH_SECONDS)
        if readable and not os.read(sys.stdin.fileno(), 1):
            break
    stop.set()
    time.sleep(_HARD_END_SECONDS)
    os._exit(1)


WORKERS: dict[str, Callable[[WorkerSettings, str, threading.Event, Ready], None]] = {
    "auth": serve_auth,
    "accounting": serve_accounting,
}
"""Roles of which there may be several; the last part of the name is the number, from 1 on."""
ROLES: dict[str, Callable[[Settings, threading.Event, Ready], None]] = {
    "sync": serve_sync,
    "radsec": serve_radsec,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
