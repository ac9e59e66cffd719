"""Packets in a stream, and which of them end the connection."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius import attributes as a
from radius.authenticators import Authenticators
from radius.codec import encode, encode_attributes
from radius.radsec_frames import FrameReader, fault
from tests.factories_accounting import acct_attributes, acct_request
from tests.factories_auth import ANA, SECRET, datagram, pap_request

OWNER = Authenticators(SECRET)
packets = st.builds(
    lambda code, identifier, rest: encode(code, identifier, bytes(16), rest),
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=300) | st.just(bytes(4076)),
)


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    bounds = [0, *sorted(min(each, len(stream)) for each in at), len(stream)]
    return [stream[one:two] for one, two in pairwise(bounds)]


@given(st.lists(packets, max_size=6), st.lists(st.integers(0, 2000), max_size=12))
def test_the_same_packets_come_out_however_the_stream_is_cut(sent: list[bytes], at: list[int]) -> None:
    reader = FrameReader()
    read = [packet for piece in cut(b"".join(sent), at) for packet in reader.feed(piece)]
    assert read == sent
    assert not reader.partial
    assert reader.broken == ""


@given(packets, st.data())
def test_a_packet_that_has_begun_is_waited_for(packet: bytes, data: st.DataObject) -> None:
    reader = FrameReader()
    begun = data.draw(st.integers(1, len(packet) - 1))
    assert reader.feed(packet + packet[:begun]) == [packet]
    assert reader.partial
    assert reader.feed(packet[begun:]) == [packet]


@given(st.lists(packets, max_size=3), st.integers(0, 19) | st.integers(4097, 65_535), st.binary(max_size=50))
def test_a_length_that_cannot_be_ends_the_stream_after_the_packets_before(
    sent: list[bytes], length: int, rest: bytes
) -> None:
    reader = FrameReader()
    assert reader.feed(b"".join(sent) + b"\1\1" + length.to_bytes(2) + rest) == sent
    assert reader.broken == "packet_length"
    assert not reader.partial
    assert reader.feed(sent[0] if sent else b"more") == []


ACCOUNT = acct_request(acct_attributes())
SPOILT = [(a.MESSAGE_AUTHENTICATOR, bytes(16)), ANA]
PACKETS = {
    "a request": (pap_request(), ""),
    "a request without Message-Authenticator": (pap_request(sign=False), ""),
    "a request with a wrong Message-Authenticator": (
        encode(1, 5, bytes(16), encode_attributes(SPOILT)),
        "message_authenticator_wrong",
    ),
    "a request with another secret": (pap_request(secret=b"another"), "message_authenticator_wrong"),
    "a request with a short Message-Authenticator": (
        encode(1, 5, bytes(16), b"\x50\x04xx"),
        "message_authenticator_shape",
    ),
    "Status-Server": (datagram([], code=a.STATUS_SERVER), ""),
    "Status-Server with another secret": (
        datagram([], code=a.STATUS_SERVER, secret=b"another"),
        "message_authenticator_wrong",
    ),
    "accounting": (ACCOUNT, ""),
    "accounting with another secret": (acct_request(acct_attributes(), secret=b"a"), "request_authenticator_wrong"),
    "accounting with a Message-Authenticator of another kind": (acct_request([SPOILT[0], *acct_attributes()]), ""),
    "an attribute of length 0": (encode(1, 5, bytes(16), b"\1\0"), "attribute_length"),
    "an attribute of length 1": (encode(1, 5, bytes(16), b"\1\1"), "attribute_length"),
    "an attribute that overruns": (encode(1, 5, bytes(16), b"\1\4x"), "attribute_length"),
    "half an attribute": (encode(1, 5, bytes(16), b"\1"), "attribute_length"),
    "attribute 0": (encode(1, 5, bytes(16), b"\0\2"), ""),
    "an unknown code": (encode(77, 5, bytes(16), b"\1\1"), ""),
    "an answer": (encode(2, 5, bytes(16), b""), ""),
    "a vendor's attribute of a form of its own": (encode(1, 5, bytes(16), b"\x1a\x07\0\0\0\x09\1"), ""),
}


@pytest.mark.parametrize(("packet", "reason"), PACKETS.values(), ids=PACKETS.keys())
def test_what_ends_a_connection(packet: bytes, reason: str) -> None:
    assert fault(packet, OWNER) == reason


@given(packets)
def test_any_packet_is_judged(packet: bytes) -> None:
    fault(packet, OWNER)
