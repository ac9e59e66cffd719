"""What stands where in the accounting of one router, learned once instead of parsed once a record. Pure.

A NAS builds all its Interims alike, and so its Starts and Stops. A datagram has the *layout* of an earlier one when all
octets that say what stands where (lengths, types, the status) are equal: one masking of the whole as a number tells,
and one `struct` cuts the values out. Layouts are learned from datagrams that `radius.codec.parse` has found sound, and
whatever has one is sound too, because every octet that `parse` looks at is among those that are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from struct import Struct
from typing import Any, Final

from radius import attributes as a
from radius.accounting import ENVELOPE, SESSION_STATUSES, Unusable, unpack_received
from radius.codec import HEADER_LENGTH, Malformed, parse
from radius.layouts import fix_datagram

NUMBERS: Final = (
    a.EVENT_TIMESTAMP,
    a.ACCT_DELAY_TIME,
    a.ACCT_SESSION_TIME,
    a.NAS_PORT,
    a.ACCT_TERMINATE_CAUSE,
    a.ACCT_INPUT_OCTETS,
    a.ACCT_INPUT_GIGAWORDS,
    a.ACCT_OUTPUT_OCTETS,
    a.ACCT_OUTPUT_GIGAWORDS,
)
ADDRESSES: Final = (a.NAS_IP_ADDRESS, a.FRAMED_IP_ADDRESS, a.FRAMED_IPV6_ADDRESS)
OCTETS: Final = (
    a.ACCT_SESSION_ID,
    a.USER_NAME,
    a.CALLING_STATION_ID,
    a.NAS_PORT_ID,
    a.CLASS,
    a.FRAMED_IPV6_PREFIX,
    a.DELEGATED_IPV6_PREFIX,
)
_WANTED: Final = (*NUMBERS, *ADDRESSES, *OCTETS)
_COUNTERS: Final = frozenset(NUMBERS[5:])
_ABSENT: Final = (None, 0, b"")
"""A number, a counter, octets that are not told."""


class Layout:
    """What the payloads that are `expected` under `mask` have in common; the datagram `begins` there."""

    __slots__ = ("_pick", "_unpack", "begins", "expected", "mask", "status")

    def __init__(
        self, payload: bytes, begins: int, status: int, fields: dict[int, tuple[int, int]], fixed: bytearray
    ) -> None:
        self.begins = begins
        self.status = status
        self.mask = int.from_bytes(fixed)
        self.expected = int.from_bytes(payload) & self.mask
        form, at = [">xq"], 9
        order = sorted(fields, key=lambda kind: fields[kind])
        for kind in order:
            start, size = fields[kind]
            form.append(f"{start - at}x" + ("I" if kind in NUMBERS else f"{size}s"))
            at = start + size
        self._unpack = Struct("".join(form)).unpack_from
        places = {kind: place for place, kind in enumerate(order, 1)}
        absent = len(order) + 1
        self._pick: Callable[..., Any] = itemgetter(0, *(places.get(kind, absent + _default(kind)) for kind in _WANTED))

    def values(self, payload: bytes) -> Any:
        """Microseconds of receipt, then the values of `NUMBERS`, `ADDRESSES` and `OCTETS`, the untold ones too."""
        return self._pick(self._unpack(payload) + _ABSENT)


def _default(kind: int) -> int:
    """Which of `_ABSENT` stands for it."""
    return 2 if kind not in NUMBERS else 1 if kind in _COUNTERS else 0


def layout_of(payload: bytes) -> Layout | None:
    """The layout of a record that is sound to the last octet, else None."""
    received = unpack_received(payload)
    if isinstance(received, Unusable):
        return None
    try:
        packet = parse(received.datagram)
    except Malformed:
        return None
    status = packet.first(a.ACCT_STATUS_TYPE) or b""
    if len(status) != 4 or int.from_bytes(status) not in SESSION_STATUSES:
        return None
    if len(packet.raw) != len(received.datagram) or len(packet.every(a.CLASS)) > 1:
        return None
    begins = len(payload) - len(packet.raw)
    fixed = bytearray(len(payload))
    fixed[0] = fixed[ENVELOPE.size - 1] = 0xFF
    fix_datagram(fixed, payload, begins)
    fields: dict[int, tuple[int, int]] = {}
    seen: set[int] = set()
    at = begins + HEADER_LENGTH
    for kind, value in packet.attributes:
        start, size = at + 2, len(value)
        if kind == a.ACCT_STATUS_TYPE and kind not in seen:
            fixed[start : start + size] = b"\xff" * size
        elif kind in _WANTED and kind not in seen and _has_size(kind, size):
            fields[kind] = start, size
        seen.add(kind)  # of several, the first
        at = start + size
    return Layout(payload, begins, int.from_bytes(status), fields, fixed)


def _has_size(kind: int, size: int) -> bool:
    """Whether `radius.accounting.read_record` takes a value of this size for anything."""
    if kind in NUMBERS:
        return size == 4
    return size in (4, 16) if kind in ADDRESSES else size > 0
