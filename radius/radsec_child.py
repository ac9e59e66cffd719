"""The role "radsec" of a RADIUS child process (`radius.child`): authentication and accounting over TLS on one port."""

from __future__ import annotations

import threading
from collections.abc import Callable

from core.clock import clock_from
from core.secrets import open_keyring
from core.settings import Settings
from radius.radsec_service import RadsecService
from radius.radsec_tls import TlsFiles
from radius.radsec_worker import NAME, run_radsec_worker
from radius.reject_events import telling


def run_radsec(settings: Settings, stop: threading.Event, ready: Callable[..., None]) -> None:
    clock = clock_from(settings.rehearsal_clock)
    note, report = telling(settings.data_dir / "radius", NAME, clock)
    service = RadsecService(
        open_keyring(settings.resolved_key_file).unseal,
        reject_delay_seconds=settings.reject_delay_seconds,
        duplicate_cache_seconds=settings.duplicate_cache_seconds,
        note=note,
    )
    run_radsec_worker(
        settings.radsec_address or settings.radius_address,
        settings.radsec_port,
        TlsFiles.of(settings),
        settings.lmdb_path,
        settings.radsec_spool_dir,
        service,
        clock,
        stop.is_set,
        idle_seconds=settings.radsec_idle_seconds,
        ready=lambda bound: ready(address=bound[0], port=bound[1]),
        report=report,
    )
