"""What people may write, and what they are told when it does not do."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from ipam.notation import (
    check_limit,
    check_quarantine,
    parse_address,
    parse_gateway,
    parse_name,
    parse_network,
    parse_purpose,
    parse_range,
)

NET = IPv4Network("10.0.0.0/24")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        pytest.param("10.0.0.5/24", "no host bits", id="host-bits"),
        pytest.param("10.0.0.0", "address/prefix length", id="no-prefix-length"),
        pytest.param("10.0.0.0/33", "address/prefix length", id="too-long-a-prefix"),
        pytest.param("10.0.0.0/255.255.255.0", "address/prefix length", id="a-mask"),
        pytest.param("10.0.0/24", "address/prefix length", id="three-octets"),
        pytest.param("10.0.0.256/32", "address/prefix length", id="octet-too-large"),
        pytest.param("010.0.0.0/24", "address/prefix length", id="leading-zero"),
        pytest.param("", "address/prefix length", id="nothing"),
        pytest.param(" 10.0.0.0/24", "address/prefix length", id="a-blank"),
        pytest.param("١٠.0.0.0/24", "address/prefix length", id="digits-of-another-script"),
        pytest.param("2001:db8::/64", "IPv6 subnets are not offered", id="ipv6"),
        pytest.param("0.0.0.0/0", "prefix length of 8", id="everything"),
        pytest.param("0.0.0.1/0", "prefix length of 8", id="everything-with-host-bits"),
        pytest.param("127.0.0.1/24", "hosts can use", id="loopback-with-host-bits"),
        pytest.param("10.0.0.0/7", "prefix length of 8", id="too-short-a-prefix"),
        pytest.param("0.1.0.0/16", "hosts can use", id="this-network"),
        pytest.param("127.0.0.0/8", "hosts can use", id="loopback"),
        pytest.param("169.254.8.0/24", "hosts can use", id="link-local"),
        pytest.param("239.0.0.0/24", "hosts can use", id="multicast"),
        pytest.param("255.255.255.255/32", "hosts can use", id="limited-broadcast"),
    ],
)
def test_a_bad_network_is_refused(text: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_network(text)
    assert refused.value.field == "cidr"
    assert rule in refused.value.rule
    assert parse_network(str(refused.value.example))


def test_host_bits_are_answered_with_the_network_that_was_meant() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_network("192.168.7.130/25")
    assert refused.value.example == "192.168.7.128/25"


@given(st.integers(8, 32), st.integers(0x0A000000, 0x0AFFFFFF))
def test_a_network_is_read_as_the_standard_library_reads_it(length: int, number: int) -> None:
    network = IPv4Network((number, length), strict=False)
    assert parse_network(str(network)) == network


@given(st.text(max_size=24) | st.from_regex(r"[0-9.]{5,16}/[0-9]{1,2}", fullmatch=True))
def test_every_text_is_a_network_or_is_answered_with_one(text: str) -> None:
    try:
        shown = str(parse_network(text))
    except InvalidInput as refused:
        text = shown = str(refused.example)
    assert str(parse_network(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("10.0.0", id="three-octets"),
        pytest.param("10.0.0.1/24", id="with-a-prefix"),
        pytest.param("router", id="a-name"),
        pytest.param("", id="nothing"),
        pytest.param("::1", id="ipv6"),
    ],
)
def test_a_bad_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="IPv4"):
        parse_address(text)


@pytest.mark.parametrize(
    ("network", "text", "rule"),
    [
        pytest.param("10.0.0.0/24", "10.0.1.1", "inside the subnet 10.0.0.0/24", id="outside"),
        pytest.param("10.0.0.0/24", "10.0.0.0", "neither network nor broadcast", id="network"),
        pytest.param("10.0.0.0/24", "10.0.0.255", "neither network nor broadcast", id="broadcast"),
        pytest.param("10.0.0.0/24", "2001:db8::1", "family", id="mixed-family"),
        pytest.param("10.0.0.0/24", "gw", "an IPv4 address", id="unreadable"),
        pytest.param("10.0.0.4/31", "10.0.0.6", "inside the subnet", id="behind-a-point-to-point-network"),
    ],
)
def test_a_bad_gateway_is_refused(network: str, text: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_gateway(text, IPv4Network(network))
    assert refused.value.field == "gateway"
    assert rule in refused.value.rule
    assert parse_gateway(str(refused.value.example), IPv4Network(network))


@pytest.mark.parametrize("text", ["10.0.0.4", "10.0.0.5"])
def test_both_ends_of_a_point_to_point_network_may_be_the_gateway(text: str) -> None:
    assert parse_gateway(text, IPv4Network("10.0.0.4/31")) == IPv4Address(text)


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        pytest.param("10.0.1.1", "10.0.1.2", "first", id="outside"),
        pytest.param("10.0.0.1", "10.0.1.2", "last", id="runs-out"),
        pytest.param("10.0.0.9", "10.0.0.8", "last", id="wrong-way-round"),
        pytest.param("x", "10.0.0.8", "first", id="unreadable-first"),
        pytest.param("10.0.0.8", "x", "last", id="unreadable-last"),
    ],
)
def test_a_bad_range_is_refused(first: str, last: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_range(first, last, NET)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("check", "bad", "field"),
    [
        pytest.param(parse_name, "   ", "name", id="blank-name"),
        pytest.param(parse_name, "x" * 81, "name", id="long-name"),
        pytest.param(parse_name, "a\x00b", "name", id="control-character-in-name"),
        pytest.param(parse_purpose, "x" * 201, "purpose", id="long-purpose"),
        pytest.param(parse_purpose, "a\x1bb", "purpose", id="control-character-in-purpose"),
        pytest.param(check_quarantine, -1, "quarantine_days", id="negative-quarantine"),
        pytest.param(check_quarantine, 3651, "quarantine_days", id="endless-quarantine"),
        pytest.param(check_limit, 0, "limit", id="empty-page"),
        pytest.param(check_limit, 1001, "limit", id="huge-page"),
    ],
)
def test_other_bad_values_are_refused(check: Callable[[Any], object], bad: object, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(bad)
    assert refused.value.field == field
    assert check(refused.value.example) == refused.value.example


@pytest.mark.parametrize(
    ("check", "good", "read"),
    [
        pytest.param(parse_name, "  Vila  Nova ", "Vila Nova", id="single-blanks"),
        pytest.param(parse_name, "São João", "São João", id="accents"),
        pytest.param(parse_name, "x" * 80, "x" * 80, id="longest-name"),
        pytest.param(parse_purpose, "", "", id="no-purpose"),
        pytest.param(check_quarantine, 0, 0, id="no-quarantine"),
        pytest.param(check_quarantine, 3650, 3650, id="longest-quarantine"),
        pytest.param(check_quarantine, None, None, id="the-company's-quarantine"),
        pytest.param(check_limit, 1000, 1000, id="largest-page"),
    ],
)
def test_good_values_pass(check: Callable[[Any], object], good: object, read: object) -> None:
    assert check(good) == read
