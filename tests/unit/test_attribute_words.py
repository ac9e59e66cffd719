"""Attributes in words: what pyrad reads from the same files, and nothing that should stay hidden."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from pyrad.dictionary import Dictionary as PyradDictionary
from pyrad.packet import Packet as PyradPacket

from radius.attribute_words import dictionary, in_words
from radius.attributes import (
    ACCT_INTERIM_INTERVAL,
    CLASS,
    DELEGATED_IPV6_PREFIX,
    EVENT_TIMESTAMP,
    FRAMED_IP_ADDRESS,
    FRAMED_IPV6_ADDRESS,
    MESSAGE_AUTHENTICATOR,
    MS_MPPE_SEND_KEY,
    SERVICE_TYPE,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_MICROSOFT,
    VENDOR_SPECIFIC,
)
from radius.codec import Attribute, encode, encode_attributes, parse, vendor_attribute
from radius.dictionaries import DICTIONARY
from radius.policy import Policy
from radius.vendors import VENDORS

POLICY = Policy(
    download_bps=100_000_000, upload_bps=50_000_000, pool="clients", address_list="active", group="home",
)  # fmt: skip


@pytest.mark.parametrize(
    ("attribute", "name", "value"),
    [
        pytest.param((USER_NAME, "açaí".encode()), "User-Name", "açaí", id="text"),
        pytest.param((USER_NAME, b"\xff\0"), "User-Name", "0xff00", id="no text"),
        pytest.param((USER_NAME, b""), "User-Name", "0x", id="empty"),
        pytest.param((CLASS, b"c1.7.abc"), "Class", "c1.7.abc", id="octets that are text"),
        pytest.param((SERVICE_TYPE, b"\0\0\0\2"), "Service-Type", "Framed-User", id="a number with a name"),
        pytest.param((ACCT_INTERIM_INTERVAL, b"\0\0\1\x2c"), "Acct-Interim-Interval", "300", id="a number"),
        pytest.param((ACCT_INTERIM_INTERVAL, b"\0\0\1"), "Acct-Interim-Interval", "0x000001", id="no whole number"),
        pytest.param((FRAMED_IP_ADDRESS, b"\x64\x40\0\x0a"), "Framed-IP-Address", "100.64.0.10", id="IPv4"),
        pytest.param(
            (FRAMED_IPV6_ADDRESS, ip_address("2001:db8::1").packed), "Framed-IPv6-Address", "2001:db8::1", id="IPv6"
        ),
        pytest.param(
            (DELEGATED_IPV6_PREFIX, b"\0\x38" + bytes.fromhex("20010db8000001")),
            "Delegated-IPv6-Prefix",
            "2001:db8:0:100::/56",
            id="prefix",
        ),
        pytest.param((EVENT_TIMESTAMP, b"\x69\xa5\x7c\x40"), "Event-Timestamp", "2026-03-02T12:02:08+00:00", id="date"),
        pytest.param((254, b"\1\2"), "Attribute-254", "0x0102", id="unknown"),
        pytest.param((VENDOR_SPECIFIC, b"\0\0\xde\xad\7\5abc"), "Vendor-57005-Attribute-7", "0x616263", id="stranger"),
        pytest.param(
            (VENDOR_SPECIFIC, b"\0\0\x37\x2a\xc8\4ab"), "WISPr-Attribute-200", "0x6162", id="unknown of WISPr"
        ),
        pytest.param((VENDOR_SPECIFIC, b"\0\0\x01\xadabc"), "Vendor-429", "0x616263", id="of another form"),
        pytest.param((USER_PASSWORD, b"x" * 16), "User-Password", "***", id="password"),
        pytest.param(
            vendor_attribute(VENDOR_MICROSOFT, MS_MPPE_SEND_KEY, b"x" * 34), "MS-MPPE-Send-Key", "***", id="session key"
        ),
    ],
)
def test_an_attribute_in_words(attribute: Attribute, name: str, value: str) -> None:
    assert in_words([attribute]) == [(name, value)]


def test_what_is_about_the_packet_is_left_out() -> None:
    assert in_words([(MESSAGE_AUTHENTICATOR, bytes(16))]) == []


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_the_names_are_those_that_pyrad_reads(vendor: str) -> None:
    packet = encode(2, 1, bytes(16), encode_attributes([]) + VENDORS[vendor].reply(POLICY))
    told = {name for name, _ in in_words(parse(packet).attributes)}
    theirs = PyradPacket(packet=packet, dict=PyradDictionary(str(DICTIONARY)))
    assert told == set(theirs.keys())
    assert not [name for name in told if "Attribute-" in name], "every attribute that we send has a name"


def test_every_dictionary_is_read() -> None:
    lines = [line for path in DICTIONARY.parent.glob("dictionary.*") for line in path.read_text().splitlines()]
    assert len(dictionary().attributes) == sum(line.startswith("ATTRIBUTE") for line in lines)
    assert len(dictionary().values) == sum(line.startswith("VALUE") for line in lines)
