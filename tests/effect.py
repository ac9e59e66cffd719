"""One job with one effect, for worker processes that tests start and kill.

`python -m tests.effect` runs it in an embedded worker until it is told to stop, `tests.effect_celery` in Celery's own.
The environment says on what (`CATRACA_…`), and in `EFFECT_HANGS` at which moment the first run hangs: `before` or
`after` the commit of its effect.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from sqlalchemy import select

from core.audit import AuditEntry
from core.database import Database
from core.job_queue import Job
from core.jobs import every, handles
from core.outcomes import Applied, Outcome
from core.runtime import Runtime
from core.settings import Settings

ENTITY = "effect"


def effects(database: Database) -> list[str]:
    """The keys whose effect is there, one for each time that it was made."""
    with database.reading() as tx:
        query = select(AuditEntry.entity_id).where(AuditEntry.entity == ENTITY).order_by(AuditEntry.id)
        return list(tx.session.scalars(query))


def hang(moment: str, data_dir: Path) -> None:
    """Tell the test who hangs, and wait for the kill; only once."""
    file = data_dir / "hanging"
    if os.environ.get("EFFECT_HANGS") == moment and not file.exists():
        draft = data_dir / f"hanging.{os.getpid()}"
        draft.write_text(str(os.getpid()))
        draft.replace(file)
        threading.Event().wait()


def make_effect(runtime: Runtime, job: Job) -> Outcome:
    """Idempotent, as a handler has to be: the effect is looked for and made in one transaction."""
    hang("before", runtime.settings.data_dir)
    with runtime.database.transaction() as tx:
        if not tx.session.scalar(
            select(AuditEntry.id).where(AuditEntry.entity == ENTITY, AuditEntry.entity_id == job.key)
        ):
            tx.audit("made", ENTITY, job.key)
    hang("after", runtime.settings.data_dir)
    return Applied(f"by {os.getpid()}")


def ask_for_effect(runtime: Runtime, job: Job) -> Outcome:
    with runtime.database.transaction() as tx:
        tx.enqueue("test.effect", job.key)
    return Applied()


def pulse(runtime: Runtime) -> None:
    """Makes one effect of its own, so that a test sees that schedules run."""
    if "pulse" not in effects(runtime.database):
        with runtime.database.transaction() as tx:
            tx.audit("made", ENTITY, "pulse")


def register() -> None:
    """Only in a process that is there for it: a test's own process keeps its registry clean."""
    handles("test.effect")(make_effect)
    handles("test.chain")(ask_for_effect)
    every(1.0, "test-pulse")(pulse)


def main() -> None:
    from core.worker import Embedded

    register()
    runtime = Runtime.open(Settings())
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_signal: told.set())
    embedded = Embedded(runtime)
    embedded.start()
    told.wait()
    embedded.stop()
    runtime.close()


if __name__ == "__main__":
    main()
