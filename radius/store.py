"""The access records of one RADIUS host: an LMDB file that one feeder writes and every worker maps.

Readers never wait for the writer and the writer never for readers; a record costs under a microsecond, and all
workers share the pages. The file is a replica: it may be deleted while the host is stopped and is filled again by
revision. What matters is that it survives restarts and database outages, so that authentication goes on from it alone.

LMDB wants a file opened once in a process, so stores of one path share their environment. An environment does not
survive `fork`: start worker processes with `spawn`, or before the first store is opened.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import lmdb

MAP_SIZE = 4 << 30
"""Address space, not memory and not disk: about ten million records. The same for every process."""
_MAX_READERS = 256
_REVISION = b"\0revision"


class StoreUnavailable(Exception):
    """The file cannot be opened, read or written (missing directory, full disk, damage)."""


_environments: dict[str, tuple[Any, int]] = {}
_opening = threading.Lock()
"""Threads may open stores of one path at the same time."""


class RecordStore:
    """One open replica file. `apply` is the feeder's, `snapshot` and `get` are the workers'."""

    def __init__(self, path: Path, map_size: int = MAP_SIZE) -> None:
        """Open the file, creating it and its directory; StoreUnavailable when that fails."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._name = str(path.resolve())
            with _opening:
                self._environment, users = _environments.get(self._name, (None, 0))
                if self._environment is None:
                    self._environment = lmdb.open(
                        self._name, subdir=False, map_size=map_size, max_readers=_MAX_READERS, mode=0o600
                    )
                    self._environment.reader_check()
                _environments[self._name] = (self._environment, users + 1)
        except (lmdb.Error, OSError) as error:
            raise StoreUnavailable(f"access records in {path}: {error}") from error

    def close(self) -> None:
        """Give the environment back; the last user of a path closes it. Safe to call twice."""
        if self._environment is None:
            return
        with _opening:
            environment, users = _environments.pop(self._name)
            if users > 1:
                _environments[self._name] = (environment, users - 1)
            else:
                environment.close()
        self._environment = None

    def apply(self, entries: Mapping[bytes, bytes | None], revision: int, *, replace: bool = False) -> None:
        """Write entries (None deletes) and the revision that they lead to, all or nothing, durably.

        `replace` empties the store first, for a replica that is filled anew.
        """
        try:
            with self._environment.begin(write=True) as transaction:
                if replace:
                    transaction.drop(self._environment.open_db(txn=transaction), delete=False)
                for key, value in entries.items():
                    if value is None:
                        transaction.delete(key)
                    else:
                        transaction.put(key, value)
                transaction.put(_REVISION, revision.to_bytes(8))
        except lmdb.Error as error:
            raise StoreUnavailable(f"writing access records: {error}") from error

    def snapshot(self) -> Snapshot:
        """A consistent view, 0.2 µs to take. Close it before waiting: an open one keeps old pages alive."""
        try:
            return Snapshot(self._environment.begin())
        except lmdb.Error as error:
            raise StoreUnavailable(f"reading access records: {error}") from error

    def get(self, key: bytes) -> bytes | None:
        """The present value of one key, for whoever needs just that."""
        with self.snapshot() as snapshot:
            return snapshot.get(key)

    def revision(self) -> int:
        """The revision that the store is at; 0 for an empty one."""
        with self.snapshot() as snapshot:
            return snapshot.revision()


class Snapshot:
    """The records at one instant."""

    __slots__ = ("_transaction", "get")

    get: Callable[[bytes], bytes | None]
    """The value of a key."""

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction
        self.get = transaction.get

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transaction.abort()

    def generation(self) -> int:
        """A number that changes with every write, cheaper to read than the revision."""
        return int(self._transaction.id())

    def revision(self) -> int:
        return int.from_bytes(self.get(_REVISION) or b"")

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All entries whose key begins with `prefix`, in order of key."""
        with self._transaction.cursor() as cursor:
            if cursor.set_range(prefix):
                for key, value in cursor:
                    if not key.startswith(prefix):
                        return
                    yield key, value
