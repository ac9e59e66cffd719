"""The quick view of a request: where each attribute that matters begins, and nothing else.

An Access-Request carries about a dozen attributes and an answer needs four of them, so this view walks the octets once,
checks every attribute, remembers offsets in one dict, and cuts a value out only when it is asked for. What a walk has
found holds for all packets of the same layout (`radius.layouts`), which are nearly all that a NAS sends.
It accepts what `radius.codec.parse` accepts, except that it is stricter about what an Access-Request may hold
only once (RFC 2865 §5.44): two User-Names would let two parties read two different people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from radius.attributes import (
    CALLING_STATION_ID,
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    CODES,
    EAP_MESSAGE,
    FRAMED_PROTOCOL,
    MESSAGE_AUTHENTICATOR,
    PROXY_STATE,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_SPECIFIC,
)
from radius.codec import (
    HEADER_LENGTH,
    MAX_ATTRIBUTES,
    Malformed,
    check_vendor_specific,
    trim,
    vendor_attributes,
)
from radius.layouts import Layouts, mask_of

SINGLE = frozenset(
    {
        USER_NAME,
        USER_PASSWORD,
        CHAP_PASSWORD,
        CHAP_CHALLENGE,
        CALLING_STATION_ID,
        FRAMED_PROTOCOL,
        MESSAGE_AUTHENTICATOR,
    }
)
"""Read by the authentication path and allowed once."""
REPEATED = frozenset({EAP_MESSAGE, PROXY_STATE, VENDOR_SPECIFIC})
WANTED = SINGLE | REPEATED | {0}
"""Whose offsets are noted; 0, which is no attribute, to be refused."""
_FEW = HEADER_LENGTH + 2 * MAX_ATTRIBUTES
"""A packet up to this long cannot hold too many attributes: the shortest has two octets."""


class AccessRequest:
    """An Access-Request or Status-Server, checked; `raw` is the datagram without padding.

    `first` has the offset of the first attribute of each (wanted) type that is there.
    """

    __slots__ = ("_more", "authenticator", "code", "first", "identifier", "raw")

    def __init__(self, raw: bytes, first: Mapping[int, int], more: Sequence[int]) -> None:
        self.raw = raw
        self.code = raw[0]
        self.identifier = raw[1]
        self.authenticator = raw[4:HEADER_LENGTH]
        self.first = first
        self._more = more

    def at(self, kind: int) -> int:
        """Offset of the first attribute of this (wanted) type, 0 when there is none."""
        return self.first.get(kind, 0)

    def value(self, kind: int) -> bytes | None:
        """Value of the first attribute of this (wanted) type."""
        at = self.first.get(kind)
        if at is None:
            return None
        raw = self.raw
        return raw[at + 2 : at + raw[at + 1]]

    def every(self, kind: int) -> list[int]:
        """Offsets of all attributes of this type, in order."""
        at = self.first.get(kind)
        return [] if at is None else [at, *(each for each in self._more if self.raw[each] == kind)]

    def proxy_states(self) -> bytes:
        """All Proxy-State attributes as they arrived, in order, ready for the reply (RFC 2865 §5.33)."""
        if PROXY_STATE not in self.first:
            return b""
        raw = self.raw
        return b"".join([raw[at : at + raw[at + 1]] for at in self.every(PROXY_STATE)])

    def vendor(self, vendor: int) -> dict[int, bytes]:
        """This vendor's sub-attributes by type; of one that repeats, the first."""
        raw, number = self.raw, vendor.to_bytes(4)
        found: dict[int, bytes] = {}
        for at in self.every(VENDOR_SPECIFIC):
            if raw.startswith(number, at + 2):
                for kind, value in vendor_attributes(raw[at + 2 : at + raw[at + 1]], vendor):
                    found.setdefault(kind, value)
        return found


def read_access_request(datagram: bytes) -> AccessRequest:
    """Check a whole datagram and note where its wanted attributes are; Malformed unless all of it is sound."""
    raw = trim(datagram)
    layout = _find(raw)
    return AccessRequest(raw, *(_walk(raw) if layout is None else layout.places))


class _Layout(NamedTuple):
    """Where the wanted attributes are in all packets that are `expected` under `mask`: `first` and `_more`."""

    mask: int
    expected: int
    places: tuple[Mapping[int, int], list[int]]


def _learn(raw: bytes) -> _Layout:
    places = _walk(raw)
    return _Layout(*mask_of(raw), places)


_find = Layouts(_learn).find


def _walk(raw: bytes) -> tuple[dict[int, int], list[int]]:
    """Offset of the first attribute of each wanted type, and those of others of these types."""
    length, at = len(raw), HEADER_LENGTH
    first: dict[int, int] = {}
    more: list[int] = []
    try:
        while at < length:
            kind = raw[at]
            if kind in WANTED:
                if kind in first:
                    more.append(at)
                else:
                    first[kind] = at
            step = raw[at + 1]
            if step < 2:
                raise Malformed("attribute_length")
            at += step
    except IndexError:
        raise Malformed("attribute_length") from None
    if at != length:
        raise Malformed("attribute_length")
    if 0 in first:
        raise Malformed("attribute_zero")
    if raw[0] not in CODES:
        raise Malformed("unknown_code")
    if more or length > _FEW or VENDOR_SPECIFIC in first:
        _check_rare(raw, first, more)
    if MESSAGE_AUTHENTICATOR in first and raw[first[MESSAGE_AUTHENTICATOR] + 1] != 18:
        raise Malformed("message_authenticator_shape")
    return first, more


def _check_rare(raw: bytes, first: dict[int, int], more: list[int]) -> None:
    """The checks that most packets, having few attributes and no vendor's, are spared."""
    for at in more:
        if raw[at] in SINGLE:
            raise Malformed("message_authenticator_shape" if raw[at] == MESSAGE_AUTHENTICATOR else "repeated_attribute")
    for at in (*more, first.get(VENDOR_SPECIFIC, 0)):
        if at and raw[at] == VENDOR_SPECIFIC:
            inner = raw[at + 1] - 6
            if inner < 2 or raw[at + 7] != inner:  # else it is one sub-attribute that fills the value
                check_vendor_specific(raw[at + 2 : at + raw[at + 1]])
    if len(raw) > _FEW and _attributes(raw) > MAX_ATTRIBUTES:
        raise Malformed("too_many_attributes")


def _attributes(raw: bytes) -> int:
    count, at = 0, HEADER_LENGTH
    while at < len(raw):
        count += 1
        at += raw[at + 1]
    return count
