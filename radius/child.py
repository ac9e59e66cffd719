"""What runs inside a RADIUS child process: `python -m radius.child ROLE`, started by `radius.processes`.

The parent talks to a child over two pipes. Standard input brings the settings, one line of JSON, and then nothing;
when it ends, the parent is gone, and so is the child soon after. The child's answer goes to the file descriptor named
on the command line: one line of JSON, `{"ready": …}` once it serves or `{"error": …}` when it cannot.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from core.clock import clock_from
from core.errors import CatracaError
from core.logs import configure_logs, get_logger
from core.secrets import open_keyring
from core.settings import Settings
from radius.acct_worker import run_acct_worker
from radius.auth_worker import run_auth_worker
from radius.store import StoreUnavailable

Ready = Callable[..., None]
_HARD_END_SECONDS = 2.5
_WATCH_SECONDS = 1.0
log = get_logger("radius.child")


def main(role: str, answer_to: int) -> int:
    """Serve until the parent says stop (SIGTERM) or is gone; the process's exit status."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C goes to the parent too, which stops us in order
    parent = os.getppid()
    settings = Settings(**json.loads(sys.stdin.buffer.readline()))
    configure_logs(settings.log_level, settings.log_format)
    threading.Thread(target=_watch_parent, args=(parent, stop), name="parent-watch", daemon=True).start()

    def ready(**facts: object) -> None:
        _answer(answer_to, {"ready": facts})

    try:
        ROLES[role](settings, stop, ready)
    except (OSError, CatracaError, StoreUnavailable) as error:
        _answer(answer_to, {"error": str(error)})
        log.error("a RADIUS process ends", role=role, reason=str(error))
        return 1
    except Exception as error:
        _answer(answer_to, {"error": f"{type(error).__name__}, see the log"})
        log.exception("a RADIUS process ends", role=role)
        return 1
    return 0


def serve_auth(settings: Settings, stop: threading.Event, ready: Ready) -> None:
    run_auth_worker(
        settings.radius_address,
        settings.radius_auth_port,
        settings.lmdb_path,
        open_keyring(settings.resolved_key_file),
        clock_from(settings.rehearsal_clock),
        stop.is_set,
        reject_delay_seconds=settings.reject_delay_seconds,
        duplicate_cache_seconds=settings.duplicate_cache_seconds,
        ready=lambda bound: ready(address=bound[0], port=bound[1]),
    )


def serve_accounting(settings: Settings, stop: threading.Event, ready: Ready) -> None:
    run_acct_worker(
        settings.radius_address,
        settings.radius_acct_port,
        settings.lmdb_path,
        settings.spool_dir,
        open_keyring(settings.resolved_key_file),
        clock_from(settings.rehearsal_clock),
        stop.is_set,
        duplicate_cache_seconds=settings.duplicate_cache_seconds,
        ready=lambda bound: ready(address=bound[0], port=bound[1]),
    )


def serve_sync(settings: Settings, stop: threading.Event, ready: Ready) -> None:
    from radius.sync import run_sync  # here, because only this process should have to carry SQLAlchemy

    run_sync(settings, stop, lambda made_anew: ready(made_anew=made_anew))


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


ROLES: dict[str, Callable[[Settings, threading.Event, Ready], None]] = {
    "auth": serve_auth,
    "accounting": serve_accounting,
    "sync": serve_sync,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
