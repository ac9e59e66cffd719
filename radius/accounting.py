"""From an accounting datagram to what it says about a session. Pure.

A NAS knows better than we when something happened, so Event-Timestamp counts (RFC 2869 §5.3), and where there is none
the time of receipt less Acct-Delay-Time (RFC 2866 §5.2). But many a router boots in 1970 and some live in the future:
an instant that lies after its receipt, or too long before it, is not believed. Accounting-On and -Off are always
placed by receipt, because a NAS sends them at boot, before its clock is set.

Names are octets in the protocol and text in the database. `text_of` keeps every octet: what is not plain UTF-8 is
spelled `hex:…`, and `octets_of` gives back what the NAS has to hear in a CoA.

`radius.interim` reads most datagrams in a fraction of the time; a property test holds the two to the same result.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from radius.attributes import (
    ACCT_DELAY_TIME,
    ACCT_INPUT_GIGAWORDS,
    ACCT_INPUT_OCTETS,
    ACCT_OUTPUT_GIGAWORDS,
    ACCT_OUTPUT_OCTETS,
    ACCT_SESSION_ID,
    ACCT_SESSION_TIME,
    ACCT_STATUS_ACCOUNTING_OFF,
    ACCT_STATUS_ACCOUNTING_ON,
    ACCT_STATUS_INTERIM_UPDATE,
    ACCT_STATUS_START,
    ACCT_STATUS_STOP,
    ACCT_STATUS_TYPE,
    ACCT_TERMINATE_CAUSE,
    CALLING_STATION_ID,
    CLASS,
    DELEGATED_IPV6_PREFIX,
    EVENT_TIMESTAMP,
    FRAMED_IP_ADDRESS,
    FRAMED_IPV6_ADDRESS,
    FRAMED_IPV6_PREFIX,
    NAS_IP_ADDRESS,
    NAS_PORT,
    NAS_PORT_ID,
    USER_NAME,
)
from radius.codec import Malformed, parse
from radius.records import read_class

Address = IPv4Address | IPv6Address
Values = Mapping[int, bytes]
"""The first value of each type of attribute."""

SESSION_STATUSES = frozenset({ACCT_STATUS_START, ACCT_STATUS_STOP, ACCT_STATUS_INTERIM_UPDATE})
RESTART_STATUSES = frozenset({ACCT_STATUS_ACCOUNTING_ON, ACCT_STATUS_ACCOUNTING_OFF})
OLDEST_EVENT = timedelta(days=1)
"""An event reported later than this has a wrong clock rather than a long journey."""
ON_ITS_WAY = timedelta(seconds=2)
"""A datagram that was not sent again comes sooner than this after the second that it names."""
LONGEST_SESSION_SECONDS = 5 * 366 * 86_400
MOST_OCTETS = 2**63 - 1
NO_ADDRESS = frozenset(ip_address(text).packed for text in ("0.0.0.0", "255.255.255.255", "255.255.255.254", "::"))
"""What a NAS puts into an address that it does not know, or leaves to others (RFC 2865 §5.8)."""
_HEX = "hex:"

ENVELOPE = struct.Struct(">BqqB")
"""Version, microseconds since the epoch at receipt, NAS id, octets of source address; address and datagram follow."""
_ENVELOPE_VERSION = 1

TERMINATE_CAUSES = {
    1: "User-Request",
    2: "Lost-Carrier",
    3: "Lost-Service",
    4: "Idle-Timeout",
    5: "Session-Timeout",
    6: "Admin-Reset",
    7: "Admin-Reboot",
    8: "Port-Error",
    9: "NAS-Error",
    10: "NAS-Request",
    11: "NAS-Reboot",
    12: "Port-Unneeded",
    13: "Port-Preempted",
    14: "Port-Suspended",
    15: "Service-Unavailable",
    16: "Callback",
    17: "User-Error",
    18: "Host-Request",
}
"""RFC 2866 §5.10."""


@dataclass(frozen=True, slots=True)
class Received:
    """An authentic accounting datagram with what the wire does not say of itself; `datagram` has no padding."""

    nas_id: int
    source: Address
    at: datetime
    datagram: bytes


@dataclass(frozen=True, slots=True)
class AccountingRecord:
    """What one Accounting-Request says. Absent text is "", absent counters are 0.

    `at` is the instant of the event; `began_at` when the session began by this record's own account (None: it does not
    tell). `subscription_id` and `granted_fingerprint` are read from our own Class. Prefixes are canonical text, such as
    "2001:db8::/56"; None: not told. A Framed-IPv6-Address without a Framed-IPv6-Prefix counts as one of 128 bits.
    """

    status: int
    nas_id: int
    nas_address: Address
    at: datetime
    acct_session_id: str = ""
    user_name: str = ""
    began_at: datetime | None = None
    subscription_id: int | None = None
    granted_fingerprint: str = ""
    framed_ip_address: Address | None = None
    framed_ipv6_prefix: str | None = None
    delegated_ipv6_prefix: str | None = None
    nas_ip_address: Address | None = None
    calling_station_id: str = ""
    nas_port_id: str = ""
    input_octets: int = 0
    output_octets: int = 0
    session_seconds: int = 0
    terminate_cause: str = ""

    @property
    def is_restart(self) -> bool:
        """Accounting-On or -Off: about the NAS, not about a session."""
        return self.status in RESTART_STATUSES

    @property
    def key(self) -> bytes:
        """16 octets, equal for records of one session; `radius.fold` tells apart numbers that were used again."""
        parts = (str(self.nas_id), str(self.nas_address), self.acct_session_id, self.user_name)
        return blake2b("\0".join(parts).encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Unusable:
    """An authentic datagram that says nothing about any session; `reason` is a fixed slug."""

    reason: str


def pack_received(received: Received) -> bytes:
    """The form in which the spool keeps it."""
    address = received.source.packed
    micros = (received.at - EPOCH) // timedelta(microseconds=1)
    return ENVELOPE.pack(_ENVELOPE_VERSION, micros, received.nas_id, len(address)) + address + received.datagram


def unpack_received(entry: bytes) -> Received | Unusable:
    """What `pack_received` made."""
    try:
        version, micros, nas_id, size = ENVELOPE.unpack_from(entry)
        source = _source(entry[ENVELOPE.size : ENVELOPE.size + size])
    except (struct.error, ValueError):
        return Unusable("envelope")
    if version != _ENVELOPE_VERSION:
        return Unusable("envelope_version")
    at = EPOCH + timedelta(microseconds=micros)
    return Received(nas_id, source, at, entry[ENVELOPE.size + size :])


@lru_cache(maxsize=4096)
def _source(octets: bytes) -> Address:
    return ip_address(octets)


def read_record(received: Received) -> AccountingRecord | Unusable:
    """What the datagram says."""
    try:
        packet = parse(received.datagram)
    except Malformed as error:
        return Unusable(error.reason)
    values = dict(reversed(packet.attributes))  # of several, the first
    status = _number(values, ACCT_STATUS_TYPE)
    if status in RESTART_STATUSES:
        return _restart(values, status, received)
    if status not in SESSION_STATUSES:
        return Unusable("status_type")
    if not values.get(ACCT_SESSION_ID):
        return Unusable("no_session_id")
    return _session(values, packet.every(CLASS), status, received)


def _restart(values: Values, status: int, received: Received) -> AccountingRecord:
    at = event_instant(None, _number(values, ACCT_DELAY_TIME), received.at)
    reported = _address(values, NAS_IP_ADDRESS)
    return AccountingRecord(status, received.nas_id, received.source, at, nas_ip_address=reported)


def _session(values: Values, classes: Iterable[bytes], status: int, received: Received) -> AccountingRecord:
    at = event_instant(_number(values, EVENT_TIMESTAMP), _number(values, ACCT_DELAY_TIME), received.at)
    seconds = _number(values, ACCT_SESSION_TIME)
    if seconds is not None and seconds > LONGEST_SESSION_SECONDS:
        seconds = None
    granted = next(filter(None, map(read_class, classes)), None)
    cause = _number(values, ACCT_TERMINATE_CAUSE)
    return AccountingRecord(
        status=status,
        nas_id=received.nas_id,
        nas_address=received.source,
        at=at,
        acct_session_id=_text(values, ACCT_SESSION_ID),
        user_name=_text(values, USER_NAME),
        began_at=_began(status, at, seconds),
        subscription_id=granted[0] if granted else None,
        granted_fingerprint=granted[1] if granted else "",
        framed_ip_address=_address(values, FRAMED_IP_ADDRESS) or _address(values, FRAMED_IPV6_ADDRESS),
        framed_ipv6_prefix=_framed_prefix(values),
        delegated_ipv6_prefix=_prefix(values.get(DELEGATED_IPV6_PREFIX)),
        nas_ip_address=_address(values, NAS_IP_ADDRESS),
        calling_station_id=_text(values, CALLING_STATION_ID),
        nas_port_id=_port(values),
        input_octets=_octets(values, ACCT_INPUT_OCTETS, ACCT_INPUT_GIGAWORDS),
        output_octets=_octets(values, ACCT_OUTPUT_OCTETS, ACCT_OUTPUT_GIGAWORDS),
        session_seconds=seconds or 0,
        terminate_cause="" if cause is None else TERMINATE_CAUSES.get(cause, str(cause)),
    )


def event_instant(event_timestamp: int | None, delay: int | None, received_at: datetime) -> datetime:
    """When it happened: `event_timestamp` (epoch seconds) unless silly, else receipt less `delay` (seconds).

    What came within its own second, or the next one, happened at its receipt: a NAS that reports before and after a
    CoA, both within one second, would otherwise leave open which of the two policies is the later one.
    """
    if event_timestamp is not None:
        event = datetime.fromtimestamp(event_timestamp, UTC)
        if event <= received_at < event + ON_ITS_WAY:
            return received_at
        if received_at - OLDEST_EVENT <= event <= received_at:
            return event
    if delay is not None and timedelta(seconds=delay) <= OLDEST_EVENT:
        return received_at - timedelta(seconds=delay)
    return received_at


def _began(status: int, at: datetime, seconds: int | None) -> datetime | None:
    if status == ACCT_STATUS_START:
        return at
    return None if seconds is None else at - timedelta(seconds=seconds)


def _octets(values: Values, low: int, high: int) -> int:
    """32-bit counter with its Gigawords (RFC 2869 §5.1)."""
    return min(((_number(values, high) or 0) << 32) + (_number(values, low) or 0), MOST_OCTETS)


def _number(values: Values, kind: int) -> int | None:
    """A 32-bit value; None when absent or of another length."""
    value = values.get(kind)
    return int.from_bytes(value) if value is not None and len(value) == 4 else None


def _address(values: Values, kind: int) -> Address | None:
    value = values.get(kind)
    if value is None or len(value) not in (4, 16):
        return None
    if value in NO_ADDRESS:
        return None
    return IPv4Address(value) if len(value) == 4 else IPv6Address(value)


def _framed_prefix(values: Values) -> str | None:
    prefix = _prefix(values.get(FRAMED_IPV6_PREFIX))
    if prefix is not None:
        return prefix
    address = _address(values, FRAMED_IPV6_ADDRESS)
    return f"{address}/128" if isinstance(address, IPv6Address) else None


def _prefix(value: bytes | None) -> str | None:
    octets = None if value is None else prefix_octets(value)
    return None if octets is None else prefix_text(octets)


def prefix_octets(value: bytes) -> bytes | None:
    """Length in bits (1 octet) and the 16 octets of a prefix attribute, what lies beyond the length blanked.

    Its value is a reserved octet, the length, and up to 16 octets of prefix (RFC 3162 §2.3, RFC 4818 §3). None for
    anything else, and for the prefix of nobody, `::`.
    """
    if not 2 <= len(value) <= 18 or not 0 < value[1] <= 128:
        return None
    bits = value[1]
    number = int.from_bytes(value[2:].ljust(16, b"\0")) >> (128 - bits) << (128 - bits)
    return bytes((bits,)) + number.to_bytes(16) if number else None


@lru_cache(maxsize=4096)
def prefix_text(octets: bytes) -> str:
    """What `prefix_octets` gave, as people write it."""
    return str(IPv6Network((octets[1:], octets[0])))


def _port(values: Values) -> str:
    number = _number(values, NAS_PORT)
    return _text(values, NAS_PORT_ID) or ("" if number is None else str(number))


def _text(values: Values, kind: int) -> str:
    return text_of(values.get(kind) or b"")


def text_of(octets: bytes) -> str:
    """Octets as text that every database takes, without losing any: UTF-8 where it is, else `hex:…`."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return _HEX + octets.hex()
    return _HEX + octets.hex() if "\0" in text or text.startswith(_HEX) else text


def octets_of(text: str) -> bytes:
    """What `text_of` was given."""
    return bytes.fromhex(text.removeprefix(_HEX)) if text.startswith(_HEX) else text.encode()


EPOCH = datetime.fromtimestamp(0, UTC)
