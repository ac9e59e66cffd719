"""At most one of us talks to a router: its lease, which everybody who connects to it holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from core.database import Database
from core.errors import Unavailable
from core.leases import KeptLease, keep_lease

LEASE = timedelta(seconds=120)
PATIENCE_SECONDS, PAUSE_SECONDS = 10.0, 0.05


@contextmanager
def alone_with(database: Database, router_id: int, *, patience: float = 0.0) -> Iterator[KeptLease | None]:
    """The router's lease for the block, waited for `patience` seconds; yields None while somebody else has it."""
    until = time.monotonic() + patience
    while True:
        with keep_lease(database, f"router:{router_id}", LEASE) as lease:
            if lease or time.monotonic() >= until:
                yield lease
                return
        time.sleep(PAUSE_SECONDS)


@contextmanager
def waited_for(database: Database, router_id: int, name: str) -> Iterator[None]:
    """The router's lease for what a person asks, who waits for a cycle that goes on; Unavailable when it takes long."""
    with alone_with(database, router_id, patience=PATIENCE_SECONDS) as lease:
        if not lease:
            raise Unavailable(f"router {name} is being worked at; try again in a moment")
        yield
