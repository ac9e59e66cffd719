"""MD4 (RFC 1320), which MS-CHAP is made of and nothing else should be.

OpenSSL 3 keeps it among its legacy algorithms, where `hashlib` does not look but `cryptography` does: a quarter of the
time that pycryptodome takes. Where that OpenSSL was built without them, pycryptodome has it.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import Hash, HashAlgorithm


class _Md4(HashAlgorithm):
    name = "md4"
    digest_size = 16
    block_size = 64


_MD4 = _Md4()


def openssl_md4(octets: bytes) -> bytes:
    """UnsupportedAlgorithm where OpenSSL has none."""
    state = Hash(_MD4)
    state.update(octets)
    return state.finalize()


def pycryptodome_md4(octets: bytes) -> bytes:
    from Crypto.Hash.MD4 import MD4Hash  # here, because it takes long to import and is rarely wanted

    digest: bytes = MD4Hash(octets).digest()
    return digest


def _best() -> Callable[[bytes], bytes]:
    try:
        openssl_md4(b"")
    except UnsupportedAlgorithm:
        return pycryptodome_md4
    return openssl_md4


md4 = _best()
"""16 octets."""
