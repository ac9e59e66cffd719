"""One authentication worker over a store of its own: `python -m bench.serve_catraca DIRECTORY PORT SUBSCRIBERS`."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from bench.records import fill
from core.clock import system_clock
from core.secrets import open_keyring
from radius.auth_worker import run_auth_worker


def main() -> None:
    directory, port, subscribers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    keyring = open_keyring(directory / "keys")
    store = directory / "records.lmdb"
    if not store.exists():
        fill(store, keyring, subscribers)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_signal: stop.set())
    run_auth_worker("127.0.0.1", port, store, keyring, system_clock, stop.is_set)


if __name__ == "__main__":
    main()
