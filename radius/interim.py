"""Accounting records, read the quick way. Pure.

Nine tenths of all accounting are Interims of open sessions that say nothing new but times and counters. What such an
Interim says besides those is one number, its `told`, that the session's row keeps: while it is equal, address,
prefixes, port, caller and policy are known to be unchanged, without a look at any of them. Starts and Stops, which come
by the hundred thousand after a power cut, are read quickly too, but whole.

Whatever is odd (text that is not plain ASCII, two Classes, a datagram without a layout) is left to
`radius.accounting.read_record`, which decides what a datagram says; this module only says the same sooner.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from struct import Struct

from radius.accounting import (
    LONGEST_SESSION_SECONDS,
    MOST_OCTETS,
    NO_ADDRESS,
    OLDEST_EVENT,
    ON_ITS_WAY,
    TERMINATE_CAUSES,
    AccountingRecord,
    Address,
    prefix_octets,
    prefix_text,
)
from radius.acct_layout import Layout, layout_of
from radius.attributes import ACCT_STATUS_INTERIM_UPDATE, ACCT_STATUS_START
from radius.layouts import Layouts
from radius.records import read_class

Interim = tuple[bytes, int, int, int, int, int, int, bytes, int]
"""Key, told, at, began (`at` where it does not tell), input octets, output octets, session seconds, sender, received.

Instants are microseconds since the epoch. Senders are equal for one NAS and source address.
"""

TOLD_ADDRESS, TOLD_CLASS, TOLD_FRAMED_PREFIX, TOLD_DELEGATED_PREFIX = 1, 2, 4, 8
"""The low bits of `told`: which of these are told at all; the other sixty are a digest of everything that is."""
_FLAGS = 15

_MICRO = 1_000_000
_OLDEST_SECONDS = int(OLDEST_EVENT.total_seconds())
_OLDEST = _OLDEST_SECONDS * _MICRO
_ON_ITS_WAY = int(ON_ITS_WAY.total_seconds()) * _MICRO
_RECEIPT_BITS = 52
"""Until 2112, and not before 1970."""
_SIZES = Struct("4B").pack
_SENDERS = 65_536
_EPOCH = datetime.fromtimestamp(0, UTC)


class QuickReader:
    """Reads what the spool holds. One thread's."""

    def __init__(self) -> None:
        self._layouts: Layouts[Layout] = Layouts(layout_of)
        self._names: dict[bytes, bytes] = {}

    def read(self, payload: bytes) -> Interim | AccountingRecord | None:
        """What a record says, an Interim in short, when this reader can tell; None: ask `read_record`."""
        layout = self._layouts.find(payload)
        if layout is None:
            return None
        # The rest is one long piece, because it runs for nearly every record there is.
        (
            received, event, delay, seconds, port, cause, input_low, input_high, output_low, output_high,
            nas_ip, address, address_v6, session, user, caller, port_id, granted, framed, delegated,
        ) = layout.values(payload)  # fmt: skip
        if granted[:3] != b"c1.":
            granted = b""  # somebody else's
        if not port_id and port is not None:
            port_id = b"%d" % port
        name, line = b"%b\0%b" % (session, user), b"%b\0%b\0%b\0" % (caller, port_id, granted)
        text = name + line
        if not text.isascii() or text.count(0) != 4 or b"hex:" in text or not session or received >> _RECEIPT_BITS:
            return None
        if event is not None and received - _OLDEST <= (at := event * _MICRO) <= received:
            if received < at + _ON_ITS_WAY:
                at = received
        elif delay is not None and delay <= _OLDEST_SECONDS:
            at = received - delay * _MICRO
        else:
            at = received
        if seconds is not None and seconds > LONGEST_SESSION_SECONDS:
            seconds = None
        input_octets, output_octets = (input_high << 32) + input_low, (output_high << 32) + output_low
        sender = payload[9 : layout.begins]
        if layout.status == ACCT_STATUS_INTERIM_UPDATE:
            return (
                blake2b((self._names.get(sender) or self._name(sender)) + name, digest_size=16).digest(),
                _told(line, nas_ip, address, address_v6, framed, delegated, granted),
                at,
                at if seconds is None else at - seconds * _MICRO,
                input_octets if input_octets <= MOST_OCTETS else MOST_OCTETS,
                output_octets if output_octets <= MOST_OCTETS else MOST_OCTETS,
                seconds or 0,
                sender,
                received,
            )
        instant = _EPOCH + timedelta(microseconds=at)
        began = None if seconds is None else instant - timedelta(seconds=seconds)
        subscription_id, fingerprint = (granted and read_class(granted)) or (None, "")
        return AccountingRecord(
            status=layout.status,
            nas_id=int.from_bytes(sender[:8], signed=True),
            nas_address=_source(sender[9:]),
            at=instant,
            acct_session_id=session.decode(),
            user_name=user.decode(),
            began_at=instant if layout.status == ACCT_STATUS_START else began,
            subscription_id=subscription_id,
            granted_fingerprint=fingerprint,
            framed_ip_address=_address(address) or _address(address_v6),
            framed_ipv6_prefix=_prefix(framed) or _single(address_v6),
            delegated_ipv6_prefix=_prefix(delegated),
            nas_ip_address=_source(nas_ip) if nas_ip and nas_ip not in NO_ADDRESS else None,
            calling_station_id=caller.decode(),
            nas_port_id=port_id.decode(),
            input_octets=min(input_octets, MOST_OCTETS),
            output_octets=min(output_octets, MOST_OCTETS),
            session_seconds=seconds or 0,
            terminate_cause="" if cause is None else TERMINATE_CAUSES.get(cause, str(cause)),
        )

    def _name(self, sender: bytes) -> bytes:
        """What the session's key begins with."""
        if len(self._names) >= _SENDERS:
            self._names.clear()
        name = f"{int.from_bytes(sender[:8], signed=True)}\0{ip_address(sender[9:])}\0".encode()
        self._names[sender] = name
        return name


@lru_cache(maxsize=4096)
def _source(octets: bytes) -> Address:
    return ip_address(octets)


def _address(octets: bytes) -> Address | None:
    if not octets or octets in NO_ADDRESS:
        return None
    return IPv4Address(octets) if len(octets) == 4 else IPv6Address(octets)


def _prefix(value: bytes) -> str | None:
    octets = prefix_octets(value) if value else None
    return None if octets is None else prefix_text(octets)


def _single(octets: bytes) -> str | None:
    """An IPv6 address as a prefix."""
    return f"{IPv6Address(octets)}/128" if len(octets) == 16 and octets not in NO_ADDRESS else None


def told_by(record: AccountingRecord) -> int:
    """The `told` of a record: equal for two that tell the same besides times, counters and status."""
    granted = b""
    if record.granted_fingerprint:
        granted = f"c1.{record.subscription_id}.{record.granted_fingerprint}".encode()
    line = b"\0".join((record.calling_station_id.encode(), record.nas_port_id.encode(), granted, b""))
    nas_ip, address = record.nas_ip_address, record.framed_ip_address
    return _digest(
        line,
        b"" if nas_ip is None else nas_ip.packed,
        b"" if address is None else address.packed,
        _octets_of(record.framed_ipv6_prefix),
        _octets_of(record.delegated_ipv6_prefix),
        granted,
    )


@lru_cache(maxsize=4096)
def _octets_of(prefix: str | None) -> bytes:
    if prefix is None:
        return b""
    network = IPv6Network(prefix)
    return bytes((network.prefixlen,)) + network.network_address.packed


def _told(
    line: bytes, nas_ip: bytes, address: bytes, address_v6: bytes, framed: bytes, delegated: bytes, granted: bytes
) -> int:
    """The same of the values as they stand in the datagram, `line` apart."""
    if nas_ip in NO_ADDRESS:
        nas_ip = b""
    if address in NO_ADDRESS:
        address = b""
    if framed or delegated or address_v6:
        if address_v6 in NO_ADDRESS:
            address_v6 = b""
        framed = (prefix_octets(framed) if framed else None) or b""
        if not framed and len(address_v6) == 16:
            framed = b"\x80" + address_v6
        delegated = (prefix_octets(delegated) if delegated else None) or b""
    return _digest(line, nas_ip, address or address_v6, framed, delegated, granted)


def _digest(line: bytes, nas_ip: bytes, address: bytes, prefix: bytes, delegated: bytes, granted: bytes) -> int:
    """64 bits, signed. The texts of `line` end with NUL, which none of them holds; the rest have their lengths."""
    flags = (TOLD_ADDRESS if address else 0) | (TOLD_CLASS if granted else 0)
    if prefix or delegated:
        flags |= (TOLD_FRAMED_PREFIX if prefix else 0) | (TOLD_DELEGATED_PREFIX if delegated else 0)
    sizes = _SIZES(len(nas_ip), len(address), len(prefix), len(delegated))
    digest = blake2b(line + sizes + nas_ip + address + prefix + delegated, digest_size=8).digest()
    return int.from_bytes(digest, signed=True) & ~_FLAGS | flags
