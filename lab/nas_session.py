"""A subscriber's session at a simulated NAS: what an Access-Accept granted, and what it does since then.

The vendor's words are read here from the router's side, apart from `radius.vendors`, which writes them: a direction
mixed up there shows here as a subscriber who uploads at the download rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address

from core.errors import InvalidInput
from core.units import format_rate, parse_rate
from radius.attributes import (
    ACCT_INTERIM_INTERVAL,
    CLASS,
    FILTER_ID,
    FRAMED_POOL,
    MIKROTIK_ADDRESS_LIST,
    MIKROTIK_GROUP,
    MIKROTIK_RATE_LIMIT,
    SESSION_TIMEOUT,
    VENDOR_MIKROTIK,
    VENDOR_WISPR,
    WISPR_BANDWIDTH_MAX_DOWN,
    WISPR_BANDWIDTH_MAX_UP,
)
from radius.codec import Packet


@dataclass(slots=True, eq=False)
class Session:
    """The NAS's own record of a session, live: a later CoA shows in the fields of the same object.

    Rates in bits per second as the subscriber sees them, None without a limit; `rate_limit` is the attribute's own
    text. `octets_up` and `octets_down` count what the subscriber sent and received. `live` is False once it ended.
    """

    user: str
    acct_session_id: str
    calling_station_id: str
    nas_port: int
    method: str
    started: datetime
    framed_ip_address: IPv4Address | None = None
    rate_limit: str = ""
    download_bps: int | None = None
    upload_bps: int | None = None
    address_list: str = ""
    group: str = ""
    pool: str = ""
    class_value: bytes = b""
    interim_seconds: int | None = None
    ends_at: datetime | None = None
    octets_up: int = 0
    octets_down: int = 0
    updated: datetime | None = None
    live: bool = False

    @property
    def speed(self) -> str:
        """`50M down, 10M up`, for people."""
        if self.download_bps is None and self.upload_bps is None:
            return "no limit"
        return f"{_spoken(self.download_bps)} down, {_spoken(self.upload_bps)} up"


def _spoken(bps: int | None) -> str:
    return "unlimited" if bps is None else format_rate(bps)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of NAS reads its own words: each function changes a session by what a packet holds."""

    read_rate: Callable[[Session, Packet], bool]
    read_group: Callable[[Session, Packet], bool]
    read_address_list: Callable[[Session, Packet], bool]


def rates(rate_limit: str) -> tuple[int | None, int | None]:
    """(download, upload) of a Mikrotik-Rate-Limit, `rx[/tx] …`: rx is what the router receives, the upload.

    0 is no limit (None). ValueError when a router could not read it.
    """
    receive, _, transmit = rate_limit.split(" ")[0].partition("/")
    try:
        upload = parse_rate(receive)
        download = parse_rate(transmit) if transmit else upload
    except InvalidInput as error:
        raise ValueError(f"no router reads the rate limit {rate_limit!r}") from error
    return download or None, upload or None


def _mikrotik_rate(session: Session, packet: Packet) -> bool:
    value = packet.vendor(VENDOR_MIKROTIK, MIKROTIK_RATE_LIMIT)
    if value is None:
        return False
    session.download_bps, session.upload_bps = rates(value.decode())
    session.rate_limit = value.decode()
    return True


def _mikrotik_group(session: Session, packet: Packet) -> bool:
    value = packet.vendor(VENDOR_MIKROTIK, MIKROTIK_GROUP)
    session.group = session.group if value is None else value.decode()
    return value is not None


def _mikrotik_address_list(session: Session, packet: Packet) -> bool:
    value = packet.vendor(VENDOR_MIKROTIK, MIKROTIK_ADDRESS_LIST)
    session.address_list = session.address_list if value is None else value.decode()
    return value is not None


def _wispr_rate(session: Session, packet: Packet) -> bool:
    down = packet.vendor(VENDOR_WISPR, WISPR_BANDWIDTH_MAX_DOWN)
    up = packet.vendor(VENDOR_WISPR, WISPR_BANDWIDTH_MAX_UP)
    if down is not None:
        session.download_bps = int.from_bytes(down)
    if up is not None:
        session.upload_bps = int.from_bytes(up)
    return down is not None or up is not None


def _filter_id(session: Session, packet: Packet) -> bool:
    value = packet.first(FILTER_ID)
    session.group = session.group if value is None else value.decode()
    return value is not None


def _nothing(_session: Session, _packet: Packet) -> bool:
    return False


DIALECTS = {
    "mikrotik": Dialect(_mikrotik_rate, _mikrotik_group, _mikrotik_address_list),
    "generic": Dialect(_wispr_rate, _filter_id, _nothing),
}


def take_accept(session: Session, packet: Packet, dialect: Dialect) -> None:
    """Let the session be as the Access-Accept says; ValueError for a rate that no router could read."""
    dialect.read_rate(session, packet)
    dialect.read_group(session, packet)
    dialect.read_address_list(session, packet)
    session.pool = (packet.first(FRAMED_POOL) or b"").decode()
    session.class_value = packet.first(CLASS) or b""
    session.interim_seconds = number(packet, ACCT_INTERIM_INTERVAL)


def number(packet: Packet, kind: int) -> int | None:
    """Value of an integer attribute, None when it is absent or not four octets."""
    value = packet.first(kind)
    return int.from_bytes(value) if value is not None and len(value) == 4 else None


def session_timeout(packet: Packet) -> int | None:
    """Seconds that the session may last from now on."""
    return number(packet, SESSION_TIMEOUT)
