"""MS-CHAP version 1 and 2, and the MPPE keys that follow from them (RFC 2433, 2759, 2548, 3079).

The peer proves the password's NT hash (MD4 of its UTF-16); version 2 also wants the server's proof back and
mixes both challenges with the user's name. DES is the Triple DES of `cryptography` with three equal keys: single DES is
no longer to be had there, and that of pycryptodome takes three times as long.
All functions are pure; the names are the RFCs'.
"""

from __future__ import annotations

from functools import lru_cache
from hmac import compare_digest
from typing import TYPE_CHECKING

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from radius.attributes import (
    MS_CHAP2_SUCCESS,
    MS_CHAP_MPPE_KEYS,
    MS_MPPE_RECV_KEY,
    MS_MPPE_SEND_KEY,
    VENDOR_MICROSOFT,
)
from radius.authenticators import Authenticators
from radius.codec import Attribute, vendor_attribute
from radius.md4 import md4
from radius.passwords import hide

if TYPE_CHECKING:
    from hashlib import sha1
else:
    try:
        from _sha1 import sha1  # without a set-up at each call
    except ImportError:  # an interpreter built without its own hashes
        from hashlib import sha1

# RFC 2759 §8.7
_MAGIC_SERVER_TO_CLIENT = b"Magic server to client signing constant"
_MAGIC_PAD = b"Pad to make it do more than one iteration"
# RFC 3079 §3.4
_MAGIC_MASTER = b"This is the MPPE Master Key"
_MAGIC_CLIENT_SENDS = b"On the client side, this is the send key; on the server side, it is the receive key."
_MAGIC_SERVER_SENDS = b"On the client side, this is the receive key; on the server side, it is the send key."
_ECB = modes.ECB()  # noqa: S305 - of a single block
_PAD_1, _PAD_2 = b"\x00" * 40, b"\xf2" * 40

V1_RESPONSE_LENGTH = 50
V2_RESPONSE_LENGTH = 50
V1_CHALLENGE_LENGTH = 8
V2_CHALLENGE_LENGTH = 16


def nt_password_hash(password: bytes) -> bytes:
    """MD4 of the password as UTF-16LE (RFC 2759 §8.3). Octets that are no UTF-8 are read as Latin-1."""
    try:
        text = password.decode()
    except UnicodeDecodeError:
        text = password.decode("latin-1")
    return md4(text.encode("utf-16-le"))


@lru_cache(maxsize=1)
def hash_nt_password_hash(password_hash: bytes) -> bytes:
    """RFC 2759 §8.4. One answer asks for it twice, hence the cache of one."""
    return md4(password_hash)


def challenge_response(challenge: bytes, password_hash: bytes) -> bytes:
    """The 24 octets that answer an 8-octet challenge: three DES blocks (RFC 2759 §8.5)."""
    keys = password_hash.ljust(21, b"\0")
    return b"".join([_des(keys[at : at + 7], challenge) for at in (0, 7, 14)])


def _des(key: bytes, block: bytes) -> bytes:
    """One block under a key of 56 bits."""
    return Cipher(TripleDES(_with_parity(key) * 3), _ECB).encryptor().update(block)


def _with_parity(key: bytes) -> bytes:
    """56 bits spread over 8 octets, seven to each: halves, quarters and eighths are moved apart in turn.

    The lowest bit of each octet, parity, is ignored by DES.
    """
    bits = int.from_bytes(key)
    bits = (bits & 0xFFFFFFF0000000) << 4 | bits & 0xFFFFFFF
    bits = (bits & 0x0FFFC0000FFFC000) << 2 | bits & 0x3FFF00003FFF
    bits = (bits & 0x3F803F803F803F80) << 1 | bits & 0x7F007F007F007F
    return (bits << 1).to_bytes(8)


def challenge_hash(peer_challenge: bytes, authenticator_challenge: bytes, user_name: bytes) -> bytes:
    """8 octets of both challenges and the name without its `DOMAIN\\` (RFC 2759 §8.2)."""
    name = user_name.rpartition(b"\\")[2]
    return sha1(peer_challenge + authenticator_challenge + name).digest()[:8]


def authenticator_response(password_hash: bytes, nt_response: bytes, challenge: bytes) -> bytes:
    """`S=` and 40 hexadecimal digits: the server's proof (RFC 2759 §8.7); `challenge` is the challenge hash."""
    hashed = hash_nt_password_hash(password_hash)
    digest = sha1(hashed + nt_response + _MAGIC_SERVER_TO_CLIENT).digest()
    return b"S=" + sha1(digest + challenge + _MAGIC_PAD).hexdigest().upper().encode("ascii")


def v2_success(response: bytes, challenge: bytes, user_name: bytes, password_hash: bytes) -> bytes | None:
    """Value of MS-CHAP2-Success for a right MS-CHAP2-Response, else None (RFC 2548 §2.3.2 and §2.3.3).

    `response` is ident, flags, peer challenge (16), reserved (8), NT-Response (24); the success is the same ident
    and 42 octets.
    """
    if len(response) != V2_RESPONSE_LENGTH or len(challenge) != V2_CHALLENGE_LENGTH:
        return None
    hashed = challenge_hash(response[2:18], challenge, user_name)
    nt_response = response[26:50]
    if not compare_digest(challenge_response(hashed, password_hash), nt_response):
        return None
    return response[:1] + authenticator_response(password_hash, nt_response, hashed)


def v1_holds(response: bytes, challenge: bytes, password_hash: bytes) -> bool:
    """Whether MS-CHAP-Response holds a right NT-Response (RFC 2548 §2.1.3); the LM response is never accepted."""
    if len(response) != V1_RESPONSE_LENGTH or len(challenge) != V1_CHALLENGE_LENGTH or response[1] != 1:
        return False
    return compare_digest(challenge_response(challenge, password_hash), response[26:50])


def master_key(password_hash: bytes, nt_response: bytes) -> bytes:
    """GetMasterKey (RFC 3079 §3.4)."""
    return sha1(hash_nt_password_hash(password_hash) + nt_response + _MAGIC_MASTER).digest()[:16]


def start_keys(master: bytes) -> tuple[bytes, bytes]:
    """(send, receive) 128-bit start keys as the server names them: GetAsymmetricStartKey (RFC 3079 §3.4)."""
    send, receive = (
        sha1(master + _PAD_1 + magic + _PAD_2).digest()[:16] for magic in (_MAGIC_SERVER_SENDS, _MAGIC_CLIENT_SENDS)
    )
    return send, receive


def hide_key(key: bytes, salt: bytes, authenticators: Authenticators, request_authenticator: bytes) -> bytes:
    """Value of MS-MPPE-Send-Key or -Recv-Key: salt, then the hidden key (RFC 2548 §2.4.2).

    `salt` is two octets, the high bit set, and no other attribute of the packet has it.
    """
    plain = bytes((len(key),)) + key
    plain = plain.ljust(-(-len(plain) // 16) * 16, b"\0")
    hidden, state = b"", request_authenticator + salt
    for at in range(0, len(plain), 16):
        pad = int.from_bytes(authenticators.md5_of_secret_and(state))
        state = (int.from_bytes(plain[at : at + 16]) ^ pad).to_bytes(16)
        hidden += state
    return salt + hidden


def v2_attributes(
    success: bytes, keys: tuple[bytes, bytes], serial: int, owner: Authenticators, request_authenticator: bytes
) -> list[Attribute]:
    """What an Access-Accept for MS-CHAPv2 carries: the success and both MPPE keys (send, receive).

    `serial` makes the two salts; count it up by one for each answer.
    """
    hidden = [
        hide_key(key, (0x8000 | (2 * serial + one) & 0x7FFF).to_bytes(2), owner, request_authenticator)
        for one, key in enumerate(keys)
    ]
    values = (MS_CHAP2_SUCCESS, success), (MS_MPPE_SEND_KEY, hidden[0]), (MS_MPPE_RECV_KEY, hidden[1])
    return [vendor_attribute(VENDOR_MICROSOFT, kind, value) for kind, value in values]


def v1_attributes(password_hash: bytes, owner: Authenticators, request_authenticator: bytes) -> list[Attribute]:
    """MS-CHAP-MPPE-Keys (RFC 2548 §2.4.1) for MS-CHAP version 1, hidden like a User-Password.

    The LM key is left zero: it would need the LM hash. For the NT key the RFC's text says the NT hash, but every
    NAS expects the hash of the hash, from which RFC 3079 §2.3 derives the session key.
    """
    keys = bytes(8) + hash_nt_password_hash(password_hash)
    return [vendor_attribute(VENDOR_MICROSOFT, MS_CHAP_MPPE_KEYS, hide(keys, owner, request_authenticator))]
