"""The database: SQLite (WAL, synchronous=FULL) or PostgreSQL, and the one kind of transaction that changes it.

A `Transaction` carries everything that a command needs: the session, the instant, who asks. What a command
writes (fact, timeline, audit entry, job rows) is committed together; after the commit the jobs' ids are handed
to `wake`, which is only an alarm clock: losing it loses nothing, the sweep finds the rows.

Rows that many transactions touch are locked last and in one order (jobs by kind and key, then the revision counter of
the RADIUS feed), so that commands cannot deadlock: hence the `at_commit` steps.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, create_engine, event, insert
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from core.actor import SYSTEM, Actor
from core.audit import AuditEntry, presentable
from core.clock import Clock
from core.columns import attach_keyring
from core.database_errors import database_errors
from core.errors import Forbidden
from core.job_queue import Enqueued, flush_jobs
from core.redaction import redact_text
from core.secrets import Keyring
from core.settings import Settings
from core.tables import Base

__all__ = ["Base", "Database", "Transaction"]

SQLITE_BUSY_SECONDS = 10


class Transaction:
    """One unit of work; see the module's head. `now` does not move while it runs."""

    def __init__(self, session: Session, now: datetime, actor: Actor, database: Database) -> None:
        self.session = session
        self.now = now
        self.actor = actor
        self.keyring = database.keyring
        self.settings = database.settings
        self._enqueued: list[Enqueued] = []
        self._last_steps: dict[str, Callable[[Transaction], None]] = {}
        self._finishing = False

    def require(self, permission: str) -> None:
        """Forbidden unless whoever asks has this permission."""
        if not self.actor.may(permission):
            raise Forbidden(permission)

    def audit(
        self,
        action: str,
        entity: str,
        entity_id: object,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
        note: str = "",
    ) -> None:
        """Write one line of the audit trail; values of secrets never reach it."""
        self.session.add(
            AuditEntry(
                at=self.now,
                actor=self.actor.name,
                source=self.actor.source,
                request_id=self.actor.request_id,
                action=action,
                entity=entity,
                entity_id=str(entity_id),
                before=presentable(before),
                after=presentable(after),
                note=redact_text(note),
            )
        )

    def audit_each(self, action: str, entity: str, afters: Mapping[int, Mapping[str, object]]) -> None:
        """One line of the audit trail for each thing (by id) that a mass change made; in one statement."""
        same = {
            "at": self.now,
            "actor": self.actor.name,
            "source": self.actor.source,
            "request_id": self.actor.request_id,
            "action": action,
            "entity": entity,
            "before": None,
            "note": "",
        }
        rows = [{**same, "entity_id": str(key), "after": presentable(after)} for key, after in afters.items()]
        if rows:
            self.session.execute(insert(AuditEntry), rows)

    def enqueue(
        self,
        kind: str,
        key: str = "",
        *,
        due_at: datetime | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """Put a job into the outbox; one that waits already for the same kind and key absorbs it."""
        self._must_be_open("a job")
        self._enqueued.append(Enqueued(kind, key, due_at or self.now, dict(payload or {})))

    def at_commit(self, name: str, step: Callable[[Transaction], None]) -> None:
        """Run `step` once, after all else and before the commit; a second step of that name replaces it."""
        self._must_be_open(f"the step {name!r}")
        self._last_steps[name] = step

    def _must_be_open(self, what: str) -> None:
        if self._finishing:
            raise RuntimeError(f"{what} came after the transaction began to finish; it would be lost")

    def finish(self) -> list[int]:
        """Flush what was put off, in the fixed order; gives the ids of jobs that are due now."""
        self.session.flush()
        self._finishing = True
        due = flush_jobs(self.session, self._enqueued, self.now)
        for name in sorted(self._last_steps):
            self._last_steps[name](self)
        self.session.flush()
        return due


class Database:
    """One engine with its keys and its clock. Threads may share it; processes may not."""

    def __init__(self, url: str, keyring: Keyring, clock: Clock, settings: Settings | None = None) -> None:
        self.keyring = keyring
        self.clock = clock
        self.settings = settings or Settings()
        self.engine = _engine(url)
        self.wake: Callable[[list[int]], None] = lambda _ids: None
        attach_keyring(self.engine.dialect, keyring)
        self._writer = self.engine.execution_options(catraca_write=True)

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @contextmanager
    def transaction(self, actor: Actor = SYSTEM) -> Iterator[Transaction]:
        """A transaction that commits at the end of the block. Unavailable when the database cannot take it."""
        with database_errors(), Session(self._writer, expire_on_commit=False) as session:
            tx = Transaction(session, self.clock(), actor, self)
            yield tx
            due = tx.finish()
            session.commit()
        if due:
            self.wake(due)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that is rolled back at the end: for looking only."""
        with database_errors(), Session(self.engine) as session:  # its end rolls back and leaves the rows readable
            yield Transaction(session, self.clock(), SYSTEM, self)

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(
            url, pool_size=10, max_overflow=20, pool_pre_ping=True, pool_recycle=1800,
            connect_args={"connect_timeout": 3}, hide_parameters=True,
        )  # fmt: skip
    engine = create_engine(
        url, connect_args={"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False}, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not open transactions on its own
    _use_wal(connection)
    for pragma in (
        "synchronous=FULL",  # in WAL, NORMAL may lose the last commits at a power cut
        "foreign_keys=ON",
        f"busy_timeout={SQLITE_BUSY_SECONDS * 1000}",
        "cache_size=-65536",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Of several that open a new file at once, one changes its mode; SQLite does not let the others wait by itself."""
    deadline = time.monotonic() + SQLITE_BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Any) -> None:
    # A reader that later writes would fail with "locked" at once: writers say so from the start.
    write = connection.get_execution_options().get("catraca_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
