"""The NAS table of a worker: what is kept from one change to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from radius.nas_clients import NasClients
from radius.store import RecordStore
from tests.factories_auth import entries, keyring, nas

UNREADABLE = {"not JSON": b"{", "another NAS's": entries(nas(2))[b"n2"]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordStore]:
    opened = RecordStore(tmp_path / "records.lmdb")
    yield opened
    opened.close()


def refresh(clients: NasClients, store: RecordStore, changes: Mapping[bytes, bytes | None]) -> None:
    store.apply(changes, store.revision() + 1)
    with store.snapshot() as records:
        clients.refresh(records)


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_entry_is_told_once_a_value(
    store: RecordStore, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    clients = NasClients(keyring().unseal)
    told = []
    for stored in (value, value, b"[]", entries(nas())[b"n1"], value):
        refresh(clients, store, {b"n1": stored})
        told.append(len(caplog.records))
    assert told == [1, 1, 2, 2, 3]


def test_what_is_known_is_one_dictionary_that_follows_every_change(store: RecordStore) -> None:
    clients = NasClients(keyring().unseal)
    known = clients.known
    refresh(clients, store, entries(nas()))
    assert known == {}
    first = clients.find("192.0.2.1")
    assert known == {"192.0.2.1": first}
    refresh(clients, store, entries(nas(secret=b"another")))
    assert known == {}
    assert clients.find("192.0.2.1") is not first
    refresh(clients, store, {b"n1": None})
    assert clients.find("192.0.2.1") is None
    assert known == {}


def test_the_sources_that_are_known_stay_few_and_are_not_forgotten_for_a_known_one(store: RecordStore) -> None:
    clients = NasClients(keyring().unseal)
    refresh(clients, store, entries(nas(1, "10.0.0.0/8")))
    addresses = [str(IPv4Address("10.0.0.0") + number) for number in range(4_096)]
    for address in (*addresses, *addresses):
        assert clients.find(address) is not None
    assert list(clients.known) == addresses
    assert clients.find("10.99.0.1") is not None
    assert list(clients.known) == ["10.99.0.1"]
