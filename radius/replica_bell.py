"""Wakes the feeder of a host when the feed in the database has changed.

On PostgreSQL every transaction that changes the feed rings (`NOTIFY`) as it commits, and the feeder listens on a
connection of its own, so a change is heard of at once and nobody asks in vain. The bell is only an alarm clock: the
feeder asks by itself now and then, and where it finds changes that no ring told of (a connection pooler between us and
the database swallows them) it goes back to asking often. SQLite has no such thing; there the feeder asks.
"""

from __future__ import annotations

import threading
import time

import psycopg
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from core.logs import get_logger

CHANNEL = "catraca_replica"
SLOW_POLL_SECONDS = 1.0
"""How often the feeder asks although it is listening."""
AGAIN_SECONDS = 5.0
"""Pause before another try to listen, and how long a deaf listener is not trusted."""
_SLICE_SECONDS = 0.2
"""How long a listener may overlook that it should stop."""
_MOST_MISSED = 3
log = get_logger("radius.replica-bell")


def ring(session: Session) -> None:
    """Wake all feeders when this transaction commits."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection().exec_driver_sql(f"NOTIFY {CHANNEL}")


class Bell:
    """What one feeder waits at. One thread's."""

    def __init__(self, engine: Engine) -> None:
        self._address: str | None = None
        if engine.dialect.name == "postgresql":
            address = engine.url.set(drivername="postgresql")
            self._address = address.render_as_string(hide_password=False)
        self._connection: psycopg.Connection | None = None
        self._not_before = 0.0
        self._missed = 0

    @property
    def listening(self) -> bool:
        return self._connection is not None

    def wait(self, stop: threading.Event, poll_seconds: float) -> bool:
        """Return at a ring, at `stop`, or when it is time to ask; says whether it rang.

        Who has just begun to listen is sent to ask once more, because what changed before was not heard.
        """
        if self._connection is None:
            if not self._listen():
                stop.wait(poll_seconds)
            return False
        rang = self._hear(stop, max(poll_seconds, SLOW_POLL_SECONDS))
        if rang:
            self._missed = 0
        return rang

    def missed(self) -> None:
        """There was a change, but no ring told of it. One may be on its way; of several in a row none is."""
        self._missed += 1
        if self._connection is not None and self._missed >= _MOST_MISSED:
            log.warning("the database tells nobody of changes: asking often instead; is there a connection pooler?")
            self.close()

    def close(self) -> None:
        """Listen no more, for a while at least."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._missed = 0
        self._not_before = time.monotonic() + AGAIN_SECONDS

    def _listen(self) -> bool:
        if self._address is None or time.monotonic() < self._not_before:
            return False
        try:
            self._connection = psycopg.connect(self._address, autocommit=True, connect_timeout=3)
            self._connection.execute(f"LISTEN {CHANNEL}")
        except psycopg.Error:
            self.close()
        return self._connection is not None

    def _hear(self, stop: threading.Event, seconds: float) -> bool:
        until = time.monotonic() + seconds
        try:
            while self._connection is not None and not stop.is_set():
                left = until - time.monotonic()
                if left <= 0:
                    return False
                for _ in self._connection.notifies(timeout=min(left, _SLICE_SECONDS), stop_after=1):
                    return True
        except psycopg.Error as error:
            log.info("no longer listening to the database", reason=type(error).__name__)
            self.close()
        return False
