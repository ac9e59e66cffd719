"""The NAS table of a worker, kept equal to the records as they change."""

from __future__ import annotations

from core.logs import get_logger
from radius.nas_records import PREFIX, UnreadableNas, unpack_nas
from radius.nas_table import NasClient, NasTable
from radius.records import Unseal
from radius.store import Snapshot

log = get_logger("radius.nas_clients")

_REMEMBERED = 4_096


class NasClients:
    """Who may speak to us, by source address as a socket spells it. One thread's."""

    def __init__(self, unseal: Unseal) -> None:
        self._unseal = unseal
        self._generation = -1
        self._entries: dict[bytes, tuple[bytes, NasClient]] = {}
        self._table = NasTable()
        self._by_source: dict[str, NasClient] = {}

    def refresh(self, records: Snapshot) -> None:
        """Take over what has changed since the last call; an entry that cannot be read is left out, and said so."""
        generation = records.generation()
        if generation == self._generation:
            return
        stored = dict(records.scan(PREFIX))
        if {key: value for key, (value, _) in self._entries.items()} != stored:
            self._entries = {
                key: (value, client)
                for key, value in stored.items()
                if (client := self._client(key, value)) is not None
            }
            self._table = NasTable(client for _, client in self._entries.values())
            self._by_source = {}
        self._generation = generation

    def find(self, address: str) -> NasClient | None:
        """The NAS that sends from this address, or None."""
        client = self._by_source.get(address) or self._table.find(address)
        if client is not None:
            if len(self._by_source) >= _REMEMBERED:
                self._by_source.clear()
            self._by_source[address] = client
        return client

    def _client(self, key: bytes, value: bytes) -> NasClient | None:
        known = self._entries.get(key)
        if known is not None and known[0] == value:
            return known[1]
        try:
            return NasClient(unpack_nas(key, value, self._unseal))
        except (UnreadableNas, KeyError) as error:
            log.error("a NAS entry is left out", key=key.decode(errors="replace"), reason=str(error))
            return None
