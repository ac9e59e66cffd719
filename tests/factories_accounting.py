"""What the accounting tests are made of.

Requests are signed here with the standard library's hashes, not with the code under test, so that the two check each
other.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

from radius import attributes as a
from radius.accounting import AccountingRecord, Received, pack_received
from radius.codec import Attribute, Packet, encode, encode_attributes, integer, parse
from radius.policy import Grant, Policy
from radius.records import class_value
from radius.spool import SpoolWriter

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRET = b"xyzzy5461"
SOURCE = ip_address("192.0.2.1")
START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8
SLOW, FAST = Grant(Policy(download_bps=1_000_000)), Grant(Policy(download_bps=100_000_000))


def told(status: int = START, seconds: float = 0, **said: Any) -> AccountingRecord:
    """Record of ana's session that began at NOW, told `seconds` later, as an honest NAS would tell it."""
    at = NOW + timedelta(seconds=seconds)
    given: dict[str, Any] = {
        "status": status,
        "nas_id": 1,
        "nas_address": SOURCE,
        "at": at,
        "acct_session_id": "81000001",
        "user_name": "ana",
        "began_at": NOW,
        "session_seconds": int(seconds),
        **said,
    }
    return AccountingRecord(**given)


def restart(seconds: float = 0, **said: Any) -> AccountingRecord:
    """Accounting-On, `seconds` after NOW."""
    return AccountingRecord(
        **{"status": ON, "nas_id": 1, "nas_address": SOURCE, "at": NOW + timedelta(seconds=seconds), **said}
    )


def acct_attributes(
    status: int | None = START,
    session: bytes = b"81000001",
    user: bytes = b"ana",
    *more: Attribute,
    seconds: int | None = None,
    octets: tuple[int, int] | None = None,
    address: str | None = None,
    grant: Grant | None = None,
    subscription: int = 7,
    event: datetime | None = None,
    delay: int | None = None,
) -> list[Attribute]:
    """Attributes of an Accounting-Request; `octets` are (input, output)."""
    found: list[Attribute] = []
    if status is not None:
        found.append((a.ACCT_STATUS_TYPE, integer(status)))
    found += [(a.ACCT_SESSION_ID, session)] if session else []
    found += [(a.USER_NAME, user)] if user else []
    if octets is not None:
        kinds = (
            (a.ACCT_INPUT_OCTETS, a.ACCT_INPUT_GIGAWORDS),
            (a.ACCT_OUTPUT_OCTETS, a.ACCT_OUTPUT_GIGAWORDS),
        )
        for (low, high), count in zip(kinds, octets, strict=True):
            found += [(low, integer(count & 0xFFFFFFFF)), (high, integer(count >> 32))]
    optional: list[tuple[int, bytes | None]] = [
        (a.ACCT_SESSION_TIME, None if seconds is None else integer(seconds)),
        (a.FRAMED_IP_ADDRESS, None if address is None else IPv4Address(address).packed),
        (a.CLASS, None if grant is None else class_value(subscription, grant)),
        (a.EVENT_TIMESTAMP, None if event is None else integer(int(event.timestamp()))),
        (a.ACCT_DELAY_TIME, None if delay is None else integer(delay)),
    ]
    return [*found, *((kind, value) for kind, value in optional if value is not None), *more]


def acct_request(
    attributes: Iterable[Attribute],
    *,
    code: int = a.ACCOUNTING_REQUEST,
    identifier: int = 5,
    secret: bytes = SECRET,
    sign: bool = False,
) -> bytes:
    """An Accounting-Request with its authenticator (RFC 2866 §3); `sign`: with Message-Authenticator in front too."""
    own = encode_attributes(attributes)
    if sign:
        own = encode_attributes([(a.MESSAGE_AUTHENTICATOR, bytes(16))]) + own
    blank = encode(code, identifier, bytes(16), own)
    if sign:
        blank = blank[:22] + hmac.digest(secret, blank, "md5") + blank[38:]
    return blank[:4] + hashlib.md5(blank + secret).digest() + blank[20:]


def acct_answer(reply: bytes | None, request: bytes, secret: bytes = SECRET) -> Packet:
    """The Accounting-Response, after checking its authenticators."""
    assert reply is not None, "silence"
    packet = parse(reply)
    assert (packet.raw, packet.code, packet.identifier) == (reply, a.ACCOUNTING_RESPONSE, request[1])
    assert packet.authenticator == hashlib.md5(reply[:4] + request[4:20] + reply[20:] + secret).digest()
    if packet.first(a.MESSAGE_AUTHENTICATOR) is not None:
        assert packet.attributes[0][0] == a.MESSAGE_AUTHENTICATOR
        blank = reply[:4] + request[4:20] + reply[20:22] + bytes(16) + reply[38:]
        assert packet.attributes[0][1] == hmac.digest(secret, blank, "md5"), "Message-Authenticator"
    return packet


def received(
    attributes: Iterable[Attribute], at: datetime = NOW, *, nas_id: int = 1, source: str = "192.0.2.1"
) -> Received:
    return Received(nas_id, ip_address(source), at, acct_request(attributes))


def spool_up(directory: Path, *batch: Received) -> None:
    """What a worker would have left in the spool of `directory`."""
    writer = SpoolWriter(directory)
    writer.append([pack_received(each) for each in batch])
    writer.close()
