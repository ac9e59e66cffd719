"""Request Authenticator, Response Authenticator and Message-Authenticator: who may speak to whom.

Every check is keyed with the secret shared with one NAS, so the secret's contribution is computed once: an
`Authenticators` holds MD5 and HMAC-MD5 states that already contain it, and a packet costs a copy of a state
instead of a key schedule (0.8 µs against 2.0 µs for a Message-Authenticator). MD5 is what the protocol demands;
it is the interpreter's own `_md5`, which has no per-call set-up and is there on hosts where OpenSSL refuses MD5.

A response carries Message-Authenticator as its first attribute: without it an attacker between NAS and server
can turn an Access-Reject into an Access-Accept by an MD5 collision (CVE-2024-3596).
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from radius.attributes import MESSAGE_AUTHENTICATOR
from radius.codec import HEADER_LENGTH, MAX_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import _Hash

    md5: Callable[..., _Hash]
else:
    try:
        from _md5 import md5
    except ImportError:  # an interpreter built without its own hashes
        from functools import partial
        from hashlib import md5 as _openssl_md5

        md5 = partial(_openssl_md5, usedforsecurity=False)

ZEROES = bytes(16)
_EMPTY_MESSAGE_AUTHENTICATOR = bytes((MESSAGE_AUTHENTICATOR, 18)) + ZEROES
_MESSAGE_AUTHENTICATOR_HEADER = _EMPTY_MESSAGE_AUTHENTICATOR[:2]
_BLOCK = 64


class Authenticators:
    """All keyed digests of one shared secret (1 or more octets)."""

    __slots__ = ("_inner", "_outer", "_secret", "_started")

    def __init__(self, secret: bytes) -> None:
        key = (md5(secret).digest() if len(secret) > _BLOCK else secret).ljust(_BLOCK, b"\0")
        self._secret = secret
        self._started = md5(secret)
        self._inner = md5(bytes(octet ^ 0x36 for octet in key))
        self._outer = md5(bytes(octet ^ 0x5C for octet in key))

    def __repr__(self) -> str:
        return "Authenticators(***)"

    def hmac(self, message: bytes) -> bytes:
        """HMAC-MD5 (RFC 2104) of the message."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()

    def md5_of_secret_and(self, salt: bytes) -> bytes:
        """MD5(secret + salt): the first pad of a hidden value (RFC 2865 §5.2, RFC 2548 §2.4.2)."""
        state = self._started.copy()
        state.update(salt)
        return state.digest()

    def message_authenticator_holds(self, packet: bytes, at: int, request_authenticator: bytes = b"") -> bool:
        """Whether the Message-Authenticator attribute that begins at `at` is right (RFC 3579 §3.2).

        `packet` is whole and unpadded. For a response pass the authenticator of its request; for an
        accounting, CoA or Disconnect request pass 16 zero octets (RFC 5176 §3.4).
        """
        value = packet[at + 2 : at + 18]
        if request_authenticator:
            packet = packet[:4] + request_authenticator + packet[HEADER_LENGTH:]
        inner, outer = self._inner.copy(), self._outer.copy()  # as `hmac`, without a call: this is every packet's
        inner.update(packet[: at + 2] + ZEROES + packet[at + 18 :])
        outer.update(inner.digest())
        return compare_digest(outer.digest(), value)

    def request_authenticator(self, packet: bytes) -> bytes:
        """Request Authenticator of an accounting, CoA or Disconnect request (RFC 2866 §3, RFC 5176 §2.3)."""
        return md5(packet[:4] + ZEROES + packet[HEADER_LENGTH:] + self._secret).digest()

    def request_holds(self, packet: bytes) -> bool:
        """Whether an accounting, CoA or Disconnect request carries the right authenticator."""
        return compare_digest(self.request_authenticator(packet), packet[4:HEADER_LENGTH])

    def response_authenticator(self, packet: bytes, request_authenticator: bytes) -> bytes:
        """MD5(Code + ID + Length + RequestAuth + Attributes + Secret) (RFC 2865 §3)."""
        return md5(packet[:4] + request_authenticator + packet[HEADER_LENGTH:] + self._secret).digest()

    def response_holds(self, packet: bytes, request_authenticator: bytes) -> bool:
        """Whether a response answers the request that had this authenticator."""
        return compare_digest(self.response_authenticator(packet, request_authenticator), packet[4:HEADER_LENGTH])

    def plain_response(self, code: int, identifier: int, request_authenticator: bytes, attributes: bytes) -> bytes:
        """A signed response without Message-Authenticator, for accounting; ValueError when over 4096 octets."""
        length = HEADER_LENGTH + len(attributes)
        if length > MAX_LENGTH:
            raise ValueError(f"a response of {length} octets")
        head = bytes((code, identifier, length >> 8, length & 255))
        return head + md5(head + request_authenticator + attributes + self._secret).digest() + attributes

    def response(self, code: int, identifier: int, request_authenticator: bytes, attributes: bytes) -> bytes:
        """A signed response with Message-Authenticator first; ValueError when over 4096 octets.

        `attributes` are encoded and hold no Message-Authenticator of their own.
        """
        length = HEADER_LENGTH + 18 + len(attributes)
        if length > MAX_LENGTH:
            raise ValueError(f"a response of {length} octets")
        head = bytes((code, identifier, length >> 8, length & 255))
        start = head + request_authenticator
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(start + _EMPTY_MESSAGE_AUTHENTICATOR + attributes)
        outer.update(inner.digest())
        signed = _MESSAGE_AUTHENTICATOR_HEADER + outer.digest() + attributes
        return head + md5(start + signed + self._secret).digest() + signed
