"""The line that somebody calls from: the NAS, and what it tells of the caller and of the port. Pure.

Two lines are one when their callers are. Only where a caller is not told does the port decide, because on many a router
a port is an interface that a whole street shares (MikroTik's NAS-Port-Id is `ether2` for everybody behind it).
"""

from __future__ import annotations

from typing import NamedTuple

from radius.access_request import AccessRequest
from radius.accounting import text_of
from radius.attributes import CALLING_STATION_ID, NAS_PORT, NAS_PORT_ID, USER_NAME
from radius.codec import HEADER_LENGTH
from radius.mac_address import read_mac


class Line(NamedTuple):
    """`caller` is Calling-Station-Id, `port` NAS-Port-Id or else NAS-Port as text; b"" where it is not told."""

    nas_id: int
    caller: bytes = b""
    port: bytes = b""


def line_of(request: AccessRequest, nas_id: int) -> Line:
    """Where a request comes from. Who is named by a MAC address and tells no caller calls from that address."""
    caller = request.value(CALLING_STATION_ID)
    if not caller:
        name = request.value(USER_NAME) or b""
        caller = name if read_mac(name) else b""
    return Line(nas_id, caller, ports_of(request)[0])


def ports_of(request: AccessRequest) -> tuple[bytes, bytes]:
    """NAS-Port-Id and NAS-Port as text, what is told first; b"" for what is not."""
    name, number = _value(request.raw, NAS_PORT_ID), _value(request.raw, NAS_PORT)
    told = b"%d" % int.from_bytes(number) if len(number) == 4 else b""
    return (name, told) if name else (told, b"")


def _value(raw: bytes, wanted: int) -> bytes:
    """The first attribute of a checked datagram of this type. Few requests ask, so none has it noted beforehand."""
    at = HEADER_LENGTH
    while at < len(raw):
        if raw[at] == wanted:
            return raw[at + 2 : at + raw[at + 1]]
        at += raw[at + 1]
    return b""


def same_caller(one: bytes, other: bytes) -> bool:
    """Whether two Calling-Station-Ids, both told, name one caller; MAC addresses may be spelled in different ways."""
    if one == other:
        return True
    mac = read_mac(one)
    return mac is not None and mac == read_mac(other)


def same_line(one: Line, other: Line) -> bool:
    if one.caller and other.caller:
        return same_caller(one.caller, other.caller)
    return one.nas_id == other.nas_id and one.port == other.port != b""


def told_caller(caller: bytes) -> str:
    """A caller as people read it: `AA:BB:CC:DD:EE:FF` where it is a MAC address; never a control character."""
    mac = read_mac(caller)
    return mac.hex(":").upper() if mac else told(caller)


def told(octets: bytes) -> str:
    """Octets that a NAS sent, in printable text."""
    text = text_of(octets)
    return text if text.isprintable() else f"hex:{octets.hex()}"
