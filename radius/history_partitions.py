"""The monthly partitions of the address history on PostgreSQL; SQLite has one table and none of this.

They are made ahead. What comes for a month that has none lands in `address_history_default`, so nothing is ever
refused; when the month gets its partition, those rows move there. A partition is attached rather than created in
place, and no statement here waits long for a lock, so that look-ups and the drainer are not held up behind it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text

from core.database import Transaction
from radius.history_months import Month

DEFAULT = "address_history_default"
_PATIENCE = "2s"
"""How long a change of partitions waits for a lock; everybody who asks for the table meanwhile waits behind it."""


def has_partitions(tx: Transaction) -> bool:
    return tx.session.get_bind().dialect.name == "postgresql"


def months_kept(tx: Transaction) -> list[Month]:
    """The months that have a partition, oldest first."""
    children = text(
        "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid"
        " WHERE inhparent = 'address_history'::regclass"
    )
    return sorted(month for name in tx.session.scalars(children) if (month := Month.named(name)) is not None)


def make_partitions(tx: Transaction, months: Iterable[Month]) -> list[Month]:
    """Give each of these months its partition; tells which ones it made. Unavailable when somebody is in the way."""
    if not has_partitions(tx):
        return []
    missing = sorted(set(months) - set(months_kept(tx)))
    for month in missing:
        _make(tx, month)
    return missing


def be_patient_no_longer(tx: Transaction) -> None:
    """To the end of the transaction, give up (Unavailable) where a lock is not to be had soon."""
    tx.session.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))


def _make(tx: Transaction, month: Month) -> None:
    since, until = f"'{month.since.isoformat()}'", f"'{month.until.isoformat()}'"
    moved = f"DELETE FROM {DEFAULT} WHERE until >= {since} AND until < {until} RETURNING *"
    be_patient_no_longer(tx)
    for statement in (
        f"CREATE TABLE {month.partition} (LIKE address_history INCLUDING DEFAULTS INCLUDING INDEXES)",
        f"LOCK TABLE {DEFAULT} IN SHARE ROW EXCLUSIVE MODE",  # what comes now waits, else it would miss its month
        f"WITH moved AS ({moved}) INSERT INTO {month.partition} SELECT * FROM moved",
        f"ALTER TABLE address_history ATTACH PARTITION {month.partition} FOR VALUES FROM ({since}) TO ({until})",
    ):
        tx.session.execute(text(statement.replace(":", "\\:")))
