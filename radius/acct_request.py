"""The quick view of an accounting datagram: is it sound, and what of it does an answer need? Pure.

An Accounting-Request carries some twenty attributes, of which the answer needs none but Proxy-State; the drainer reads
the others later. So the datagram is checked and not taken apart. Most have only attributes whose inside is nobody's
business here, and one pattern walks over all of those at once, in C. What the pattern does not know is walked over one
by one. Either way exactly what `radius.codec.parse` accepts is accepted, to which a property test holds it.
"""

from __future__ import annotations

import re

from radius.attributes import CODES, MESSAGE_AUTHENTICATOR, PROXY_STATE, VENDOR_SPECIFIC
from radius.codec import HEADER_LENGTH, MAX_ATTRIBUTES, Malformed, check_vendor_specific, trim

_SPECIAL = frozenset({0, VENDOR_SPECIFIC, PROXY_STATE, MESSAGE_AUTHENTICATOR})
"""Not plain: refused, looked into, or part of the answer."""
_FEW = HEADER_LENGTH + 2 * MAX_ATTRIBUTES
"""A packet up to this long cannot hold too many attributes: the shortest has two octets."""


def _plain_attributes() -> re.Pattern[bytes]:
    """Any number of attributes without the special ones: type, length, and as many octets as the length says.

    The commonest length, that of a number, comes first, because lengths are tried in turn.
    """
    lengths = sorted(range(2, 256), key=lambda length: (length != 6, length))
    values = b"|".join(b"\\x%02x.{%d}" % (length, length - 2) for length in lengths)
    special = b"".join(b"\\x%02x" % kind for kind in sorted(_SPECIAL))
    return re.compile(b"(?:[^%b](?:%b))*" % (special, values), re.DOTALL)


_plain = _plain_attributes().fullmatch


AcctRequest = tuple[bytes, int, bytes]
"""The datagram without padding, sound; where Message-Authenticator begins, 0 when there is none; all Proxy-State
attributes as they arrived, for the reply (RFC 2865 §5.33)."""


def read_acct_request(datagram: bytes) -> AcctRequest:
    """Check a whole datagram, of any code; Malformed unless all of it is sound."""
    raw = trim(datagram)
    if len(raw) <= _FEW and _plain(raw, HEADER_LENGTH) and raw[0] in CODES:
        return raw, 0, b""
    if raw[0] not in CODES:
        raise Malformed("unknown_code")
    return _walk(raw)


def _walk(raw: bytes) -> AcctRequest:
    length, at, count = len(raw), HEADER_LENGTH, 0
    special: list[int] = []
    try:
        while at < length:
            if raw[at] in _SPECIAL:
                special.append(at)
            step = raw[at + 1]
            if step < 2:
                raise Malformed("attribute_length")
            at += step
            count += 1
    except IndexError:
        raise Malformed("attribute_length") from None
    if at != length:
        raise Malformed("attribute_length")
    if count > MAX_ATTRIBUTES:
        raise Malformed("too_many_attributes")
    return _look_into(raw, special)


def _look_into(raw: bytes, special: list[int]) -> AcctRequest:
    """`special` are the offsets of the special attributes."""
    authenticator, proxy_states = 0, []
    for at in special:
        kind, value = raw[at], raw[at + 2 : at + raw[at + 1]]
        if kind == PROXY_STATE:
            proxy_states.append(raw[at : at + raw[at + 1]])
        elif kind == VENDOR_SPECIFIC:
            check_vendor_specific(value)
        elif kind == MESSAGE_AUTHENTICATOR:
            if authenticator or len(value) != 16:
                raise Malformed("message_authenticator_shape")
            authenticator = at
        else:
            raise Malformed("attribute_zero")
    return raw, authenticator, b"".join(proxy_states)
