"""New keys for secrets at rest: make one, encrypt everything with it, later forget the old ones.

Each step may be interrupted at any place and run again. A new key goes to the front of the key file, and every
process encrypts with it from then on (`core.secrets.Keyring` follows its file). Every `SecretText` column of every
table is read in batches, and what an older key made is encrypted anew; the update repeats the old ciphertext as its
condition, so a value that somebody changes meanwhile stays theirs. What RADIUS hosts hold sealed is published anew.
What is under the newest key already is left alone: that is how an interrupted rotation goes on where it was.

Old keys are dropped by a second call, minutes later, because a transaction that began before the new key could still
write under an old one; and only when nothing is left under them, neither here nor on a RADIUS host that is up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Row, String, Table, literal, select, tuple_, type_coerce, update
from sqlalchemy.engine import CursorResult

from api import assembly
from core.clock import system_clock
from core.columns import SecretText
from core.database import Database
from core.errors import NotAllowed, Unavailable
from core.outcomes import Retry
from core.runtime import Runtime
from core.secrets import KeyMissing, Keyring, add_key, drop_old_keys
from core.tables import Base
from provisioning.jobs import refresh_all
from radius import replica
from radius.models import ReplicaEntry
from radius.nas import publish_all
from radius.nas_records import UnreadableNas, unpack_nas
from radius.records import password_of

BATCH = 500
SETTLING = timedelta(minutes=2)
"""How long a transaction that began under the old key may still take to commit."""
HOSTS_WAIT = timedelta(seconds=10)


@dataclass(frozen=True)
class Report:
    """What a rotation did."""

    key_added: bool
    secrets: int
    nas: int
    records: int
    keys_dropped: int

    def lines(self) -> list[str]:
        lines = ["a new key was made; it encrypts from now on"] if self.key_added else []
        lines.append(f"{self.secrets} stored secrets encrypted with the newest key")
        lines.append(f"{self.nas} NAS and {self.records} access records published anew")
        if self.keys_dropped:
            lines.append(f"{self.keys_dropped} old keys dropped")
        return lines


def rotate(runtime: Runtime, *, new_key: bool = True) -> Report:
    """Make a new key (or go on with the newest) and encrypt everything with it."""
    assembly.load()
    path = runtime.settings.resolved_key_file
    if new_key:
        add_key(path)
    count_nas, records = _publish(runtime)
    changed = encrypt_anew(runtime.database, newest_of(path))
    return Report(new_key, changed, count_nas, records, 0)


def drop_old(runtime: Runtime) -> Report:
    """Finish a rotation and forget every key but the newest. NotAllowed or Unavailable while that could lose one."""
    path = runtime.settings.resolved_key_file
    age = system_clock() - datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if age < SETTLING:
        wait = int((SETTLING - age).total_seconds()) + 1
        raise NotAllowed(f"the newest key is too young: what began before it may not be over; wait {wait} seconds")
    done = rotate(runtime, new_key=False)
    _refuse_leftovers(runtime, newest_of(path))
    keys = len(_lines(path))
    drop_old_keys(path)
    return Report(False, done.secrets, done.nas, done.records, keys - 1)


def recompile(runtime: Runtime) -> int:
    """Write every access record anew from the facts; gives how many."""
    assembly.load()
    with runtime.database.transaction() as tx:
        publish_all(tx)
    return refresh_all(runtime, republish=True)


def newest_of(path: Path) -> Keyring:
    """A keyring of the newest key alone: what it opens needs no work."""
    return Keyring(_lines(path)[:1])


def encrypt_anew(database: Database, newest: Keyring) -> int:
    """Encrypt with the newest key what an older one made; gives how many values."""
    return sum(_encrypt_batch(database, table, batch, newest) for table, batch in _batches(database))


def secret_columns() -> dict[Table, list[Column[Any]]]:
    """Every table with secrets, and which columns they are."""
    found = {
        table: [column for column in table.columns if isinstance(column.type, SecretText)]
        for table in Base.metadata.sorted_tables
    }
    return {table: columns for table, columns in found.items() if columns}


def _batches(database: Database) -> Iterator[tuple[Table, Sequence[Row[Any]]]]:
    """Rows of (primary key…, ciphertexts…), in order of their key."""
    for table, columns in secret_columns().items():
        key = list(table.primary_key.columns)
        raw = [type_coerce(column, String).label(f"raw_{column.name}") for column in columns]
        wanted = select(*key, *raw).order_by(*key).limit(BATCH)
        place: tuple[Any, ...] | None = None
        while True:
            query = wanted if place is None else wanted.where(tuple_(*key) > tuple_(*map(literal, place)))
            with database.reading() as tx:
                rows = tx.session.execute(query).all()
            if not rows:
                break
            place = tuple(rows[-1][: len(key)])
            yield table, rows


def _encrypt_batch(database: Database, table: Table, rows: Sequence[Row[Any]], newest: Keyring) -> int:
    columns, key = secret_columns()[table], list(table.primary_key.columns)
    stale = [
        (row[: len(key)], column, old)
        for row in rows
        for column, old in zip(columns, row[len(key) :], strict=True)
        if old is not None and not _opens(newest, old)
    ]
    if not stale:
        return 0
    changed = 0
    with database.transaction() as tx:
        for place, column, old in stale:
            new = tx.keyring.rotate(old.encode("ascii")).decode("ascii")
            same = [part == value for part, value in zip(key, place, strict=True)]
            statement = update(table).where(*same, type_coerce(column, String) == old)
            result = tx.session.execute(statement.values({column.name: type_coerce(literal(new), String)}))
            changed += result.rowcount if isinstance(result, CursorResult) else 0
    return changed


def _opens(keyring: Keyring, token: str) -> bool:
    try:
        keyring.decrypt(token.encode("ascii"))
    except KeyMissing:
        return False
    return True


def _publish(runtime: Runtime) -> tuple[int, int]:
    with runtime.database.transaction() as tx:
        count_nas = publish_all(tx)
    return count_nas, refresh_all(runtime, republish=True)


def _refuse_leftovers(runtime: Runtime, newest: Keyring) -> None:
    left = sum(
        not _opens(newest, old)
        for table, rows in _batches(runtime.database)
        for row in rows
        for old in row[len(table.primary_key.columns) :]
        if old is not None
    )
    sealed = _sealed_with_old(runtime.database, newest)
    if left or sealed:
        raise NotAllowed(
            f"{left} stored secrets and {sealed} published records are still under old keys; run the rotation again"
        )
    with runtime.database.reading() as tx:
        revision = replica.current_revision(tx)
    match replica.wait_until_replicated(runtime.database, revision, HOSTS_WAIT):
        case Retry(reason=reason):
            raise Unavailable(reason)


def _sealed_with_old(database: Database, newest: Keyring) -> int:
    """How many entries of the RADIUS feed need an old key."""
    with database.reading() as tx:
        entries = select(ReplicaEntry.key, ReplicaEntry.value).where(ReplicaEntry.value.is_not(None))
        rows = tx.session.execute(entries.execution_options(yield_per=2_000))
        return sum(not _unseals(newest, key, value) for key, value in rows if value is not None)


def _unseals(keyring: Keyring, key: bytes, value: bytes) -> bool:
    try:
        if key[:1] == b"u":
            password_of(key, value, keyring.unseal)
        elif key[:1] == b"n":
            unpack_nas(key, value, keyring.unseal)
    except (KeyMissing, UnreadableNas):
        return False
    return True


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text("ascii").splitlines() if line.strip()]
