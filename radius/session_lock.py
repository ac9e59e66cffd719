"""Who writes many sessions of a NAS at once waits here for the others that do.

Sessions are locked row by row as they are written, in whatever order suits the database; two transactions that need the
same rows in two orders would each wait for the other. So each takes its NAS first, in order of number; a session has
one NAS for ever. Who changes one session in a transaction need not come here. SQLite has one writer anyway.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text

from core.database import Transaction

_CLASS = 0x5E55
_LOCK = text("SELECT pg_advisory_xact_lock(:space, nas) FROM unnest(CAST(:nas AS integer[])) AS nas")


def lock_sessions_of(tx: Transaction, nas_ids: Iterable[int]) -> None:
    """Until the commit, nobody else writes many sessions of these NAS. Call it before the first session is locked."""
    numbers = sorted({nas_id & 0x7FFFFFFF for nas_id in nas_ids})
    if numbers and tx.session.get_bind().dialect.name == "postgresql":
        tx.session.execute(_LOCK, {"space": _CLASS, "nas": numbers})
