"""Authenticators, against the RFCs' own packets octet for octet, and against the standard library."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.attributes import CHAP_PASSWORD, MESSAGE_AUTHENTICATOR, STATE, USER_NAME, USER_PASSWORD
from radius.authenticators import Authenticators
from radius.codec import encode, encode_attributes, parse
from radius.passwords import chap_holds, hide, reveal, same_password

SECRET = b"xyzzy5461"


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


# RFC 2865 §7.1: nemo, password arctangent
TELNET_REQUEST = octets(
    "01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a"
    "01 06 6e 65 6d 6f 02 12 0d be 70 8d 93 d4 13 ce 31 96 e4 3f 78 2a 0a ee"
    "04 06 c0 a8 01 10 05 06 00 00 00 03"
)
TELNET_ACCEPT = octets(
    "02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b206 06 00 00 00 01 0f 06 00 00 00 00 0e 06 c0 a8 01 03"
)
# RFC 2865 §7.2: flopsy, password arctangent, CHAP with the Request Authenticator as challenge
FRAMED_REQUEST = octets(
    "01 01 00 47 2a ee 86 f0 8d 0d 55 96 9c a5 97 8e 0d 33 67 a2"
    "01 08 66 6c 6f 70 73 79 03 13 16 e9 75 57 c3 16 18 58 95 f2 93 ff 63 44 07 72 75"
    "04 06 c0 a8 01 10 05 06 00 00 00 14 06 06 00 00 00 02 07 06 00 00 00 01"
)
FRAMED_ACCEPT = octets(
    "02 01 00 38 15 ef bc 7d ab 26 cf a3 dc 34 d9 c0 3c 86 01 a4"
    "06 06 00 00 00 02 07 06 00 00 00 01 08 06 ff ff ff fe 0a 06 00 00 00 02"
    "0d 06 00 00 00 01 0c 06 00 00 05 dc"
)
# RFC 2865 §7.3: mopsy, challenged
CHALLENGE_REQUEST = octets(
    "01 02 00 39 f3 a4 7a 1f 6a 6d 76 71 0b 94 7a b9 30 41 a0 39"
    "01 07 6d 6f 70 73 79 02 12 33 65 75 73 77 82 89 b5 70 88 5e 15 08 48 25 c5"
    "04 06 c0 a8 01 10 05 06 00 00 00 07"
)
CHALLENGE = (
    octets("0b 02 00 4e 36 f3 c8 76 4a e8 c7 11 57 40 3c 0c 71 ff 9c 45 12 30")
    + b"Challenge 32769430.  Enter response at prompt."
    + octets("18 0a 33 32 37 36 39 34 33 30")
)
ANSWER_REQUEST = octets(
    "01 03 00 43 b1 22 55 6d 42 8a 13 d0 d6 25 38 07 c4 57 ec f0"
    "01 07 6d 6f 70 73 79 02 12 69 2c 1f 20 5f c0 81 b9 19 b9 51 95 f5 61 a5 81"
    "04 06 c0 a8 01 10 05 06 00 00 00 07 18 0a 33 32 37 36 39 34 33 30"
)
ANSWER_REJECT = octets("03 03 00 14 a4 2f 4f ca 45 91 6c 4e 09 c8 34 0f 9e 74 6a a0")
# RFC 5997 §6.1 and §6.2; the RFC prints 02 as the first octet of the last, which its authenticator contradicts
STATUS_AUTH = octets(
    "0c da 00 26 8a 54 f4 68 6f b3 94 c5 28 66 e3 02 18 5d 06 2350 12 5a 66 5e 2e 1e 84 11 f3 e2 43 82 20 97 c8 4f a3"
)
STATUS_AUTH_REPLY = octets("02 da 00 14 ef 0d 55 2a 4b f2 d6 93 ec 2b 6f e8 b5 41 1d 66")
STATUS_ACCT = octets(
    "0c b3 00 26 92 5f 6b 66 dd 5f ed 57 1f cb 1d b7 ad 38 82 6050 12 e8 d6 ea bd a9 10 87 5c d9 1f da de 26 36 78 58"
)
STATUS_ACCT_REPLY = octets("05 b3 00 14 0f 6f 92 14 5f 10 7e 2f 50 4e 86 0a 48 60 66 9c")

EXCHANGES = {
    "RFC 2865 7.1 telnet": (TELNET_REQUEST, TELNET_ACCEPT),
    "RFC 2865 7.2 framed": (FRAMED_REQUEST, FRAMED_ACCEPT),
    "RFC 2865 7.3 challenge": (CHALLENGE_REQUEST, CHALLENGE),
    "RFC 2865 7.3 reject": (ANSWER_REQUEST, ANSWER_REJECT),
    "RFC 5997 6.1 status": (STATUS_AUTH, STATUS_AUTH_REPLY),
    "RFC 5997 6.2 status of accounting": (STATUS_ACCT, STATUS_ACCT_REPLY),
}
exchanges = pytest.mark.parametrize(("request_", "reply"), EXCHANGES.values(), ids=EXCHANGES.keys())


@exchanges
def test_response_authenticators_of_the_rfcs_hold(request_: bytes, reply: bytes) -> None:
    ours = Authenticators(SECRET)
    assert ours.response_holds(reply, request_[4:20])
    assert ours.response_authenticator(reply, request_[4:20]) == reply[4:20]
    assert not ours.response_holds(reply[:-1] + bytes((reply[-1] ^ 1,)), request_[4:20])
    assert not Authenticators(SECRET + b"x").response_holds(reply, request_[4:20])


@exchanges
def test_packets_of_the_rfcs_are_encoded_as_they_were_parsed(request_: bytes, reply: bytes) -> None:
    for datagram in (request_, reply):
        packet = parse(datagram)
        again = encode_attributes(packet.attributes)
        assert encode(packet.code, packet.identifier, packet.authenticator, again) == datagram


def test_the_printed_code_of_rfc_5997_6_2_does_not_verify() -> None:
    printed = b"\x02" + STATUS_ACCT_REPLY[1:]
    assert not Authenticators(SECRET).response_holds(printed, STATUS_ACCT[4:20])


PASSWORDS = {
    "RFC 2865 7.1": (TELNET_REQUEST, b"nemo", b"arctangent"),
    "RFC 2865 7.3 first": (CHALLENGE_REQUEST, b"mopsy", b"challenge"),
    "RFC 2865 7.3 second": (ANSWER_REQUEST, b"mopsy", b"99101462"),
}


@pytest.mark.parametrize(("request_", "name", "password"), PASSWORDS.values(), ids=PASSWORDS.keys())
def test_user_passwords_of_the_rfc(request_: bytes, name: bytes, password: bytes) -> None:
    ours, packet = Authenticators(SECRET), parse(request_)
    value = packet.first(USER_PASSWORD)
    assert value is not None
    assert packet.first(USER_NAME) == name
    assert hide(password, ours, packet.authenticator) == value
    padded = reveal(value, ours, packet.authenticator)
    assert padded is not None
    assert same_password(padded, password)


def test_chap_of_the_rfc_uses_the_request_authenticator_as_challenge() -> None:
    packet = parse(FRAMED_REQUEST)
    answer = packet.first(CHAP_PASSWORD)
    assert answer is not None
    assert chap_holds(answer, packet.authenticator, b"arctangent")
    assert not chap_holds(answer, packet.authenticator, b"arctangens")
    assert parse(ANSWER_REQUEST).first(STATE) == b"32769430"


@pytest.mark.parametrize("request_", [STATUS_AUTH, STATUS_ACCT], ids=["6.1", "6.2"])
def test_message_authenticators_of_rfc_5997(request_: bytes) -> None:
    ours = Authenticators(SECRET)
    assert ours.message_authenticator_holds(request_, 20)
    assert not Authenticators(b"other").message_authenticator_holds(request_, 20)
    for at in range(len(request_)):
        changed = request_[:at] + bytes((request_[at] ^ 0x10,)) + request_[at + 1 :]
        if at not in (20, 21):
            assert not ours.message_authenticator_holds(changed, 20), f"octet {at} is not covered"


@given(st.binary(min_size=1, max_size=100), st.binary(max_size=300))
def test_hmac_agrees_with_the_standard_library(secret: bytes, message: bytes) -> None:
    ours = Authenticators(secret)
    assert ours.hmac(message) == hmac.digest(secret, message, "md5")
    assert ours.hmac(message) == hmac.digest(secret, message, "md5"), "a state was used up"
    assert ours.md5_of_secret_and(message) == hashlib.md5(secret + message).digest()


@given(st.binary(min_size=16, max_size=16), st.binary(max_size=200), st.integers(0, 255))
def test_responses_are_signed_twice(authenticator: bytes, value: bytes, identifier: int) -> None:
    ours = Authenticators(SECRET)
    reply = ours.response(2, identifier, authenticator, encode_attributes([(18, value)]))
    assert ours.response_holds(reply, authenticator)
    assert [kind for kind, _ in parse(reply).attributes] == [MESSAGE_AUTHENTICATOR, 18]
    assert ours.message_authenticator_holds(reply, 20, authenticator)
    assert not ours.message_authenticator_holds(reply, 20, bytes(15) + b"\1")


def test_a_response_has_at_most_4096_octets() -> None:
    ours = Authenticators(SECRET)
    assert len(ours.response(2, 1, bytes(16), bytes(4096 - 38))) == 4096
    with pytest.raises(ValueError, match="4097"):
        ours.response(2, 1, bytes(16), bytes(4096 - 37))


def test_request_authenticator_of_accounting_and_coa() -> None:
    blank = encode(4, 9, bytes(16), encode_attributes([(40, bytes(3) + b"\1")]))
    signed = blank[:4] + hashlib.md5(blank + SECRET).digest() + blank[20:]
    ours = Authenticators(SECRET)
    assert ours.request_holds(signed)
    assert ours.request_authenticator(blank) == signed[4:20]
    assert not ours.request_holds(blank)


def test_message_authenticator_of_a_coa_request_is_over_a_zero_authenticator() -> None:
    blank = encode(43, 9, bytes(16), encode_attributes([(1, b"ana"), (80, bytes(16))]))
    signed = blank[:-16] + hmac.digest(SECRET, blank, "md5")
    sent = signed[:4] + hashlib.md5(signed + SECRET).digest() + signed[20:]
    assert Authenticators(SECRET).message_authenticator_holds(sent, 25, bytes(16))


def test_the_secret_is_not_shown() -> None:
    assert "xyzzy" not in repr(Authenticators(SECRET))
