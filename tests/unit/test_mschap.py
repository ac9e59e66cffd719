"""MS-CHAP against the vectors of RFC 2433 appendix B, RFC 2759 §9.2 and RFC 3079 §3.5."""

from __future__ import annotations

import hashlib

import pytest

from radius.attributes import MS_CHAP2_SUCCESS, MS_CHAP_MPPE_KEYS, MS_MPPE_RECV_KEY, MS_MPPE_SEND_KEY
from radius.authenticators import Authenticators
from radius.codec import vendor_attributes
from radius.mschap import (
    authenticator_response,
    challenge_hash,
    challenge_response,
    hash_nt_password_hash,
    hide_key,
    master_key,
    nt_password_hash,
    start_keys,
    v1_attributes,
    v1_holds,
    v2_attributes,
    v2_success,
)
from radius.passwords import reveal
from tests.factories_auth import AUTHENTICATOR, SECRET

# RFC 2759 §9.2
USER, PASSWORD = b"User", b"clientPass"
AUTHENTICATOR_CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
CHALLENGE = bytes.fromhex("D02E4386BCE91226")
PASSWORD_HASH = bytes.fromhex("44EBBA8D5312B8D611474411F56989AE")
NT_RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")
PASSWORD_HASH_HASH = bytes.fromhex("41C00C584BD2D91C4017A2A12FA59F3F")
AUTHENTICATOR_RESPONSE = b"S=407A5589115FD0D6209F510FE9C04566932CDA56"
# RFC 3079 §3.5.1 and §3.5.3
MASTER_KEY = bytes.fromhex("FDECE3717A8C838CB388E527AE3CDD31")
SEND_START_KEY_128 = bytes.fromhex("8B7CDC149B993A1BA118CB153F56DCCB")
SEND_SESSION_KEY_128 = bytes.fromhex("405CB2247A7956E6E211007AE27B22D4")

RESPONSE = b"\x2a\x00" + PEER_CHALLENGE + bytes(8) + NT_RESPONSE
OWNER = Authenticators(SECRET)


def test_rfc_2759_section_9_2_step_by_step() -> None:
    assert challenge_hash(PEER_CHALLENGE, AUTHENTICATOR_CHALLENGE, USER) == CHALLENGE
    assert nt_password_hash(PASSWORD) == PASSWORD_HASH
    assert hash_nt_password_hash(PASSWORD_HASH) == PASSWORD_HASH_HASH
    assert challenge_response(CHALLENGE, PASSWORD_HASH) == NT_RESPONSE
    assert authenticator_response(PASSWORD_HASH, NT_RESPONSE, CHALLENGE) == AUTHENTICATOR_RESPONSE


def test_rfc_3079_section_3_5_keys() -> None:
    master = master_key(PASSWORD_HASH, NT_RESPONSE)
    send, receive = start_keys(master)
    assert master == MASTER_KEY
    assert send == SEND_START_KEY_128
    # GetNewKeyFromSHA, which the NAS does, leads from our start key to the RFC's session key
    pads = bytes(40), b"\xf2" * 40
    assert hashlib.sha1(send + pads[0] + send + pads[1]).digest()[:16] == SEND_SESSION_KEY_128
    assert receive.hex().upper() == "D5F0E9521E3EA9589645E86051C82226", "what the client sends with"


def test_rfc_2433_appendix_b() -> None:
    hashed = nt_password_hash(b"MyPw")
    assert hashed.hex().upper() == "FC156AF7EDCD6C0EDDE3337D427F4EAC"
    answer = challenge_response(bytes.fromhex("102DB5DF085D3041"), hashed)
    assert answer.hex().upper() == "4E9D3C8F9CFD385D5BF4D3246791956CA4C351AB409A3D61"


def test_success_is_the_ident_and_42_octets() -> None:
    success = v2_success(RESPONSE, AUTHENTICATOR_CHALLENGE, USER, PASSWORD_HASH)
    assert success == b"\x2a" + AUTHENTICATOR_RESPONSE
    assert len(success) == 1 + 42


def test_the_domain_is_not_part_of_the_name() -> None:
    assert v2_success(RESPONSE, AUTHENTICATOR_CHALLENGE, b"BIGCO\\" + USER, PASSWORD_HASH) is not None


WRONG = {
    "wrong password": (RESPONSE, AUTHENTICATOR_CHALLENGE, USER, nt_password_hash(b"clientpass")),
    "other user": (RESPONSE, AUTHENTICATOR_CHALLENGE, b"user", PASSWORD_HASH),
    "other challenge": (RESPONSE, bytes(16), USER, PASSWORD_HASH),
    "short challenge": (RESPONSE, AUTHENTICATOR_CHALLENGE[:15], USER, PASSWORD_HASH),
    "no challenge": (RESPONSE, b"", USER, PASSWORD_HASH),
    "short response": (RESPONSE[:49], AUTHENTICATOR_CHALLENGE, USER, PASSWORD_HASH),
    "long response": (RESPONSE + b"\0", AUTHENTICATOR_CHALLENGE, USER, PASSWORD_HASH),
    "changed response": (RESPONSE[:-1] + b"\0", AUTHENTICATOR_CHALLENGE, USER, PASSWORD_HASH),
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG.keys())
def test_wrong_version_2_answers(arguments: tuple[bytes, bytes, bytes, bytes]) -> None:
    assert v2_success(*arguments) is None


V1_CHALLENGE = bytes.fromhex("102DB5DF085D3041")
V1_ANSWER = bytes.fromhex("4E9D3C8F9CFD385D5BF4D3246791956CA4C351AB409A3D61")
V1 = {
    "right": (b"\1\1" + bytes(24) + V1_ANSWER, V1_CHALLENGE, True),
    "only LM offered": (b"\1\0" + V1_ANSWER + bytes(24), V1_CHALLENGE, False),
    "NT flag off": (b"\1\0" + bytes(24) + V1_ANSWER, V1_CHALLENGE, False),
    "wrong": (b"\1\1" + bytes(24) + V1_ANSWER[::-1], V1_CHALLENGE, False),
    "challenge of 16": (b"\1\1" + bytes(24) + V1_ANSWER, V1_CHALLENGE * 2, False),
    "short": (b"\1\1", V1_CHALLENGE, False),
}


@pytest.mark.parametrize(("response", "challenge", "holds"), V1.values(), ids=V1.keys())
def test_version_1(response: bytes, challenge: bytes, holds: bool) -> None:
    assert v1_holds(response, challenge, nt_password_hash(b"MyPw")) is holds


@pytest.mark.parametrize(
    ("password", "text"),
    [(b"senha", "senha"), ("coração".encode(), "coração"), ("coração".encode("latin-1"), "coração")],
    ids=["ascii", "utf-8", "latin-1"],
)
def test_the_hash_is_over_the_text_that_the_octets_mean(password: bytes, text: str) -> None:
    from Crypto.Hash import MD4

    assert nt_password_hash(password) == MD4.new(text.encode("utf-16-le")).digest()


def revealed_key(value: bytes) -> bytes:
    """RFC 2548 §2.4.2 backwards, with the standard library."""
    plain, last = b"", AUTHENTICATOR + value[:2]
    for at in range(2, len(value), 16):
        pad = hashlib.md5(SECRET + last).digest()
        last = value[at : at + 16]
        plain += bytes(one ^ two for one, two in zip(last, pad, strict=True))
    return plain[1 : 1 + plain[0]]


@pytest.mark.parametrize("size", [0, 1, 8, 15, 16, 32])
def test_hidden_keys_are_revealed_by_the_rfcs_inverse(size: int) -> None:
    key = bytes(range(size))
    value = hide_key(key, b"\x80\x01", OWNER, AUTHENTICATOR)
    assert (len(value) - 2) % 16 == 0
    assert revealed_key(value) == key


def test_an_accept_carries_success_and_both_keys_with_salts_of_their_own() -> None:
    seen = set()
    for serial in (0, 1, 2, 16_383, 16_384, 40_000):
        made = v2_attributes(b"\x2aS=", (b"s" * 16, b"r" * 16), serial, OWNER, AUTHENTICATOR)
        inner = dict(pair for _, value in made for pair in vendor_attributes(value, 311))
        assert inner[MS_CHAP2_SUCCESS] == b"\x2aS="
        send, receive = inner[MS_MPPE_SEND_KEY], inner[MS_MPPE_RECV_KEY]
        assert revealed_key(send) == b"s" * 16
        assert revealed_key(receive) == b"r" * 16
        assert send[0] & receive[0] & 0x80, "the high bit of a salt is set"
        assert send[:2] != receive[:2]
        seen |= {send[:2], receive[:2]}
    assert len(seen) == 10, "only 16384 answers apart may a salt come again"


def test_version_1_keys_are_hidden_like_a_password() -> None:
    ((_, value),) = v1_attributes(PASSWORD_HASH, OWNER, AUTHENTICATOR)
    ((kind, hidden_keys),) = vendor_attributes(value, 311)
    assert kind == MS_CHAP_MPPE_KEYS
    assert len(hidden_keys) == 32
    assert reveal(hidden_keys, OWNER, AUTHENTICATOR) == bytes(8) + PASSWORD_HASH_HASH + bytes(8)
