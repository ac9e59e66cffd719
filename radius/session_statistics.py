"""PostgreSQL's idea of how large `session` is, kept from being absurd.

Autovacuum refreshes it within a minute or two. But a hundred thousand sessions may open in one, into a table that was
empty when its statistics were last taken, and until then every query of a batch would read all of them. So whoever
fills the table looks now and then, and takes the statistics when the table has grown several times over.
"""

from __future__ import annotations

from sqlalchemy import text

from core.database import Database

LOOK_EVERY = 5_000
"""Records folded between two looks."""
_GROWTH = 4
_PAGES = 64
_HAS_GROWN = text(
    "SELECT pg_relation_size(oid) / 8192 > :growth * greatest(relpages, :pages) FROM pg_class "
    "WHERE oid = 'session'::regclass"
)


def refresh_statistics(database: Database) -> bool:
    """Take the statistics anew if the table has outgrown them; says whether it has."""
    if database.dialect != "postgresql":
        return False
    with database.reading() as tx:
        grown = bool(tx.session.scalar(_HAS_GROWN, {"growth": _GROWTH, "pages": _PAGES}))
    if grown:
        with database.transaction() as tx:
            tx.session.execute(text("ANALYZE session"))  # only warns those who may not
    return grown
