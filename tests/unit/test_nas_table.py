"""Which NAS a source address is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.nas_table import NasClient, NasTable
from tests.factories_auth import nas

TABLE = NasTable(
    NasClient(each)
    for each in (
        nas(1, "10.0.0.0/8"),
        nas(2, "10.1.0.0/16"),
        nas(3, "10.1.2.3"),
        nas(4, "10.1.2.0/24", enabled=False),
        nas(5, "2001:db8::/32"),
        nas(6, "2001:db8::1"),
        nas(7, "fe80::/10"),
        nas(9, "192.0.2.1"),
        nas(8, "192.0.2.1"),
    )
)

SOURCES = {
    "10.1.2.3": 3,
    "10.1.2.4": 2,
    "10.1.255.255": 2,
    "10.2.0.0": 1,
    "11.0.0.0": None,
    "9.255.255.255": None,
    "2001:db8::1": 6,
    "2001:DB8::2": 5,
    "2001:db9::1": None,
    "::ffff:10.1.2.3": 3,
    "::ffff:11.0.0.1": None,
    "fe80::1%eth0": 7,
    "192.0.2.1": 8,
    "::": None,
    "": None,
    "not an address": None,
}


@pytest.mark.parametrize(("source", "expected"), SOURCES.items(), ids=lambda each: str(each) or "empty")
def test_exact_beats_longest_beats_shorter_prefix(source: str, expected: int | None) -> None:
    client = TABLE.find(source)
    assert (client.entry.id if client else None) == expected


def test_a_catch_all_is_only_of_its_family() -> None:
    table = NasTable([NasClient(nas(1, "0.0.0.0/0"))])
    assert table.find("203.0.113.9") is not None
    assert table.find("2001:db8::1") is None


def test_only_enabled_clients_count() -> None:
    assert len(TABLE) == 7
    assert len(NasTable()) == 0
    assert NasTable().find("10.1.2.3") is None


@given(st.text(max_size=50))
def test_any_text_is_answered(source: str) -> None:
    NasTable().find(source)
    TABLE.find(source)


def test_an_unknown_vendor_is_refused() -> None:
    with pytest.raises(KeyError):
        NasClient(nas(vendor="nobody"))
