"""CoA and Disconnect packets: what they hold, who signed them, and which answers count."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad.dictionary import Dictionary
from pyrad.packet import CoAPacket

from radius import attributes as a
from radius.authenticators import ZEROES, Authenticators
from radius.codec import Attribute, encode, encode_attributes, integer, parse, vendor_attribute
from radius.dynauth import Target
from radius.dynauth_packets import (
    ERROR_CAUSES,
    Ack,
    Nak,
    coa_request,
    disconnect_request,
    genuine_reply,
    nak_with,
    read_reply,
    read_request,
    reply_to,
    sign,
)
from radius.vendors import VENDORS, SessionIdentity

SECRET = b"a secret of this NAS"
OWNER = Authenticators(SECRET)
STRANGER = Authenticators(b"another secret")
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TIMESTAMP = bytes([a.EVENT_TIMESTAMP, 6]) + int(NOW.timestamp()).to_bytes(4)
IDENTITY: tuple[Attribute, ...] = (
    (a.USER_NAME, b"ana"),
    (a.ACCT_SESSION_ID, b"81000001"),
    (a.FRAMED_IP_ADDRESS, bytes([100, 64, 0, 9])),
    (a.NAS_IP_ADDRESS, bytes([10, 0, 0, 1])),
)
CHANGES = encode_attributes([vendor_attribute(a.VENDOR_MIKROTIK, a.MIKROTIK_RATE_LIMIT, b"1M/2M"), (a.CLASS, b"c1")])


def by_hand(code: int, identifier: int, after_message_authenticator: bytes, secret: bytes = SECRET) -> bytes:
    """The packet as RFC 5176 §2.3 and §3.4 describe it, with nothing but the standard library."""
    length = (20 + 18 + len(after_message_authenticator)).to_bytes(2)
    head = bytes([code, identifier]) + length
    unsigned = head + bytes(16) + bytes([80, 18]) + bytes(16) + after_message_authenticator
    proof = hmac.new(secret, unsigned, "md5").digest()
    body = bytes([80, 18]) + proof + after_message_authenticator
    return head + hashlib.md5(head + bytes(16) + body + secret).digest() + body


def test_coa_request_is_what_the_rfc_describes() -> None:
    expected = by_hand(43, 7, encode_attributes(IDENTITY) + TIMESTAMP + CHANGES)
    assert coa_request(OWNER, 7, IDENTITY, CHANGES, NOW) == expected


def test_disconnect_request_holds_identification_and_nothing_else() -> None:
    assert disconnect_request(OWNER, 255, IDENTITY, NOW) == by_hand(40, 255, encode_attributes(IDENTITY) + TIMESTAMP)


def test_another_implementation_accepts_the_signatures() -> None:
    request = coa_request(OWNER, 7, IDENTITY, CHANGES, NOW)
    packet = CoAPacket(secret=SECRET, packet=request, dict=Dictionary())
    assert packet.VerifyCoARequest()
    assert packet.verify_message_authenticator()


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendors_identification_makes_a_request(vendor: str) -> None:
    session = SessionIdentity(b"ana", b"81000001", IPv4Address("100.64.0.9"), IPv4Address("10.0.0.1"))
    packet = read_request(OWNER, disconnect_request(OWNER, 1, VENDORS[vendor].identification(session), NOW))
    assert packet is not None
    assert packet.first(a.USER_NAME) == b"ana"


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param((), id="nothing"),
        pytest.param(IDENTITY[3:], id="only the NAS"),
        pytest.param(((a.CALLED_STATION_ID, b"service1"),), id="only what all sessions share"),
        pytest.param((*IDENTITY, (a.FILTER_ID, b"late")), id="Filter-Id"),
        pytest.param((*IDENTITY, (a.SESSION_TIMEOUT, bytes(4))), id="Session-Timeout"),
        pytest.param((*IDENTITY, (a.MESSAGE_AUTHENTICATOR, bytes(16))), id="a second Message-Authenticator"),
    ],
)
def test_an_identity_that_could_hit_others_or_carries_more_is_refused(identity: tuple[Attribute, ...]) -> None:
    with pytest.raises(ValueError, match=r"session"):
        disconnect_request(OWNER, 1, identity, NOW)
    with pytest.raises(ValueError, match=r"session"):
        coa_request(OWNER, 1, identity, CHANGES, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(CHANGES[:-1], id="cut off"),
        pytest.param(encode_attributes([(a.FRAMED_IP_ADDRESS, bytes(4))]), id="Framed-IP-Address"),
        pytest.param(encode_attributes([(a.USER_NAME, b"bia")]), id="User-Name"),
        pytest.param(encode_attributes([(a.NAS_IP_ADDRESS, bytes(4))]), id="NAS-IP-Address"),
        pytest.param(encode_attributes([(a.EVENT_TIMESTAMP, bytes(4))]), id="Event-Timestamp"),
        pytest.param(encode_attributes([(a.MESSAGE_AUTHENTICATOR, bytes(16))]), id="Message-Authenticator"),
    ],
)
def test_changes_that_change_nothing_are_refused(changes: bytes) -> None:
    with pytest.raises(ValueError, match=r"change"):
        coa_request(OWNER, 1, IDENTITY, changes, NOW)


def reply(
    code: int, *attributes: Attribute, request: bytes, owner: Authenticators = OWNER, identifier: int = 7
) -> bytes:
    """A reply without Message-Authenticator."""
    unsigned = encode(code, identifier, ZEROES, encode_attributes(attributes))
    return unsigned[:4] + owner.response_authenticator(unsigned, request[4:20]) + unsigned[20:]


COA = coa_request(OWNER, 7, IDENTITY, CHANGES, NOW)
DISCONNECT = disconnect_request(OWNER, 7, IDENTITY, NOW)
CAUSE_503 = (a.ERROR_CAUSE, integer(503))


@pytest.mark.parametrize(
    ("request_", "datagram", "answer"),
    [
        pytest.param(COA, OWNER.response(44, 7, COA[4:20], b""), Ack(), id="CoA-ACK, signed twice"),
        pytest.param(COA, reply(44, request=COA), Ack(), id="CoA-ACK without Message-Authenticator"),
        pytest.param(COA, reply(44, request=COA) + b"padding", Ack(), id="padding"),
        pytest.param(DISCONNECT, reply(41, request=DISCONNECT), Ack(), id="Disconnect-ACK"),
        pytest.param(
            DISCONNECT,
            reply(42, CAUSE_503, request=DISCONNECT),
            Nak(503, "Session-Context-Not-Found"),
            id="Disconnect-NAK 503",
        ),
        pytest.param(
            COA,
            reply(45, (a.ERROR_CAUSE, integer(401)), request=COA),
            Nak(401, "Unsupported-Attribute"),
            id="CoA-NAK 401",
        ),
        pytest.param(COA, reply(45, request=COA), Nak(None, "no Error-Cause"), id="NAK without a cause"),
        pytest.param(
            COA, reply(45, (a.ERROR_CAUSE, b"\x01"), request=COA), Nak(None, "no Error-Cause"), id="unreadable cause"
        ),
        pytest.param(
            COA, reply(45, (a.ERROR_CAUSE, integer(499)), request=COA), Nak(499, "Error-Cause 499"), id="unknown cause"
        ),
        pytest.param(COA, reply(44, request=COA, owner=STRANGER), None, id="another secret"),
        pytest.param(COA, reply(44, request=DISCONNECT), None, id="answers another request"),
        pytest.param(COA, reply(44, request=COA, identifier=8), None, id="another Identifier"),
        pytest.param(COA, reply(41, request=COA), None, id="Disconnect-ACK to a CoA-Request"),
        pytest.param(DISCONNECT, reply(44, request=DISCONNECT), None, id="CoA-ACK to a Disconnect-Request"),
        pytest.param(COA, reply(2, request=COA), None, id="Access-Accept"),
        pytest.param(
            COA,
            reply(44, (a.MESSAGE_AUTHENTICATOR, bytes(16)), request=COA),
            None,
            id="wrong Message-Authenticator under a right authenticator",
        ),
        pytest.param(COA, COA, None, id="the request itself"),
        pytest.param(COA, reply(44, request=COA)[:-1], None, id="cut off"),
        pytest.param(COA, b"", None, id="nothing"),
    ],
)
def test_what_counts_as_an_answer(request_: bytes, datagram: bytes, answer: Ack | Nak | None) -> None:
    assert read_reply(OWNER, request_, datagram) == answer


def test_only_503_says_that_the_session_is_unknown() -> None:
    known = {cause for cause in ERROR_CAUSES if nak_with(integer(cause)).session_unknown}
    assert known == {503}
    assert not nak_with(None).session_unknown


SIGNED_NAK = OWNER.response(45, 7, COA[4:20], encode_attributes([CAUSE_503]))


@given(st.integers(0, len(SIGNED_NAK) * 8 - 1))
def test_no_single_bit_of_a_reply_can_be_changed(bit: int) -> None:
    changed = bytearray(SIGNED_NAK)
    changed[bit // 8] ^= 1 << bit % 8
    assert genuine_reply(OWNER, COA, bytes(changed)) is None


@given(st.integers(0, len(COA) * 8 - 1))
def test_no_single_bit_of_a_request_can_be_changed(bit: int) -> None:
    changed = bytearray(COA)
    changed[bit // 8] ^= 1 << bit % 8
    assert read_request(OWNER, bytes(changed)) is None


@given(st.binary(max_size=200))
def test_rubbish_is_neither_a_request_nor_a_reply(rubbish: bytes) -> None:
    assert read_request(OWNER, rubbish) is None
    assert read_reply(OWNER, COA, rubbish) is None


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(coa_request(STRANGER, 7, IDENTITY, CHANGES, NOW), id="another secret"),
        pytest.param(sign(OWNER, encode(4, 7, ZEROES, bytes([80, 18]) + bytes(16))), id="an accounting request"),
        pytest.param(
            COA[:4] + OWNER.request_authenticator(COA[:22] + bytes(16) + COA[38:]) + COA[20:22] + bytes(16) + COA[38:],
            id="wrong Message-Authenticator under a right authenticator",
        ),
    ],
)
def test_a_nas_stays_silent_to(datagram: bytes) -> None:
    assert read_request(OWNER, datagram) is None


@pytest.mark.parametrize(
    ("request_", "cause", "answer"),
    [
        pytest.param(COA, None, Ack(), id="CoA-ACK"),
        pytest.param(COA, 503, Nak(503, "Session-Context-Not-Found"), id="CoA-NAK"),
        pytest.param(DISCONNECT, None, Ack(), id="Disconnect-ACK"),
        pytest.param(DISCONNECT, 504, Nak(504, "Session-Context-Not-Removable"), id="Disconnect-NAK"),
    ],
)
def test_both_sides_understand_each_other(request_: bytes, cause: int | None, answer: Ack | Nak) -> None:
    received = read_request(OWNER, request_)
    assert received is not None
    datagram = reply_to(OWNER, received, cause, encode_attributes([(a.PROXY_STATE, b"hop")]))
    assert read_reply(OWNER, request_, datagram) == answer
    assert parse(datagram).first(a.PROXY_STATE) == b"hop"


def test_a_target_does_not_show_its_secret() -> None:
    assert "a secret" not in repr(Target(IPv4Address("10.0.0.1"), 3799, SECRET))
