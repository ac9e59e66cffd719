"""The strict parser, its quick twin, and the encoder."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import radius.attributes
from radius.access_request import SINGLE, AccessRequest, read_access_request
from radius.attributes import (
    CODES,
    MESSAGE_AUTHENTICATOR,
    PROXY_STATE,
    USER_NAME,
    VENDOR_MICROSOFT,
    VENDOR_MIKROTIK,
    VENDOR_SPECIFIC,
)
from radius.codec import (
    MAX_ATTRIBUTES,
    Attribute,
    Malformed,
    Packet,
    encode,
    encode_attributes,
    parse,
    vendor_attribute,
    vendor_attributes,
)

ZEROES = bytes(16)
Reader = Callable[[bytes], Packet | AccessRequest]


def raw(attributes: bytes = b"", *, code: int = 1, length: int | None = None) -> bytes:
    size = 20 + len(attributes) if length is None else length
    return bytes((code, 7)) + size.to_bytes(2) + ZEROES + attributes


def vsa(inner: bytes, vendor: int = VENDOR_MIKROTIK) -> bytes:
    value = vendor.to_bytes(4) + inner
    return bytes((VENDOR_SPECIFIC, len(value) + 2)) + value


MALFORMED = {
    "empty": (b"", "short_datagram"),
    "nineteen octets": (raw()[:19], "short_datagram"),
    "Length 19": (raw(length=19), "packet_length"),
    "Length 0": (raw(length=0), "packet_length"),
    "Length beyond the datagram": (raw(length=21), "packet_length"),
    "Length 4097": (raw(bytes((1, 255)) * 2040, length=4097), "packet_length"),
    "code 0": (raw(code=0), "unknown_code"),
    "code 13": (raw(code=13), "unknown_code"),
    "code 255": (raw(code=255), "unknown_code"),
    "attribute length 0": (raw(b"\x01\x00"), "attribute_length"),
    "attribute length 1": (raw(b"\x01\x01"), "attribute_length"),
    "attribute without length": (raw(b"\x01"), "attribute_length"),
    "attribute overruns": (raw(b"\x01\x05ab"), "attribute_length"),
    "last octet is left over": (raw(b"\x01\x03a\x01"), "attribute_length"),
    "attribute 0": (raw(b"\x00\x03a"), "attribute_zero"),
    "201 attributes": (raw(b"\x12\x02" * (MAX_ATTRIBUTES + 1)), "too_many_attributes"),
    "Message-Authenticator of 15": (raw(b"\x50\x11" + bytes(15)), "message_authenticator_shape"),
    "Message-Authenticator of 17": (raw(b"\x50\x13" + bytes(17)), "message_authenticator_shape"),
    "two Message-Authenticators": (raw(b"\x50\x12" + ZEROES + b"\x50\x12" + ZEROES), "message_authenticator_shape"),
    "VSA without vendor": (raw(b"\x1a\x05abc"), "vendor_specific_length"),
    "VSA with vendor only": (raw(vsa(b"")), "vendor_specific_length"),
    "VSA with one octet": (raw(vsa(b"\x08")), "vendor_specific_length"),
    "VSA sub-length 0": (raw(vsa(b"\x08\x00a")), "vendor_specific_length"),
    "VSA sub-length 1": (raw(vsa(b"\x08\x01a")), "vendor_specific_length"),
    "VSA sub-length 1 that adds up": (raw(vsa(b"\x08\x01\x02")), "vendor_specific_length"),
    "VSA sub-length overruns": (raw(vsa(b"\x08\x05a")), "vendor_specific_length"),
    "VSA second sub-attribute overruns": (raw(vsa(b"\x08\x03a\x08\x04b")), "vendor_specific_length"),
    "second VSA is bad": (raw(vsa(b"\x08\x03a") + vsa(b"\x08\x00a")), "vendor_specific_length"),
}


@pytest.mark.parametrize(("datagram", "reason"), MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("read", [parse, read_access_request])
def test_malformed_datagrams_are_refused_with_their_reason(read: Reader, datagram: bytes, reason: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(datagram)
    assert refused.value.reason == reason


SOUND = {
    "no attributes": raw(),
    "empty attribute": raw(b"\x01\x02"),
    "longest attribute": raw(b"\x01\xff" + bytes(253)),
    "200 attributes": raw(b"\x12\x02" * MAX_ATTRIBUTES),
    "4096 octets": raw(b"\x21\xff" * 0 + (b"\x21\xfe" + bytes(252)) * 16 + b"\x21\x0c" + bytes(10)),
    "VSA with two sub-attributes": raw(vsa(b"\x08\x03a\x13\x03b")),
    "VSA in a format of its own": raw(vsa(b"\x00\x01\x00", vendor=8164)),
}


@pytest.mark.parametrize("datagram", SOUND.values(), ids=SOUND.keys())
@pytest.mark.parametrize("read", [parse, read_access_request])
def test_sound_datagrams_are_read(read: Reader, datagram: bytes) -> None:
    assert read(datagram).raw == datagram


def test_octets_after_length_are_padding() -> None:
    datagram = raw(b"\x01\x05ana")
    assert parse(datagram + b"\x00\x01\x02").raw == datagram
    assert read_access_request(datagram + b"\x00\x01\x02").raw == datagram


@pytest.mark.parametrize("kind", sorted(SINGLE - {MESSAGE_AUTHENTICATOR}))
def test_an_access_request_says_only_once_who_it_is_about(kind: int) -> None:
    twice = raw(encode_attributes([(kind, b"abcd"), (kind, b"abcd")]))
    with pytest.raises(Malformed, match="repeated_attribute"):
        read_access_request(twice)


attributes = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(sorted({1, 2, 3, 26, 31, 33, 60, 79, 80, 7})), st.integers(1, 255)),
        st.one_of(
            st.binary(max_size=20),
            st.just(ZEROES),
            st.builds(lambda inner: (311).to_bytes(4) + inner, st.binary(max_size=12)),
        ),
    ),
    max_size=12,
)


@given(st.binary(max_size=80))
def test_any_octets_are_a_packet_or_malformed(octets: bytes) -> None:
    agree(octets)


@given(attributes, st.sampled_from(sorted(CODES)), st.data())
def test_damaged_packets_are_a_packet_or_malformed(
    given_attributes: list[Attribute], code: int, data: st.DataObject
) -> None:
    octets = bytearray(encode(code, 1, ZEROES, encode_attributes(given_attributes)))
    agree(bytes(octets))
    for _ in range(data.draw(st.integers(0, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    agree(bytes(octets[: data.draw(st.integers(0, len(octets)))]))
    agree(bytes(octets))


def agree(octets: bytes) -> None:
    """Both readers accept, with the same values, or both refuse; the quick one alone minds repetition."""
    try:
        packet = parse(octets)
    except Malformed:
        with pytest.raises(Malformed):
            read_access_request(octets)
        return
    kinds = [kind for kind, _ in packet.attributes]
    if any(kinds.count(kind) > 1 for kind in SINGLE):
        with pytest.raises(Malformed):
            read_access_request(octets)
        return
    request = read_access_request(octets)
    assert (request.raw, request.code, request.identifier) == (packet.raw, packet.code, packet.identifier)
    assert request.authenticator == packet.authenticator
    for kind in SINGLE:
        assert request.value(kind) == packet.first(kind)
    states = [(PROXY_STATE, value) for value in packet.every(PROXY_STATE)]
    assert request.proxy_states() == encode_attributes(states)
    for kind, value in request.vendor(VENDOR_MICROSOFT).items():
        assert packet.vendor(VENDOR_MICROSOFT, kind) == value


@given(attributes, st.sampled_from(sorted(CODES)), st.integers(0, 255), st.binary(min_size=16, max_size=16))
def test_what_is_encoded_is_parsed_again(
    given_attributes: list[Attribute], code: int, identifier: int, authenticator: bytes
) -> None:
    octets = encode(code, identifier, authenticator, encode_attributes(given_attributes))
    try:
        packet = parse(octets)
    except Malformed:
        return
    assert list(packet.attributes) == given_attributes
    assert (packet.code, packet.identifier, packet.authenticator) == (code, identifier, authenticator)


UNENCODABLE = {
    "type 0": lambda: encode_attributes([(0, b"a")]),
    "type 256": lambda: encode_attributes([(256, b"a")]),
    "value of 254": lambda: encode_attributes([(USER_NAME, bytes(254))]),
    "vendor value of 248": lambda: vendor_attribute(VENDOR_MIKROTIK, 8, bytes(248)),
    "packet of 4097": lambda: encode(2, 1, ZEROES, bytes(4077)),
    "short authenticator": lambda: encode(2, 1, bytes(15), b""),
}


@pytest.mark.parametrize("build", UNENCODABLE.values(), ids=UNENCODABLE.keys())
def test_what_no_packet_can_hold_is_refused(build: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        build()


def test_vendor_attributes_are_found_only_for_their_vendor() -> None:
    _, value = vendor_attribute(VENDOR_MIKROTIK, 8, b"10M/20M")
    assert vendor_attributes(value, VENDOR_MIKROTIK) == [(8, b"10M/20M")]
    assert vendor_attributes(value, VENDOR_MICROSOFT) == []


def test_attribute_numbers_agree_with_the_dictionaries() -> None:
    from pyrad.dictionary import Dictionary

    from radius.dictionaries import DICTIONARY

    known = {name.upper().replace("-", "_"): each.code for name, each in Dictionary(str(DICTIONARY)).attributes.items()}
    ours = {name: number for name, number in vars(radius.attributes).items() if name in known}
    assert len(ours) > 70
    assert ours == {name: known[name] for name in ours}
