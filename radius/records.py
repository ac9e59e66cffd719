"""Access records: everything a worker must know to answer one subscription, in one value.

Provisioning compiles a subscription into a record; the replica feed carries it to each RADIUS host; the worker
reads it with one look-up and decides with two unpackings, without a database, a JSON parser or a clock of its
own. Because the record holds the answers of *all* time as spans, an expired trust unblock or custom speed is over
at its instant even when nothing and nobody was awake to write a new record.

A replica entry is a key and an opaque value:

    b"u" + login             record of a login with a password (PAP, CHAP, MS-CHAP)
    b"m" + 6 octets          record of a MAC address (IPoE, empty password)
    b"p" + policy_id         a policy, canonical JSON; written once, shared, never changed
    b"s" + 8 octets          live sessions of a subscription; see `radius.presence`

A record is a header, the sealed password (sealed with the entry's key as context, so that it opens only in its
own record), the spans in order, and the limits. A span is its end (float64 epoch seconds, +inf for the last), a kind,
the eight octets of its policy id, and a body: for a grant the attributes that are this subscription's own, already
encoded (addresses, prefixes, routes, Class); for a denial its reason. A kind is `DENIAL`, `GRANT` or
`GRANT_WITH_ADDRESS`, and for a grant with fixed prefixes `WITH_FRAMED_PREFIX` and `WITH_DELEGATED_PREFIX` on top.

The limits stand last, and their length behind them in the last octet: nearly always zero, so that they cost a worker
one comparison. Version 1 was the same without limits and that octet; it is still read, because a replica may hold
such records while an installation is upgraded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from struct import Struct
from typing import NamedTuple

from radius.attributes import (
    CLASS,
    DELEGATED_IPV6_PREFIX,
    FRAMED_IP_ADDRESS,
    FRAMED_IPV6_PREFIX,
    FRAMED_IPV6_ROUTE,
    FRAMED_ROUTE,
)
from radius.codec import Attribute, encode_attributes
from radius.mac_address import read_mac
from radius.policy import Denial, Grant, Policy, Span, check_spans

Seal = Callable[[bytes, bytes], bytes]
"""(plain, context) → sealed; `core.secrets.Keyring.seal`."""
Unseal = Callable[[bytes, bytes], bytes]
"""(sealed, context) → plain, raising when it cannot; `core.secrets.Keyring.unseal`."""

VERSION = 2
DENIAL, GRANT, GRANT_WITH_ADDRESS = 0, 1, 2
ANSWER = 3
"""`kind & ANSWER` is one of the three above."""
WITH_FRAMED_PREFIX, WITH_DELEGATED_PREFIX = 4, 8
MOST_ROUTES = 16
"""Of one subscription: every Access-Accept carries them, and has to fit into one packet."""

HEADER = Struct(">BBHQ")
"""Version, number of spans, octets of sealed password, subscription id."""
SUBSCRIPTION = slice(4, 12)
"""Where in a record the 8 octets of the subscription id are."""
SPAN = Struct(">dB8sH")
"""End, kind, policy id, octets of body."""
_LIMITS = Struct(">HQB")
"""Sessions, NAS id (0: any), octets of MAC address (0 or 6); those octets and NAS-Port follow."""
_NO_POLICY = bytes(8)
_CLASS = re.compile(rb"c1\.(\d{1,19})\.([0-9a-f]{16}\.(?:[0-9a-f]{8}|-)(?:~[0-9a-f]{8})?)")


class Limits(NamedTuple):
    """Where a subscription may be used: `sessions` at once (0: any number), from `mac` (6 octets; None: any), at the
    NAS `nas_id` (None: any) and there at `nas_port` ("": any), which is NAS-Port-Id or NAS-Port as text."""

    sessions: int = 1
    mac: bytes | None = None
    nas_id: int | None = None
    nas_port: str = ""


USUAL = Limits()
"""What holds for nearly everybody: one session, from anywhere."""


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """`password` None: a MAC/IPoE subscription, found by `mac`; otherwise found by `login`, and `mac` is unused."""

    subscription_id: int
    login: str
    password: bytes | None
    mac: str | None
    spans: tuple[Span, ...]
    limits: Limits = USUAL

    def __repr__(self) -> str:
        return f"AccessRecord({self.subscription_id}, {self.login!r}, {len(self.spans)} spans)"


def login_key(login: bytes) -> bytes:
    """Replica key of a login, from the octets of User-Name."""
    return b"u" + login


def mac_key(mac: bytes) -> bytes:
    """Replica key of a MAC address, from its six octets."""
    return b"m" + mac


def policy_key(policy_id: str) -> bytes:
    return b"p" + policy_id.encode("ascii")


def record_key(record: AccessRecord) -> bytes:
    """The key that `pack` files this record under; ValueError when it could never be asked for."""
    if record.password is None:
        octets = read_mac((record.mac or "").encode())
        if octets is None:
            raise ValueError("a record without a password needs a MAC address")
        return mac_key(octets)
    login = record.login.encode()
    if not record.password or not 1 <= len(login) <= 253:
        raise ValueError("a login has 1 to 253 octets and a password of at least one")
    return login_key(login)


def pack(record: AccessRecord, seal: Seal) -> dict[bytes, bytes]:
    """The replica entries of a record: its own, and one for each policy that it uses.

    ValueError for a record that no answer could be given from, such as one of more than MOST_ROUTES routes.
    """
    check_spans(record.spans)
    key = record_key(record)
    sealed = b"" if record.password is None else seal(record.password, key)
    head = HEADER.pack(VERSION, len(record.spans), len(sealed), record.subscription_id)
    spans = b"".join(_pack_span(record.subscription_id, span) for span in record.spans)
    limits = _pack_limits(record.limits)
    entries = {key: head + sealed + spans + limits + bytes((len(limits),))}
    for span in record.spans:
        if isinstance(span.answer, Grant):
            entries[policy_key(span.answer.policy.policy_id)] = span.answer.policy.to_json()
    return entries


def _pack_span(subscription_id: int, span: Span) -> bytes:
    until = math.inf if span.until is None else span.until.timestamp()
    if isinstance(span.answer, Denial):
        body = span.answer.reason.encode()
        return SPAN.pack(until, DENIAL, _NO_POLICY, len(body)) + body
    grant = span.answer
    body = encode_attributes([*_own(grant), (CLASS, class_value(subscription_id, grant))])
    return SPAN.pack(until, _kind(grant), bytes.fromhex(grant.policy.policy_id), len(body)) + body


def _kind(grant: Grant) -> int:
    kind = GRANT if grant.framed_ip_address is None else GRANT_WITH_ADDRESS
    if grant.framed_ipv6_prefix is not None:
        kind |= WITH_FRAMED_PREFIX
    if grant.delegated_ipv6_prefix is not None:
        kind |= WITH_DELEGATED_PREFIX
    return kind


def _own(grant: Grant) -> Iterator[Attribute]:
    """Addresses, prefixes and routes, which every vendor takes in the standard attributes."""
    if len(grant.routes) > MOST_ROUTES:
        raise ValueError(f"{len(grant.routes)} routes: an Access-Accept carries at most {MOST_ROUTES}")
    if grant.framed_ip_address is not None:
        yield FRAMED_IP_ADDRESS, grant.framed_ip_address.packed
    for kind, prefix in (
        (FRAMED_IPV6_PREFIX, grant.framed_ipv6_prefix),
        (DELEGATED_IPV6_PREFIX, grant.delegated_ipv6_prefix),
    ):
        if prefix is not None:
            yield kind, prefix_value(prefix)
    for route in grant.routes:
        yield (FRAMED_ROUTE if route.version == 4 else FRAMED_IPV6_ROUTE), route_value(route)


def prefix_value(prefix: IPv6Network) -> bytes:
    """Value of Framed-IPv6-Prefix and Delegated-IPv6-Prefix: reserved, length, prefix (RFC 3162 §2.3, RFC 4818 §3)."""
    return bytes((0, prefix.prefixlen)) + prefix.network_address.packed


def route_value(route: IPv4Network | IPv6Network) -> bytes:
    """Value of Framed-Route or Framed-IPv6-Route: prefix, gateway, metric (RFC 2865 §5.22, RFC 3162 §2.5).

    The unspecified gateway stands for the subscriber's own address, which nobody knows yet where it is dynamic.
    """
    return f"{route} {'0.0.0.0' if route.version == 4 else '::'} 1".encode("ascii")


def _pack_limits(limits: Limits) -> bytes:
    if limits == USUAL:
        return b""
    mac, port = limits.mac or b"", limits.nas_port.encode()
    if len(mac) not in (0, 6):
        raise ValueError(f"a MAC address of {len(mac)} octets")
    packed = _LIMITS.pack(limits.sessions, limits.nas_id or 0, len(mac)) + mac + port
    if len(packed) > 255:
        raise ValueError(f"a NAS-Port of {len(port)} octets")
    return packed


def limits_of(value: bytes) -> Limits:
    """The limits of a record; struct.error for a damaged one."""
    size = value[-1] if value[0] == VERSION else 0
    if not size:
        return USUAL
    packed = value[-1 - size : -1]
    sessions, nas_id, octets = _LIMITS.unpack_from(packed)
    at = _LIMITS.size + octets
    return Limits(sessions, packed[_LIMITS.size : at] or None, nas_id or None, packed[at:].decode())


def answer_of(value: bytes, now: float) -> tuple[int, bytes, bytes]:
    """(kind, policy id, body) of the span that holds at `now` (epoch seconds).

    struct.error or IndexError for a damaged record, ValueError for one of another version.
    """
    if not 0 < value[0] <= VERSION:
        raise ValueError(f"an access record of version {value[0]}")
    at = _SPANS_AT + (value[2] << 8 | value[3])
    while True:
        until, kind, policy_id, size = _read_span(value, at)
        at += _SPAN_SIZE
        if now < until:
            return kind, policy_id, value[at : at + size]
        at += size


_SPANS_AT, _SPAN_SIZE, _read_span = HEADER.size, SPAN.size, SPAN.unpack_from  # found once, not for each answer


def subscription_of(value: bytes) -> int:
    """The subscription that a record is of; struct.error for a damaged one."""
    return int(HEADER.unpack_from(value)[3])


def password_of(key: bytes, value: bytes, unseal: Unseal) -> bytes:
    """The password of a login's record; whatever `unseal` raises when it does not open (a MAC record never does)."""
    return unseal(value[_SPANS_AT : _SPANS_AT + (value[2] << 8 | value[3])], key)


def unpack(key: bytes, entries: Mapping[bytes, bytes], unseal: Unseal) -> AccessRecord:
    """The record filed under `key`, for tools and tests; KeyError when it or one of its policies is absent.

    The replica keeps a MAC as octets, so a MAC record comes back with the usual colon notation and no login.
    """
    value = entries[key]
    subscription_id, limits = subscription_of(value), limits_of(value)
    spans = tuple(_spans(value, entries))
    if key[:1] == b"m":
        return AccessRecord(subscription_id, "", None, key[1:].hex(":"), spans, limits)
    return AccessRecord(subscription_id, key[1:].decode(), password_of(key, value, unseal), None, spans, limits)


def _spans(value: bytes, entries: Mapping[bytes, bytes]) -> Iterator[Span]:
    since = None
    at = HEADER.size + (value[2] << 8 | value[3])
    for _ in range(value[1]):
        end, kind, policy_id, size = SPAN.unpack_from(value, at)
        at += SPAN.size
        until = None if math.isinf(end) else datetime.fromtimestamp(end, UTC)
        yield Span(since, until, _answer(kind, policy_id, value[at : at + size], entries))
        since, at = until, at + size


def _answer(kind: int, policy_id: bytes, body: bytes, entries: Mapping[bytes, bytes]) -> Grant | Denial:
    if kind == DENIAL:
        return Denial(body.decode())
    own = list(_attributes(body))
    first = dict(reversed(own))
    address = first.get(FRAMED_IP_ADDRESS)
    return Grant(
        policy=Policy.from_json(entries[policy_key(policy_id.hex())]),
        framed_ip_address=None if address is None else IPv4Address(address),
        framed_ipv6_prefix=_prefix(first.get(FRAMED_IPV6_PREFIX)),
        delegated_ipv6_prefix=_prefix(first.get(DELEGATED_IPV6_PREFIX)),
        routes=tuple(_route(each) for of, each in own if of in (FRAMED_ROUTE, FRAMED_IPV6_ROUTE)),
    )


def _attributes(body: bytes) -> Iterator[Attribute]:
    at = 0
    while at < len(body):
        yield body[at], body[at + 2 : at + body[at + 1]]
        at += body[at + 1]


def _prefix(value: bytes | None) -> IPv6Network | None:
    return None if value is None else IPv6Network((value[2:], value[1]))


def _route(value: bytes) -> IPv4Network | IPv6Network:
    return ip_network(value.decode("ascii").partition(" ")[0])


def class_value(subscription_id: int, grant: Grant) -> bytes:
    """Value of Class in an Access-Accept; the NAS echoes it in accounting (RFC 2865 §5.25)."""
    return f"c1.{subscription_id}.{grant.fingerprint}".encode("ascii")


def read_class(value: bytes) -> tuple[int, str] | None:
    """(subscription id, fingerprint) of a Class that `class_value` made, or None for any other."""
    match = _CLASS.fullmatch(value)
    return (int(match[1]), match[2].decode("ascii")) if match else None
