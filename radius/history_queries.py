"""The questions that "who had this address?" puts to the database, made once: making one takes SQLAlchemy longer than
answering it takes the database.

An IPv6 address is looked for under every prefix that it may lie in, all at once. The keys are one text that PostgreSQL
takes apart, because a hundred parameters cost more than the answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import IPv6Address
from socket import AF_INET6, inet_ntop
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Row, bindparam, or_, select, text, type_coerce, union_all

from core.columns import Address, UtcDateTime
from core.database import Transaction
from radius.history_models import LONG, LONG_USE, AddressHistory
from radius.models import Session

_MARGIN = timedelta(seconds=1)
"""SQLite counts in milliseconds: what is hardly longer than `LONG` is among the others, so that none is in neither."""
STREAMED = {"yield_per": 1_000}
_LENGTHS = range(128, 31, -1)
"""Of IPv6 prefixes that a subscriber may be handed; a /32 is what registries give a whole provider."""

HISTORY = (
    AddressHistory.address,
    AddressHistory.prefix_length,
    AddressHistory.since,
    AddressHistory.until,
    AddressHistory.session_id,
    AddressHistory.subscription_id,
    AddressHistory.nas_id,
    AddressHistory.user_name,
    AddressHistory.calling_station_id,
    AddressHistory.nas_port_id,
    AddressHistory.acct_session_id,
)
SESSION = (
    Session.id,
    Session.subscription_id,
    Session.nas_id,
    Session.user_name,
    Session.calling_station_id,
    Session.nas_port_id,
    Session.acct_session_id,
    Session.started_at,
    Session.stopped_at,
    Session.framed_ip_address,
    Session.address_since,
    Session.framed_ipv6_prefix,
    Session.framed_ipv6_prefix_since,
    Session.delegated_ipv6_prefix,
    Session.delegated_ipv6_prefix_since,
)
BY_END = AddressHistory.until, AddressHistory.session_id


def firsts_around(address: Address) -> list[tuple[bytes, int]]:
    """Every network that the address may have been used with, as its first address (octets) and its length in bits:
    itself; of IPv6 every prefix that it lies in."""
    if not isinstance(address, IPv6Address):
        return [(address.packed, 32)]
    number = int(address)
    return [((number >> (128 - bits) << (128 - bits)).to_bytes(16), bits) for bits in _LENGTHS]


def prefixes_around(address: IPv6Address) -> list[str]:
    """The same as text, as `IPv6Network` writes it."""
    if not int(address) >> 64:  # there inet_ntop writes the end as an IPv4 address
        return [f"{IPv6Address(first)}/{bits}" for first, bits in firsts_around(address)]
    return [f"{inet_ntop(AF_INET6, first)}/{bits}" for first, bits in firsts_around(address)]


def remembered(tx: Transaction, address: Address, span: dict[str, Any], *, streamed: bool) -> Any:
    """Rows of `HISTORY` that begin as the address or a prefix around it does, by their end: what ended after
    `span["since"]` and began by `span["until"]`. Most of what begins as a prefix does lies elsewhere."""
    options = STREAMED if streamed else {}
    dialect = _dialect(tx)
    values = {**span, "near": span["until"] + LONG + _MARGIN, "address": address}
    statement = _OF_ADDRESS[dialect]
    if isinstance(address, IPv6Address):
        firsts = list(dict.fromkeys(first for first, _ in firsts_around(address)))
        values["addresses"] = firsts if dialect == "sqlite" else ",".join(map(bytes.hex, firsts))
        statement = _OF_PREFIXES[dialect]
    return tx.session.execute(statement, values, execution_options=options)


def live(tx: Transaction, address: Address, span: dict[str, Any]) -> Sequence[Row[Any]]:
    """Rows of `SESSION` that have the address or a prefix around it, began by `span["until"]` and did not end before
    `span["since"]`."""
    values, statement = {**span, "address": address}, _LIVE_AT_ADDRESS
    if isinstance(address, IPv6Address):
        dialect, texts = _dialect(tx), prefixes_around(address)
        values["prefixes"] = json.dumps(texts) if dialect == "sqlite" else ",".join(texts)
        statement = _LIVE_AT_PREFIX[dialect]
    return list(dict.fromkeys(tx.session.execute(statement, values)))


def running(since: Any, until: Any) -> tuple[ColumnElement[bool], ...]:
    """Condition: the session began by `until` and did not end before `since`."""
    return Session.started_at <= until, or_(Session.stopped_at.is_(None), Session.stopped_at > since)


def _dialect(tx: Transaction) -> str:
    return tx.session.get_bind().dialect.name


_SINCE, _UNTIL = bindparam("since", type_=UtcDateTime), bindparam("until", type_=UtcDateTime)
_NEAR = bindparam("near", type_=UtcDateTime)
_MEETING = select(*HISTORY).where(AddressHistory.until > _SINCE, AddressHistory.since <= _UNTIL)


def _soon_and_late(dialect: str, of: Any) -> Any:
    """What ended soon enough after the span that its months are few, and what ended later: those are long uses."""
    asked = _MEETING.where(of)
    late = asked.where(AddressHistory.until > _NEAR, text(LONG_USE[dialect]))
    return union_all(asked.where(AddressHistory.until <= _NEAR), late).order_by("until", "session_id")


_AROUND: dict[str, Any] = {
    "postgresql": text(
        "address = ANY (ARRAY(SELECT decode(k, 'hex') FROM unnest(string_to_array(:addresses, ',')) AS k))"
    ),
    "sqlite": type_coerce(AddressHistory.address, LargeBinary).in_(bindparam("addresses", expanding=True)),
}
_OF_PREFIXES = {dialect: _soon_and_late(dialect, around) for dialect, around in _AROUND.items()}
_OF_ADDRESS = {dialect: _soon_and_late(dialect, AddressHistory.address == bindparam("address")) for dialect in LONG_USE}

_LIVE = select(*SESSION).where(*running(_SINCE, _UNTIL))
_AT_ADDRESS = _LIVE.where(Session.framed_ip_address == bindparam("address"))
_LIVE_AT_ADDRESS: Any = _AT_ADDRESS.order_by(Session.id)
_AMONG = {
    "postgresql": "{} = ANY (string_to_array(:prefixes, ','))",
    "sqlite": "{} IN (SELECT value FROM json_each(:prefixes))",
}
_LIVE_AT_PREFIX = {
    dialect: union_all(  # and no OR, so that each has its index
        _AT_ADDRESS, *(_LIVE.where(text(among.format(f))) for f in ("framed_ipv6_prefix", "delegated_ipv6_prefix"))
    ).order_by("id")
    for dialect, among in _AMONG.items()
}
