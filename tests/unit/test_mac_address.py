"""MAC addresses in every notation that routers use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.mac_address import read_mac

EXPECTED = bytes.fromhex("00e1070902fe")
SPELLINGS = [
    b"00:E1:07:09:02:FE",
    b"00:e1:07:09:02:fe",
    b"00-E1-07-09-02-FE",
    b"00e1.0709.02fe",
    b"00e1070902fe",
    b"00E1070902FE",
    b"0:e1:7:9:2:fe",
    b"1:0:e1:7:9:2:fe",
    b"1:00:e1:07:09:02:fe",
]
NO_MAC = [
    b"",
    b"ana",
    b"00:e1:07:09:02",
    b"00:e1:07:09:02:fe:11",
    b"2:0:e1:7:9:2:fe",
    b"01:0:e1:7:9:2:fe",
    b"00:e1:07:09:02:fg",
    b"00:e1:07:09:02:fe\n",
    b" 00:e1:07:09:02:fe",
    b"00e1070902f",
    b"00-e1:07-09:02-fe",
    b"000:e1:07:09:02:fe",
    "００:e1:07:09:02:fe".encode(),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_the_same_address(spelling: bytes) -> None:
    assert read_mac(spelling) == EXPECTED


@pytest.mark.parametrize("text", NO_MAC)
def test_what_only_resembles_one_is_none(text: bytes) -> None:
    assert read_mac(text) is None


@given(st.binary(min_size=6, max_size=6))
def test_mikrotik_client_ids_name_their_address(mac: bytes) -> None:
    assert read_mac(("1:" + ":".join(f"{octet:x}" for octet in mac)).encode()) == mac
    assert read_mac(mac.hex("-").encode()) == mac


@given(st.binary(max_size=24))
def test_any_octets_are_answered(text: bytes) -> None:
    mac = read_mac(text)
    assert mac is None or len(mac) == 6
