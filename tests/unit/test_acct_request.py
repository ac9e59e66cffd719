"""The quick view of accounting datagrams and the plain parser have one verdict."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from radius import attributes as a
from radius.acct_request import read_acct_request
from radius.codec import (
    MAX_ATTRIBUTES,
    Attribute,
    Malformed,
    Packet,
    encode,
    encode_attributes,
    parse,
    vendor_attribute,
)
from tests.factories_accounting import INTERIM, acct_attributes, acct_request

CLASSES: Attribute = (a.CLASS, b"")
EMPTY = encode(a.ACCOUNTING_REQUEST, 1, bytes(16), b"")
USUAL = acct_request(acct_attributes(INTERIM, octets=(2**40, 5), seconds=300, address="198.51.100.7"))
RICH = acct_request(
    [
        (a.PROXY_STATE, b"one"),
        *acct_attributes(INTERIM),
        vendor_attribute(9, 1, b"ip:ip-unnumbered=loopback0"),
        (a.VENDOR_SPECIFIC, b"\0\0\x01\xad" + b"opaque"),
        (a.PROXY_STATE, b""),
        (a.PROXY_STATE, bytes(253)),
    ],
    sign=True,
)


def verdict(datagram: bytes) -> tuple[bytes, bytes | None, bytes] | None:
    """What the quick view is to tell, by `parse`: octets, Message-Authenticator, Proxy-State; None for malformed."""
    try:
        packet: Packet = parse(datagram)
    except Malformed:
        return None
    states = encode_attributes(each for each in packet.attributes if each[0] == a.PROXY_STATE)
    return packet.raw, packet.first(a.MESSAGE_AUTHENTICATOR), states


def quick_verdict(datagram: bytes) -> tuple[bytes, bytes | None, bytes] | None:
    try:
        raw, at, states = read_acct_request(datagram)
    except Malformed:
        return None
    if at:
        assert raw[at : at + 2] == bytes((a.MESSAGE_AUTHENTICATOR, 18))
    return raw, raw[at + 2 : at + 18] if at else None, states


def with_length(datagram: bytes) -> bytes:
    """The same with a Length that agrees, so that not all ends at the header."""
    return datagram[:2] + min(len(datagram), 0xFFFF).to_bytes(2) + datagram[4:]


codes = st.sampled_from([*sorted(a.CODES), 0, 3, 14, 255])
kinds = st.sampled_from([0, 1, 8, 26, 33, 40, 44, 80]) | st.integers(0, 255)
lying = st.builds(
    lambda kind, length, value: bytes((kind, length)) + value, kinds, st.integers(0, 255), st.binary(max_size=20)
)
honest = st.builds(lambda kind, value: bytes((kind, len(value) + 2)) + value, kinds, st.binary(max_size=253))
vendors = st.builds(
    lambda number, inner: bytes((26, len(inner) + 6)) + number.to_bytes(4) + inner,
    st.sampled_from([9, 311, 429, 14988]),
    st.lists(honest.map(lambda one: one[:100]) | st.binary(max_size=5), max_size=2)
    .map(b"".join)
    .map(lambda b: b[:240]),
)
signed = st.just(bytes((80, 18)) + bytes(16))


@given(
    code=codes,
    body=st.lists(honest | vendors | signed | lying, max_size=12).map(b"".join),
    padding=st.binary(max_size=3),
    lie=st.integers(-2, 2),
)
def test_both_accept_the_same(code: int, body: bytes, padding: bytes, lie: int) -> None:
    head = (
        bytes((code, 1)) + min(max(20 + len(body) + (lie if abs(lie) == 2 else 0), 0), 0xFFFF).to_bytes(2) + bytes(16)
    )
    datagram = head + body + padding
    assert quick_verdict(datagram) == verdict(datagram)


@given(st.binary(max_size=120))
@example(b"")
@example(EMPTY)
@example(EMPTY + b"padding")
@example(with_length(EMPTY + b"\x01"))
@example(with_length(EMPTY + b"\x01\x01"))
@example(with_length(EMPTY + b"\x01\x03"))
@example(with_length(EMPTY + b"\x00\x02"))
@example(with_length(EMPTY + b"\x01\x06\n\n\n\n"))
def test_both_accept_the_same_octets(datagram: bytes) -> None:
    assert quick_verdict(datagram) == verdict(datagram)


def test_both_accept_the_same_mutants() -> None:
    chance = random.Random(2866)
    accepted = 0
    for _ in range(30_000):
        octets = bytearray(chance.choice((USUAL, RICH)))
        for _ in range(chance.randint(1, 3)):
            octets[chance.randrange(20, len(octets))] = chance.choice((0, 1, 2, 6, 26, 33, 80, chance.randrange(256)))
        if chance.random() < 0.3:
            del octets[chance.randrange(20, len(octets)) :]
        datagram = with_length(bytes(octets))
        assert quick_verdict(datagram) == verdict(datagram)
        accepted += verdict(datagram) is not None
    assert 1_000 < accepted < 29_000, "the mutations must reach both sides"


@pytest.mark.parametrize("request_", [EMPTY, USUAL, RICH], ids=["empty", "usual", "rich"])
def test_sound_ones_are_accepted_by_both(request_: bytes) -> None:
    assert quick_verdict(request_) == verdict(request_)
    assert quick_verdict(request_) is not None


@pytest.mark.parametrize("length", range(2, 256))
def test_every_length_of_attribute(length: int) -> None:
    datagram = encode(a.ACCOUNTING_REQUEST, 1, bytes(16), encode_attributes([(a.CLASS, b"\n" * (length - 2)), CLASSES]))
    assert quick_verdict(datagram) == verdict(datagram) == (datagram, None, b"")
    for cut in (1, 2, 3):
        short = with_length(datagram[:-cut])
        assert quick_verdict(short) == verdict(short)


@pytest.mark.parametrize("more", [(), (CLASSES,)], ids=["as many as allowed", "one more"])
@pytest.mark.parametrize("other", [CLASSES, (a.PROXY_STATE, b"")], ids=["plain", "Proxy-State"])
def test_the_number_of_attributes(more: tuple[Attribute, ...], other: Attribute) -> None:
    datagram = encode(
        a.ACCOUNTING_REQUEST, 1, bytes(16), encode_attributes([*[CLASSES] * (MAX_ATTRIBUTES - 1), other, *more])
    )
    assert quick_verdict(datagram) == verdict(datagram)
    assert (quick_verdict(datagram) is None) is bool(more)
