"""Who is connected, as the authentication workers know it, and the rule that it is for. Pure.

A replica entry `b"s" + subscription id (8 octets)` holds the lines on which a subscription has open sessions; there is
none when it has no session. `radius.presence_feed` writes it whenever a session opens, closes or moves.

The limit must never lock out a paying line, so it is lenient wherever it does not know:

- a line that has a session takes its place: a NAS that lost the Stop, or a modem that lost its power, dials in again;
- when this host has not heard from the database for a while, nobody is refused for sessions that may be over.

Two lines that come at the same instant may both get in, since neither has told its Start yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct

from radius.line import Line, same_line

PREFIX = b"s"
HEARD_KEY = b"\0heard"
"""When this host last heard from the database: epoch milliseconds of its own clock, 8 octets. Its feeder writes it."""
HEARD_SECONDS = 30.0
"""What was heard longer ago than this refuses nobody."""
MOST_SESSIONS = 100
"""Lines that an entry holds, the newest, and the highest limit there is."""

_VERSION = 1
_LINE = Struct(">QBB")
"""NAS id, octets of caller, octets of port; both follow."""


def presence_key(subscription_id: int) -> bytes:
    return PREFIX + subscription_id.to_bytes(8)


def pack_presence(lines: Sequence[Line]) -> bytes:
    """The value for open sessions on these lines, oldest first."""
    pieces = [bytes((_VERSION,))]
    for line in lines[-MOST_SESSIONS:]:
        caller, port = line.caller[:255], line.port[:255]
        pieces.append(_LINE.pack(line.nas_id, len(caller), len(port)) + caller + port)
    return b"".join(pieces)


def unpack_presence(value: bytes) -> list[Line]:
    """What `pack_presence` made, and nothing of a version that this one does not know."""
    lines: list[Line] = []
    at = 1
    while at < len(value) and value[0] == _VERSION:
        nas_id, callers, ports = _LINE.unpack_from(value, at)
        at += _LINE.size
        lines.append(Line(nas_id, value[at : at + callers], value[at + callers : at + callers + ports]))
        at += callers + ports
    return lines


def tells_caller(value: bytes, caller: bytes) -> bool:
    """Whether a packed line has this very caller, octet for octet: what a line that dials in again mostly finds."""
    at = 1
    while at < len(value) and value[0] == _VERSION:
        callers, ports = value[at + 8], value[at + 9]
        at += _LINE.size
        if value[at : at + callers] == caller:
            return True
        at += callers + ports
    return False


def pack_heard(instant: float) -> bytes:
    """The value under HEARD_KEY for epoch seconds."""
    return round(instant * 1000).to_bytes(8)


def is_current(heard: bytes | None, now: float) -> bool:
    """Whether the database was heard of lately; `heard` is the value under HEARD_KEY, `now` this machine's time."""
    return heard is not None and abs(now - int.from_bytes(heard) / 1000) <= HEARD_SECONDS


def has_line(live: Iterable[Line], line: Line) -> bool:
    """Whether one of the sessions is on this very line."""
    return any(same_line(each, line) for each in live)


def in_the_way(live: Sequence[Line], limit: int, line: Line) -> Line | None:
    """The session, the newest, for which a request from `line` is refused; None: admitted. `limit` 0: any number."""
    if not limit or len(live) < limit or has_line(live, line):
        return None
    return live[-1]
