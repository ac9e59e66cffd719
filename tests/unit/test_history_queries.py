"""The prefixes around an address, as octets and as text."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from radius.history import covers
from radius.history_queries import firsts_around, prefixes_around
from tests.factories_history import make_use


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
@example(IPv6Address("2001:db8::"))
@example(IPv6Address("2001:0:0:1::"))
@example(IPv6Address("2001:db8:0:1:1:1:1:1"))
@example(IPv6Address("::ffff:192.0.2.1"))
@example(IPv6Address("::1"))
@example(IPv6Address("1::"))
def test_they_are_those_of_the_standard_library(address: IPv6Address) -> None:
    networks = [ip_network((address, bits), strict=False) for bits in range(128, 31, -1)]
    assert prefixes_around(address) == [str(network) for network in networks]
    assert firsts_around(address) == [(network.network_address.packed, network.prefixlen) for network in networks]
    assert all(covers(make_use(str(network)), address) for network in networks)


def test_an_ipv4_address_is_alone() -> None:
    assert firsts_around(IPv4Address("192.0.2.1")) == [(b"\xc0\x00\x02\x01", 32)]


@pytest.mark.parametrize(
    ("network", "address", "inside"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::/56", "2001:db8:0:ff::1", True),
        ("2001:db8::/56", "2001:db8:0:100::1", False),
    ],
)
def test_what_a_use_covers(network: str, address: str, inside: bool) -> None:
    assert covers(make_use(network), ip_address(address)) is inside


def test_families_never_cover_each_other() -> None:
    assert not covers(make_use("0.0.0.1"), IPv6Address("::1"))
