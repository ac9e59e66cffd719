"""The sync process: feeder, drainers and what reports on them, a thread each; the one RADIUS process that knows SQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from core.errors import Unavailable
from core.logs import get_logger
from core.runtime import Runtime
from core.settings import Settings
from core.wake_socket import wake_from_beside
from radius.drainers import Drainers
from radius.feeder import Feeder
from radius.names import host_name
from radius.sync_report import watchers

DRAIN_POLL_SECONDS = 0.1
log = get_logger("radius.sync")


def run_sync(settings: Settings, stop: threading.Event, ready: Callable[[bool], None]) -> None:
    """Feed and drain until `stop`; a thread that dies stops the other, so that the process can be started again.

    `ready` is called once the first records are here, with whether the store had to be made. Unavailable when there
    are none and the database cannot give any.
    """
    runtime = Runtime.open(settings)
    runtime.database.wake = wake_from_beside(runtime)
    feeder = Feeder(runtime.database, settings.lmdb_path, host_name(settings.data_dir))
    try:
        _first_load(feeder)
        ready(feeder.made_anew)
        drainers = Drainers(runtime.database, settings.spool_dir)
        threads = [
            _thread("feeder", stop, lambda: feeder.run(stop, settings.radius_poll_seconds)),
            _thread("drainer", stop, lambda: drainers.run(stop, DRAIN_POLL_SECONDS)),
        ]
        for name, watch in watchers(runtime.database, settings, drainers.counters).items():
            threads.append(_thread(name, stop, partial(watch, stop)))
        for thread in threads:
            thread.join()
        feeder.close(leave=True)
    finally:
        runtime.close()


def _first_load(feeder: Feeder) -> None:
    """Fill the store. A database that is away stops nobody who has records already."""
    try:
        feeder.step()
    except Unavailable as error:
        if not feeder.revision:
            raise Unavailable(f"there are no access records here yet, and {error.detail}") from error
        log.warning("serving the access records of the last run", reason=error.detail)


def _thread(name: str, stop: threading.Event, work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        except Exception as error:
            log.exception("a thread died", thread=name, reason=str(error))
        finally:
            stop.set()

    thread = threading.Thread(target=run, name=name)
    thread.start()
    return thread
