"""NAS entries between installations of different age."""

from __future__ import annotations

import json
from typing import Any

from radius.nas_records import NasEntry, pack_nas, unpack_nas
from tests.factories_auth import keyring, nas

RING = keyring()
FIRST_FIELDS = {
    "id",
    "name",
    "network",
    "vendor",
    "secret",
    "require_message_authenticator",
    "mac_auth",
    "coa_port",
    "enabled",
}
TLS: dict[str, Any] = {"radsec_identity": "bras-1.example", "coa_transport": "radsec", "radsec_port": 3799}


def packed(entry: NasEntry) -> tuple[bytes, bytes]:
    ((key, value),) = pack_nas(entry, RING.seal).items()
    return key, value


def test_an_entry_with_tls_comes_back_as_it_was() -> None:
    entry = nas(**TLS)
    assert unpack_nas(*packed(entry), RING.unseal) == entry
    assert json.loads(packed(entry)[1]).keys() == FIRST_FIELDS | TLS.keys()


def test_an_entry_without_tls_is_what_a_host_of_the_first_version_reads() -> None:
    assert json.loads(packed(nas())[1]).keys() == FIRST_FIELDS


def test_an_entry_of_the_first_version_is_read_with_the_defaults() -> None:
    entry = unpack_nas(*packed(nas()), RING.unseal)
    assert (entry.radsec_identity, entry.coa_transport, entry.radsec_port) == ("", "udp", 2083)


def test_what_a_later_version_adds_is_passed_over() -> None:
    key, value = packed(nas(**TLS))
    later = json.dumps({**json.loads(value), "quic_port": 2084}).encode()
    assert unpack_nas(key, later, RING.unseal) == nas(**TLS)
