"""The NAS table of a worker, kept equal to the records as they change."""

from __future__ import annotations

import logging

from radius.nas_records import PREFIX, UnreadableNas, nas_key, unpack_nas
from radius.nas_table import NasClient, NasTable
from radius.records import Unseal
from radius.store import Snapshot

_log = logging.getLogger(__name__)

_REMEMBERED = 4_096


class NasClients:
    """Who may speak to us, by source address as a socket spells it. One thread's.

    `known` holds the sources found so far. It is one dictionary for life, so that a hot path may keep it and ask
    `find` only about addresses that are not in it.
    """

    def __init__(self, unseal: Unseal) -> None:
        self.known: dict[str, NasClient] = {}
        self._unseal = unseal
        self._generation = -1
        self._entries: dict[bytes, tuple[bytes, NasClient | None]] = {}
        """Key → what is stored, and the client made of it; None when that cannot be read."""
        self._readable: dict[bytes, bytes] = {}
        """What the table was made of."""
        self._table = NasTable()

    @property
    def table(self) -> NasTable:
        """All of them; another object after each change."""
        return self._table

    def refresh(self, records: Snapshot) -> None:
        """Take over what has changed since the last call.

        An entry that cannot be read is left out, and said so once. It is tried again with every change, since the
        key that it is sealed with may arrive later.
        """
        generation = records.generation()
        if generation == self._generation:
            return
        stored = dict(records.scan(PREFIX))
        if stored != self._readable:
            self._entries = {key: (value, self._client(key, value)) for key, value in stored.items()}
            self._readable = {key: value for key, (value, client) in self._entries.items() if client is not None}
            self._table = NasTable(client for _, client in self._entries.values() if client is not None)
            self.known.clear()
        self._generation = generation

    def find(self, address: str) -> NasClient | None:
        """The NAS that sends from this address, or None."""
        known = self.known.get(address)
        if known is not None:
            return known
        client = self._table.find(address)
        if client is not None:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[address] = client
        return client

    def name_of(self, nas_id: int) -> str:
        """The NAS as people call it; its number when it is not (or no longer) known here."""
        _, client = self._entries.get(nas_key(nas_id), (b"", None))
        return str(nas_id) if client is None else client.entry.name

    def _client(self, key: bytes, value: bytes) -> NasClient | None:
        before, client = self._entries.get(key, (None, None))
        if client is not None and value == before:
            return client
        try:
            return NasClient(unpack_nas(key, value, self._unseal))
        except (UnreadableNas, KeyError) as error:
            if value != before:
                _log.error("NAS entry %s is left out: %s", key.decode(errors="replace"), error)
            return None
