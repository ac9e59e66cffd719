"""Datagrams to packets and back: strict, sans-IO.

RADIUS has no version field and no negotiation, so the only defence against a confused or hostile peer is to
read nothing that is not well formed from the first octet to the last (RFC 2865 §3 and §5, RFC 5080 §2.3). One
rule decides for the whole datagram: either every attribute is sound, or the datagram is `Malformed` and its
sender hears silence.

`parse` gives the plain view, a tuple of attributes, for accounting, dynamic authorization, tools and tests. The
authentication path reads the same octets through `radius.access_request`, which builds no object for each
attribute; a property test holds the two to the same verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from radius.attributes import CODES, MESSAGE_AUTHENTICATOR, VENDOR_SPECIFIC

HEADER_LENGTH = 20
MAX_LENGTH = 4096
MAX_ATTRIBUTES = 200
MAX_VALUE = 253

Attribute = tuple[int, bytes]
"""Type and value. A Vendor-Specific attribute is type 26 with the value that `vendor_attribute` builds."""

VENDOR_HEADER = 4
OTHER_VSA_FORMATS = frozenset({117, 429, 4846, 8164, 24757})
"""Vendors whose sub-attributes are not one octet of type and one of length: their VSAs stay opaque to us."""


class Malformed(Exception):
    """A datagram that is no RADIUS packet. `reason` is a short fixed slug, fit for a counter's label."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as it stood on the wire; `raw` is the datagram without its padding."""

    code: int
    identifier: int
    authenticator: bytes
    attributes: tuple[Attribute, ...]
    raw: bytes

    def first(self, kind: int) -> bytes | None:
        """Value of the first attribute of this type."""
        return next((value for each, value in self.attributes if each == kind), None)

    def every(self, kind: int) -> list[bytes]:
        """Values of all attributes of this type, in order."""
        return [value for each, value in self.attributes if each == kind]

    def vendor(self, vendor: int, kind: int) -> bytes | None:
        """Value of the first sub-attribute `kind` of `vendor`, wherever it stands among the VSAs."""
        for value in self.every(VENDOR_SPECIFIC):
            for each, inner in vendor_attributes(value, vendor):
                if each == kind:
                    return inner
        return None


def parse(datagram: bytes) -> Packet:
    """Read one datagram; Malformed unless all of it is sound. Octets after Length are padding (RFC 2865 §3)."""
    raw = trim(datagram)
    if raw[0] not in CODES:
        raise Malformed("unknown_code")
    attributes = []
    at = HEADER_LENGTH
    while at < len(raw):
        kind, step = raw[at], raw[at + 1] if at + 1 < len(raw) else 0
        if not kind:
            raise Malformed("attribute_zero")
        if step < 2 or at + step > len(raw):
            raise Malformed("attribute_length")
        attributes.append((kind, raw[at + 2 : at + step]))
        at += step
    _check(attributes)
    return Packet(raw[0], raw[1], raw[4:20], tuple(attributes), raw)


def trim(datagram: bytes) -> bytes:
    """The datagram cut to its Length field; Malformed when that is impossible or not what arrived."""
    if len(datagram) < HEADER_LENGTH:
        raise Malformed("short_datagram")
    length = datagram[2] << 8 | datagram[3]
    if not HEADER_LENGTH <= length <= MAX_LENGTH or length > len(datagram):
        raise Malformed("packet_length")
    return datagram if length == len(datagram) else datagram[:length]


def _check(attributes: list[Attribute]) -> None:
    if len(attributes) > MAX_ATTRIBUTES:
        raise Malformed("too_many_attributes")
    authenticators = [value for kind, value in attributes if kind == MESSAGE_AUTHENTICATOR]
    if len(authenticators) > 1 or any(len(value) != 16 for value in authenticators):
        raise Malformed("message_authenticator_shape")
    for kind, value in attributes:
        if kind == VENDOR_SPECIFIC:
            check_vendor_specific(value)


def check_vendor_specific(value: bytes) -> None:
    """Malformed unless the sub-attributes fill the value exactly, each at least 2 octets (RFC 2865 §5.26)."""
    if len(value) <= VENDOR_HEADER:
        raise Malformed("vendor_specific_length")
    if int.from_bytes(value[:VENDOR_HEADER]) in OTHER_VSA_FORMATS:
        return
    at = VENDOR_HEADER
    while at + 1 < len(value) and value[at + 1] >= 2:
        at += value[at + 1]
    if at != len(value):
        raise Malformed("vendor_specific_length")


def vendor_attributes(value: bytes, vendor: int) -> list[Attribute]:
    """Sub-attributes of a checked Vendor-Specific value when it is this vendor's, else none."""
    if int.from_bytes(value[:VENDOR_HEADER]) != vendor:
        return []
    found, at = [], VENDOR_HEADER
    while at < len(value):
        step = value[at + 1]
        found.append((value[at], value[at + 2 : at + step]))
        at += step
    return found


def vendor_attribute(vendor: int, kind: int, value: bytes) -> Attribute:
    """A Vendor-Specific attribute that holds one sub-attribute (RFC 2865 §5.26)."""
    inner = bytes((kind, len(value) + 2)) + value if len(value) <= MAX_VALUE - 6 else None
    if inner is None:
        raise ValueError(f"value of vendor attribute {vendor}:{kind} is longer than {MAX_VALUE - 6} octets")
    return VENDOR_SPECIFIC, vendor.to_bytes(4) + inner


def integer(value: int) -> bytes:
    """A 32-bit value in network order."""
    return value.to_bytes(4)


def encode_attributes(attributes: Iterable[Attribute]) -> bytes:
    """The attributes as they stand in a packet; ValueError for type 0 or a value over 253 octets."""
    pieces = []
    for kind, value in attributes:
        if not 0 < kind < 256 or len(value) > MAX_VALUE:
            raise ValueError(f"attribute {kind} with {len(value)} octets cannot be encoded")
        pieces.append(bytes((kind, len(value) + 2)) + value)
    return b"".join(pieces)


def encode(code: int, identifier: int, authenticator: bytes, attributes: bytes) -> bytes:
    """One packet of already encoded attributes, with `authenticator` as it is; ValueError when over 4096."""
    length = HEADER_LENGTH + len(attributes)
    if length > MAX_LENGTH or len(authenticator) != 16:
        raise ValueError(f"a packet of {length} octets with an authenticator of {len(authenticator)}")
    return bytes((code, identifier)) + length.to_bytes(2) + authenticator + attributes
