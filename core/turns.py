"""One at a time: transactions that must not run beside each other take turns by name.

On PostgreSQL an advisory lock that ends with the transaction; SQLite has one writer anyway. A turn is taken before any
row is locked.
"""

from __future__ import annotations

from zlib import crc32

from sqlalchemy import func, select

from core.database import Transaction

_SPACE = 0x7475726E
"""Apart from the other advisory locks, which have their own."""


def take_turn(tx: Transaction, name: str) -> None:
    """Wait until no other transaction has the turn of this name; it is ours until the end. Taking it twice is fine."""
    if tx.session.get_bind().dialect.name == "postgresql":
        number = crc32(name.encode()) - 2**31
        tx.session.execute(select(func.pg_advisory_xact_lock(_SPACE, number)))
