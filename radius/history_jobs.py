"""What beat does for the address history: archive sessions that are over, purge what is too old."""

from __future__ import annotations

import time
from datetime import timedelta

from core.errors import Unavailable
from core.jobs import every
from core.logs import get_logger
from core.runtime import Runtime
from radius.history_archive import BATCH, archive_batch, prepare
from radius.history_partitions import has_partitions
from radius.history_retention import drop_month, expired_months, kept_from, purge_default, purge_walk

LONGEST_RUN = 300.0
"""Seconds; well inside the lease of a schedule. What is left then is done by the next run."""
log = get_logger("radius.history")


@every(600, "archive-sessions")
def archive_sessions(runtime: Runtime) -> None:
    """Move sessions that ended more than `session_keep_days` ago into the history, batch by batch."""
    keep = timedelta(days=runtime.settings.session_keep_days)
    _make_partitions(runtime)
    deadline, moved, last = time.monotonic() + LONGEST_RUN, 0, BATCH
    while last == BATCH and time.monotonic() < deadline:
        with runtime.database.transaction() as tx:
            last = archive_batch(tx, tx.now - keep)
        moved += last
    if moved:
        log.info("moved sessions into the address history", sessions=moved, finished=last < BATCH)


@every(3600, "purge-address-history")
def purge_address_history(runtime: Runtime) -> None:
    """Let go of everything that is older than `history_keep_days` and under no legal hold."""
    with runtime.database.reading() as tx:
        limit, partitioned = kept_from(tx), has_partitions(tx)
        months = expired_months(tx, limit)
    deadline = time.monotonic() + LONGEST_RUN
    for month in months:
        with runtime.database.transaction() as tx:
            gone = drop_month(tx, month)
        log.info("purged a month of address history", month=gone.what, rows=gone.rows, held=gone.held)
    deleted = _purge_rows(runtime, partitioned, deadline)
    if deleted:
        log.info("purged rows of address history", rows=deleted, ended_before=limit.isoformat())


def _make_partitions(runtime: Runtime) -> None:
    """A partition that cannot be made now can be made later: meanwhile the default one takes what comes."""
    try:
        with runtime.database.transaction() as tx:
            made = prepare(tx, kept_from(tx))
    except Unavailable as error:
        log.warning("partitions of the address history wait", reason=str(error))
        return
    if made:
        log.info("made partitions of the address history", months=[month.partition for month in made])


def _purge_rows(runtime: Runtime, partitioned: bool, deadline: float) -> int:
    deleted, after = 0, 0
    while time.monotonic() < deadline:
        with runtime.database.transaction() as tx:
            if partitioned:
                count = purge_default(tx, kept_from(tx))
                finished = count == 0
            else:
                walk = purge_walk(tx, kept_from(tx), after)
                count, after, finished = (walk.deleted, walk.last, not walk.expired) if walk else (0, after, True)
        deleted += count
        if finished:
            break
    return deleted
