"""Takes out of the feed what every RADIUS host has forgotten.

A key that is deleted stays as a row without a value, so that every host hears of it. Once all hosts have, the row has
done its work. A host that was away for longer than `KEPT` is not waited for: it finds that the feed was purged beyond
its own revision, and fills its store again (`radius.feeder`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update

from core.clock import system_clock
from core.database import Transaction
from core.jobs import every
from core.logs import get_logger
from core.runtime import Runtime
from radius.models import ReplicaCounter, ReplicaEntry, ReplicaHost

KEPT = timedelta(days=30)
log = get_logger("radius.replica-purge")


def purge_forgotten(tx: Transaction, now: datetime) -> int:
    """Delete rows of keys that every host seen since `now` less `KEPT` has forgotten; `now` is the machine's time."""
    reached = select(func.min(ReplicaHost.applied_revision)).where(ReplicaHost.seen_at > now - KEPT)
    limit = tx.session.scalar(reached)
    if not limit:
        return 0
    known = update(ReplicaCounter).where(ReplicaCounter.purged_revision < limit).values(purged_revision=limit)
    tx.session.execute(known, execution_options={"synchronize_session": False})
    forgotten = delete(ReplicaEntry).where(ReplicaEntry.value.is_(None), ReplicaEntry.revision <= limit)
    gone = tx.session.execute(
        forgotten.returning(ReplicaEntry.revision), execution_options={"synchronize_session": False}
    )
    return len(gone.all())


@every(86_400, "purge-forgotten-replica-keys")
def purge_forgotten_replica_keys(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        gone = purge_forgotten(tx, system_clock())
    if gone:
        log.info("purged keys that every RADIUS host has forgotten", keys=gone)
