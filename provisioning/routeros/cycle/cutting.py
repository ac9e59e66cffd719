"""Ending the open connections of who has just been restricted: one read of the router's table, and their removal.

It is done for what it brings and proves nothing: whatever goes wrong is told in the log, and the turn stays as it was.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Sequence
from ipaddress import IPv4Network

from core.logs import get_logger
from provisioning.routeros.connection import Connection, RouterError, Trapped
from provisioning.routeros.cycle.open_connections import (
    CONNECTIONS,
    SOURCE,
    batches,
    connections_of,
    halves,
    removal,
)

AT_ONCE = 4
"""Sentences between two looks at the clock; each costs as much of the router's writes per second as it names rows."""
GONE = "no such item"
log = get_logger("provisioning.routeros.cycle.cutting")


def cut(connection: Connection, networks: Collection[IPv4Network], *, router: str, seconds: float) -> None:
    """End what somebody in these networks opened; removing takes at most about `seconds`. Raises nothing."""
    try:
        rows = connection.read(CONNECTIONS, (SOURCE,))
        trouble = _remove(connection, connections_of(rows, networks), time.monotonic() + seconds)
    except RouterError as error:
        trouble = str(error) or type(error).__name__
    if trouble:
        log.warning("connections of restricted subscribers stay open", router=router, reason=trouble)


def _remove(connection: Connection, ids: Sequence[str], until: float) -> str:
    """Gives why some are left, "" where none are."""
    waiting = deque(batches(ids))
    while waiting and time.monotonic() < until:
        sent = [waiting.popleft() for _ in range(min(AT_ONCE, len(waiting)))]
        results = connection.write([removal(batch) for batch in sent])
        for batch, result in zip(sent, results, strict=True):
            if not isinstance(result, Trapped):
                continue
            if GONE not in result.message:
                return f"the router refused: {result.message}"
            waiting.extend(halves(batch))
    return f"no time for {sum(map(len, waiting))} of {len(ids)}" if waiting else ""
