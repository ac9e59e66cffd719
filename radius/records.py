"""Access records: everything a worker must know to answer one subscription, in one value.

Provisioning compiles a subscription into a record; the replica feed carries it to each RADIUS host; the worker
reads it with one look-up and decides with two unpackings, without a database, a JSON parser or a clock of its
own. Because the record holds the answers of *all* time as spans, an expired trust unblock or custom speed is over
at its instant even when nothing and nobody was awake to write a new record.

A replica entry is a key and an opaque value:

    b"u" + login             record of a login with a password (PAP, CHAP, MS-CHAP)
    b"m" + 6 octets          record of a MAC address (IPoE, empty password)
    b"p" + policy_id         a policy, canonical JSON; written once, shared, never changed

A record is a header, the sealed password (sealed with the entry's key as context, so that it opens only in its
own record), and the spans in order. A span is its end (float64 epoch seconds, +inf for the last), a kind, the
eight octets of its policy id, and a body: for a grant the attributes that are this subscription's own, already
encoded (Framed-IP-Address, Class); for a denial its reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from struct import Struct

from radius.attributes import CLASS, FRAMED_IP_ADDRESS
from radius.codec import Attribute, encode_attributes
from radius.mac_address import read_mac
from radius.policy import Denial, Grant, Policy, Span, check_spans

Seal = Callable[[bytes, bytes], bytes]
"""(plain, context) → sealed; `core.secrets.Keyring.seal`."""
Unseal = Callable[[bytes, bytes], bytes]
"""(sealed, context) → plain, raising when it cannot; `core.secrets.Keyring.unseal`."""

VERSION = 1
DENIAL, GRANT, GRANT_WITH_ADDRESS = 0, 1, 2

HEADER = Struct(">BBHQ")
"""Version, number of spans, octets of sealed password, subscription id."""
SPAN = Struct(">dB8sH")
"""End, kind, policy id, octets of body."""
_NO_POLICY = bytes(8)
_CLASS = re.compile(rb"c1\.(\d{1,19})\.([0-9a-f]{16}\.(?:[0-9a-f]{8}|-))")


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """`password` None: a MAC/IPoE subscription, found by `mac`; otherwise found by `login`, and `mac` is unused."""

    subscription_id: int
    login: str
    password: bytes | None
    mac: str | None
    spans: tuple[Span, ...]

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
    """The replica entries of a record: its own, and one for each policy that it uses."""
    check_spans(record.spans)
    key = record_key(record)
    sealed = b"" if record.password is None else seal(record.password, key)
    head = HEADER.pack(VERSION, len(record.spans), len(sealed), record.subscription_id)
    entries = {key: head + sealed + b"".join(_pack_span(record.subscription_id, span) for span in record.spans)}
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
    own: list[Attribute] = [(CLASS, class_value(subscription_id, grant))]
    if grant.framed_ip_address is not None:
        own.insert(0, (FRAMED_IP_ADDRESS, grant.framed_ip_address.packed))
    body = encode_attributes(own)
    kind = GRANT if grant.framed_ip_address is None else GRANT_WITH_ADDRESS
    return SPAN.pack(until, kind, bytes.fromhex(grant.policy.policy_id), len(body)) + body


def answer_of(value: bytes, now: float) -> tuple[int, bytes, bytes]:
    """(kind, policy id, body) of the span that holds at `now` (epoch seconds).

    struct.error or IndexError for a damaged record, ValueError for one of another version.
    """
    if value[0] != VERSION:
        raise ValueError(f"an access record of version {value[0]}")
    at = HEADER.size + (value[2] << 8 | value[3])
    while True:
        until, kind, policy_id, size = SPAN.unpack_from(value, at)
        at += SPAN.size
        if now < until:
            return kind, policy_id, value[at : at + size]
        at += size


def password_of(key: bytes, value: bytes, unseal: Unseal) -> bytes:
    """The password of a login's record; whatever `unseal` raises when it does not open (a MAC record never does)."""
    return unseal(value[HEADER.size : HEADER.size + (value[2] << 8 | value[3])], key)


def unpack(key: bytes, entries: Mapping[bytes, bytes], unseal: Unseal) -> AccessRecord:
    """The record filed under `key`, for tools and tests; KeyError when it or one of its policies is absent.

    The replica keeps a MAC as octets, so a MAC record comes back with the usual colon notation and no login.
    """
    value = entries[key]
    _, _, _, subscription_id = HEADER.unpack_from(value)
    spans = tuple(_spans(value, entries))
    if key[:1] == b"m":
        return AccessRecord(subscription_id, "", None, key[1:].hex(":"), spans)
    return AccessRecord(subscription_id, key[1:].decode(), password_of(key, value, unseal), None, spans)


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
    policy = Policy.from_json(entries[policy_key(policy_id.hex())])
    return Grant(policy, IPv4Address(body[2:6]) if kind == GRANT_WITH_ADDRESS else None)


def class_value(subscription_id: int, grant: Grant) -> bytes:
    """Value of Class in an Access-Accept; the NAS echoes it in accounting (RFC 2865 §5.25)."""
    return f"c1.{subscription_id}.{grant.fingerprint}".encode("ascii")


def read_class(value: bytes) -> tuple[int, str] | None:
    """(subscription id, fingerprint) of a Class that `class_value` made, or None for any other."""
    match = _CLASS.fullmatch(value)
    return (int(match[1]), match[2].decode("ascii")) if match else None
