"""The quick view of an accounting datagram: is it sound, and what of it does an answer need? Pure.

An Accounting-Request carries some twenty attributes, of which the answer needs none but Proxy-State; the drainer reads
the others later. So the datagram is checked and not taken apart; and what a walk over the attributes has found holds
for all packets of the same layout (`radius.layouts`). Exactly what `radius.codec.parse` accepts is accepted, to which a
property test holds it.
"""

from __future__ import annotations

from typing import NamedTuple

from radius.attributes import CODES, MESSAGE_AUTHENTICATOR, PROXY_STATE, VENDOR_SPECIFIC
from radius.codec import HEADER_LENGTH, MAX_ATTRIBUTES, Malformed, check_vendor_specific, trim
from radius.layouts import Layouts, mask_of

_SPECIAL = frozenset({0, VENDOR_SPECIFIC, PROXY_STATE, MESSAGE_AUTHENTICATOR})
"""Not plain: refused, looked into, or part of the answer."""

AcctRequest = tuple[bytes, int, bytes]
"""The datagram without padding, sound; where Message-Authenticator begins, 0 when there is none; all Proxy-State
attributes as they arrived, for the reply (RFC 2865 §5.33)."""


def read_acct_request(datagram: bytes) -> AcctRequest:
    """Check a whole datagram, of any code; Malformed unless all of it is sound."""
    raw = trim(datagram)
    layout = _find(raw)
    authenticator, proxy_states = _look_into(raw, _walk(raw)) if layout is None else layout.places
    if not proxy_states:
        return raw, authenticator, b""
    return raw, authenticator, b"".join([raw[at : at + raw[at + 1]] for at in proxy_states])


class _Layout(NamedTuple):
    """What all packets that are `expected` under `mask` have: where Message-Authenticator (0: none) and each
    Proxy-State begin."""

    mask: int
    expected: int
    places: tuple[int, list[int]]


def _learn(raw: bytes) -> _Layout:
    places = _look_into(raw, _walk(raw))
    return _Layout(*mask_of(raw), places)


_find = Layouts(_learn).find


def _walk(raw: bytes) -> list[int]:
    """Offsets of the special attributes."""
    if raw[0] not in CODES:
        raise Malformed("unknown_code")
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
    return special


def _look_into(raw: bytes, special: list[int]) -> tuple[int, list[int]]:
    """Where Message-Authenticator and each Proxy-State are among the special attributes, which are sound."""
    authenticator, proxy_states = 0, []
    for at in special:
        kind, value = raw[at], raw[at + 2 : at + raw[at + 1]]
        if kind == PROXY_STATE:
            proxy_states.append(at)
        elif kind == VENDOR_SPECIFIC:
            check_vendor_specific(value)
        elif kind == MESSAGE_AUTHENTICATOR:
            if authenticator or len(value) != 16:
                raise Malformed("message_authenticator_shape")
            authenticator = at
        else:
            raise Malformed("attribute_zero")
    return authenticator, proxy_states
