"""User-Password (PAP) and CHAP-Password: passwords are octets, compared in constant time."""

from __future__ import annotations

from hmac import compare_digest

from radius.authenticators import Authenticators, md5

_BLOCK = 16
MAX_PASSWORD = 128


def hide(password: bytes, authenticators: Authenticators, request_authenticator: bytes) -> bytes:
    """The value of User-Password (RFC 2865 §5.2); ValueError over 128 octets."""
    if len(password) > MAX_PASSWORD:
        raise ValueError(f"a password of {len(password)} octets")
    size = max(_BLOCK, -(-len(password) // _BLOCK) * _BLOCK)
    plain, hidden = password.ljust(size, b"\0"), b""
    salt = request_authenticator
    for at in range(0, size, _BLOCK):
        salt = _xor(plain[at : at + _BLOCK], authenticators.md5_of_secret_and(salt))
        hidden += salt
    return hidden


def reveal(hidden: bytes, authenticators: Authenticators, request_authenticator: bytes) -> bytes | None:
    """What `hide` was given, still padded with zero octets to its 16, 32, … 128; None for another length.

    The padding stays because a password may itself end in zero octets: compare with `same_password`.
    """
    if len(hidden) == _BLOCK:
        return _xor(hidden, authenticators.md5_of_secret_and(request_authenticator))
    if not hidden or len(hidden) % _BLOCK or len(hidden) > MAX_PASSWORD:
        return None
    plain, salt = b"", request_authenticator
    for at in range(0, len(hidden), _BLOCK):
        block = hidden[at : at + _BLOCK]
        plain += _xor(block, authenticators.md5_of_secret_and(salt))
        salt = block
    return plain


def same_password(padded: bytes, password: bytes) -> bool:
    """Whether a revealed, padded password is this one."""
    return compare_digest(padded, password.ljust(len(padded), b"\0"))


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(_BLOCK)


def chap_holds(chap_password: bytes, challenge: bytes, password: bytes) -> bool:
    """Whether CHAP-Password (ident + 16 octets) answers the challenge (RFC 2865 §5.3, RFC 1994 §4.1).

    `challenge` is CHAP-Challenge or, when the request has none, the Request Authenticator.
    """
    answer = md5(chap_password[:1] + password + challenge).digest()
    return compare_digest(answer, chap_password[1:])
