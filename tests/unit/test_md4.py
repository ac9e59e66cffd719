"""MD4 against the vectors of RFC 1320 A.5, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.md4 import md4, openssl_md4, pycryptodome_md4

VECTORS = {
    b"": "31d6cfe0d16ae931b73c59d7e0c089c0",
    b"a": "bde52cb31de33e46245e05fbdbd6fb24",
    b"abc": "a448017aaf21d8525fc10ae87aa6729d",
    b"message digest": "d9130a8164549fe818874806e1c7014b",
    b"abcdefghijklmnopqrstuvwxyz": "d79e1c308aa5bbcdeea8ed63df412da9",
    b"1234567890" * 8: "e33b4ddc9c38f2199c3e7b164fcc0536",
}


@pytest.mark.parametrize("implementation", [md4, openssl_md4, pycryptodome_md4])
@pytest.mark.parametrize(("octets", "digest"), VECTORS.items())
def test_rfc_1320(implementation: Callable[[bytes], bytes], octets: bytes, digest: str) -> None:
    assert implementation(octets).hex() == digest


@given(st.binary(max_size=300))
def test_both_agree(octets: bytes) -> None:
    assert openssl_md4(octets) == pycryptodome_md4(octets)
