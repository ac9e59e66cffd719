"""User-Password and CHAP: octets in, octets out, nothing normalised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.authenticators import Authenticators
from radius.passwords import MAX_PASSWORD, chap_holds, hide, reveal, same_password
from tests.factories_auth import AUTHENTICATOR, SECRET, chap, hidden

OURS = Authenticators(SECRET)


@given(st.binary(max_size=MAX_PASSWORD), st.binary(min_size=16, max_size=16))
def test_any_octets_survive_hiding(password: bytes, authenticator: bytes) -> None:
    value = hide(password, OURS, authenticator)
    assert value == hidden(password, authenticator), "differs from RFC 2865 §5.2 as the tests write it"
    padded = reveal(value, OURS, authenticator)
    assert padded is not None
    assert same_password(padded, password)


LENGTHS = {0: 16, 1: 16, 15: 16, 16: 16, 17: 32, 32: 32, 127: 128, 128: 128}


@pytest.mark.parametrize(("size", "expected"), LENGTHS.items())
def test_hidden_values_fill_blocks(size: int, expected: int) -> None:
    assert len(hide(b"x" * size, OURS, AUTHENTICATOR)) == expected


@pytest.mark.parametrize("size", [0, 1, 15, 17, 31, 129, 144, 253])
def test_values_of_another_length_are_no_passwords(size: int) -> None:
    assert reveal(bytes(size), OURS, AUTHENTICATOR) is None


def test_a_password_over_128_octets_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="129"):
        hide(bytes(129), OURS, AUTHENTICATOR)


DIFFERENT = {
    "longer": (b"segredo1", b"segredo"),
    "shorter": (b"segred", b"segredo"),
    "case": (b"Segredo", b"segredo"),
    "Latin-1 against UTF-8": ("coração".encode("latin-1"), "coração".encode()),
    "beyond one block": (b"a" * 16, b"a" * 17),
    "empty": (b"", b"segredo"),
    "zero octet in the middle": (b"seg", b"seg\0redo"),
}


@pytest.mark.parametrize(("sent", "stored"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_different_passwords_differ(sent: bytes, stored: bytes) -> None:
    padded = reveal(hidden(sent), OURS, AUTHENTICATOR)
    assert padded is not None
    assert not same_password(padded, stored)


@given(st.binary(max_size=64), st.binary(min_size=1, max_size=32), st.integers(0, 255))
def test_chap(password: bytes, challenge: bytes, ident: int) -> None:
    answer = chap(password, challenge, ident)
    assert chap_holds(answer, challenge, password)
    assert not chap_holds(answer, challenge, password + b"!")
    assert not chap_holds(answer[:-1], challenge, password)
    assert not chap_holds(b"", challenge, password)
