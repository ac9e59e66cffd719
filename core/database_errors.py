"""What a database's error means to a person: locked, full, gone and the like become `Unavailable` with a reason.

Only what waiting or an operator can mend is translated. A mistake of ours (a wrong statement, a broken constraint) goes
on as it is, so that it cannot hide behind "try again".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.errors import Unavailable
from core.logs import get_logger

log = get_logger("core.database")

_LOCKED = "the database is locked by another writer; nothing was changed, try again"
_FULL = "the database's disk is full; nothing was changed, free some space"
_GONE = "the database cannot be reached; nothing was changed, check that it runs and try again"
_CROWDED = "the database has no connection left; nothing was changed, try again"
_NO_TABLES = "the database has no tables yet; run `catraca migrate`"
_DAMAGED = "the database file is damaged or is not a database; restore a backup"
_SQLITE = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened; check its directory and who may read it",
    sqlite3.SQLITE_READONLY: "the database file may not be written; check who may write it and its directory",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write the database; nothing was changed, check it",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_POSTGRESQL = {
    "40001": _LOCKED,
    "40P01": _LOCKED,  # a deadlock: one of the two was undone
    "55P03": _LOCKED,
    "53100": _FULL,
    "53300": _CROWDED,
    "42P01": _NO_TABLES,
}


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what cannot be helped now into Unavailable; everything else passes."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        reason = _CROWDED if isinstance(error, PoolTimeout) else _reason(error)
        if reason is None:
            raise
        log.warning("database unavailable", reason=reason)
        raise Unavailable(reason) from error


def _reason(error: DBAPIError) -> str | None:
    if isinstance(error.orig, sqlite3.Error):
        if "no such table" in str(error.orig):
            return _NO_TABLES
        return _SQLITE.get(getattr(error.orig, "sqlite_errorcode", -1) & 0xFF)
    known = _POSTGRESQL.get(getattr(error.orig, "sqlstate", None) or "")
    return known or (_GONE if isinstance(error, OperationalError | InterfaceError) else None)
