"""One authentication worker over a store of its own: `python -m bench.serve_catraca DIRECTORY PORT SUBSCRIBERS`.

The worker is the process that `catraca radius` starts, with nothing beside it.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

from bench.records import fill
from core.secrets import open_keyring
from core.settings import Settings
from radius.child_process import ChildProcess

START_SECONDS, STOP_SECONDS = 60.0, 3.0


def main() -> None:
    directory, port, subscribers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    settings = Settings(
        data_dir=directory / "catraca", radius_address="127.0.0.1", radius_auth_port=port, log_level="warning"
    )
    keyring = open_keyring(settings.resolved_key_file)
    if not settings.lmdb_path.exists():
        fill(settings.lmdb_path, keyring, subscribers)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_signal: stop.set())
    worker = ChildProcess("auth-1", "auth")
    worker.start(settings)
    try:
        if worker.hear(START_SECONDS) is None:
            sys.exit("the worker does not come up")
        stop.wait()
    finally:
        worker.terminate()
        worker.end(time.monotonic() + STOP_SECONDS)


if __name__ == "__main__":
    main()
