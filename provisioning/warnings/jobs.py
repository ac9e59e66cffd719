"""Warnings whose time is over end, and routers hear of it."""

from __future__ import annotations

from core.jobs import every
from core.runtime import Runtime
from provisioning.warnings.commands import end_of_time

CHUNK = 500


@every(60, "warnings", exclusive=False)
def end_warnings(runtime: Runtime) -> None:
    """A chunk a transaction."""
    while True:
        with runtime.database.transaction() as tx:
            if end_of_time(tx, limit=CHUNK) < CHUNK:
                return
