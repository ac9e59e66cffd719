"""The subscribers that every RADIUS benchmark asks for: user000001 … with pass000001 …, ten plans, a fifth with fixed
addresses; the same that `freeradius-populate.sql` gives the peer."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, ip_network
from pathlib import Path

from core.secrets import Keyring
from radius.nas_records import NasEntry, pack_nas
from radius.policy import Grant, Policy, Span
from radius.records import AccessRecord, pack
from radius.store import RecordStore

SECRET = "testing123"
BATCH = 5_000


def fill(path: Path, keyring: Keyring, subscribers: int) -> None:
    """Write the access records and one NAS, 127.0.0.1, into the store at `path`."""
    store = RecordStore(path)
    revision = 1
    entries: dict[bytes, bytes | None] = dict(loopback_nas(keyring))
    for record in access_records(subscribers):
        entries.update(pack(record, keyring.seal))
        if len(entries) >= BATCH:
            store.apply(entries, revision)
            entries, revision = {}, revision + 1
    store.apply(entries, revision)
    store.close()


def access_records(subscribers: int) -> Iterator[AccessRecord]:
    """One record a subscriber."""
    policies = [Policy(rate, rate, pool=f"pool{number}") for number, rate in enumerate(range(10**7, 11 * 10**7, 10**7))]
    for number in range(1, subscribers + 1):
        address = IPv4Address(0x0A000000 + number) if number % 5 == 0 else None
        span = Span(None, None, Grant(policies[number % 10], address))
        yield AccessRecord(number, f"user{number:06d}", f"pass{number:06d}".encode(), None, (span,))


def loopback_nas(keyring: Keyring) -> dict[bytes, bytes]:
    """The replica entry of the NAS that the load generator is."""
    entry = NasEntry(
        1, "bench", ip_network("127.0.0.1/32"), "mikrotik", SECRET.encode(), require_message_authenticator=False
    )
    return pack_nas(entry, keyring.seal)
