"""Who had an address at an instant, from accounting: `session` has what goes on or ended lately, `address_history` the
rest.

A use of an address or prefix is half-open in time. It is written when it is over: at once where a session got another
address (`remember_use`), else when its session is old enough to leave `session` (`radius.history_archive`). It is
never changed afterwards.

An instant is answered from the primary key: the uses of one address that ended after the instant are neighbours in it,
and it holds their beginnings too, so only a row that covers the instant is fetched. A use may last for a year, and
several NAS may use one private address, so the first holder found need not be the only one; but nearly all uses end
within `LONG`. Those are looked for that far, in two or three months on PostgreSQL, and the few others in an index of
their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from ipaddress import IPv6Network
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from core.columns import Address
from core.database import Transaction
from core.logs import get_logger
from radius.history_models import AddressHistory
from radius.history_queries import BY_END, HISTORY, SESSION, STREAMED, live, remembered, running
from radius.models import Session

log = get_logger("radius.history")

MOST_HOLDERS = 100
"""Of one address at one instant; nobody could tell more of them apart."""


@dataclass(frozen=True, slots=True)
class AddressUse:
    """One session's use of an address, or of the prefix of `prefix_length` bits that begins with it.

    From `since` until before `until`; None: still. A single address has 32 or 128 bits.
    """

    address: Address
    prefix_length: int
    since: datetime
    until: datetime | None
    session_id: int
    subscription_id: int | None
    nas_id: int
    user_name: str = ""
    calling_station_id: str = ""
    nas_port_id: str = ""
    acct_session_id: str = ""

    @property
    def network(self) -> str:
        """As people write it: a single address, or a prefix in CIDR form."""
        single = self.prefix_length == self.address.max_prefixlen
        return str(self.address) if single else f"{self.address}/{self.prefix_length}"


def remember_use(tx: Transaction, uses: Sequence[AddressUse]) -> None:
    """Write uses that are over into the history; those that stand there already are left as they are.

    ValueError for a use that goes on.
    """
    if any(use.until is None for use in uses):
        raise ValueError("a use that goes on is not history yet")
    if uses:
        on_postgresql = tx.session.get_bind().dialect.name == "postgresql"
        insert = postgresql.insert if on_postgresql else sqlite.insert
        tx.session.execute(insert(AddressHistory).on_conflict_do_nothing(), [asdict(use) for use in uses])


def who_had(tx: Transaction, address: Address, at: datetime) -> list[AddressUse]:
    """Every use that covers the address and the instant, the one that began last first; at most `MOST_HOLDERS`.

    An IPv6 address also counts as used when it lies in a framed or delegated prefix. `until` of a use that goes on is
    None.
    """
    found = [use for use in _live(tx, address, at, at) if use.since <= at]
    found += _remembered(tx, address, at, at)
    return sorted(found, key=lambda use: (use.since, use.session_id), reverse=True)[:MOST_HOLDERS]


def uses_of_address(tx: Transaction, address: Address, since: datetime, until: datetime) -> Iterator[AddressUse]:
    """Every use of the address, or of a prefix around it, that meets the span (`until` excluded); streamed: the history
    by its end, then what is in `session`."""
    yield from (use for use in _remembered(tx, address, since, until, streamed=True) if use.since < until)
    yield from (use for use in _live(tx, address, since, until) if _meets(use, since, until))


def uses_of_subscription(
    tx: Transaction, subscription_id: int, since: datetime, until: datetime
) -> Iterator[AddressUse]:
    """Every use by the subscription that meets the span; streamed: the history by its end, then `session`."""
    mine = select(*HISTORY).where(AddressHistory.subscription_id == subscription_id)
    mine = mine.where(AddressHistory.until > since, AddressHistory.since < until).order_by(*BY_END)
    yield from (AddressUse(*row) for row in tx.session.execute(mine, execution_options=STREAMED))
    hers = select(*SESSION).where(Session.subscription_id == subscription_id, *running(since, until))
    for row in tx.session.execute(hers.order_by(Session.started_at, Session.id)):
        yield from (use for use in uses_of(row) if _meets(use, since, until))


def uses_of(session: Any) -> list[AddressUse]:
    """What the session (or the columns `SESSION` of it) has, or had last: its address and its prefixes."""
    held: list[tuple[Address, int, datetime | None]] = []
    if session.framed_ip_address is not None:
        held.append((session.framed_ip_address, session.framed_ip_address.max_prefixlen, session.address_since))
    for text, since in (
        (session.framed_ipv6_prefix, session.framed_ipv6_prefix_since),
        (session.delegated_ipv6_prefix, session.delegated_ipv6_prefix_since),
    ):
        if text and (prefix := _prefix(text)) is not None:
            held.append((prefix.network_address, prefix.prefixlen, since))
    return [_use(session, *each) for each in dict.fromkeys(held)]


def covers(use: AddressUse, address: Address) -> bool:
    """Whether the address is the use's, or lies in its prefix."""
    if use.address.version != address.version:
        return False
    shift = address.max_prefixlen - use.prefix_length
    return int(use.address) >> shift == int(address) >> shift


def _use(session: Any, address: Address, bits: int, since: datetime | None) -> AddressUse:
    return AddressUse(
        address,
        bits,
        since or session.started_at,
        session.stopped_at,
        session.id,
        session.subscription_id,
        session.nas_id,
        session.user_name,
        session.calling_station_id,
        session.nas_port_id,
        session.acct_session_id,
    )


def _prefix(text: str) -> IPv6Network | None:
    try:
        return IPv6Network(text, strict=False)
    except ValueError:
        log.warning("a session has a prefix that cannot be read", prefix=text)
        return None


def _live(tx: Transaction, address: Address, since: datetime, until: datetime) -> Iterator[AddressUse]:
    rows = live(tx, address, {"since": since, "until": until})
    return (use for row in rows for use in uses_of(row) if covers(use, address))


def _remembered(
    tx: Transaction, address: Address, since: datetime, until: datetime, *, streamed: bool = False
) -> Iterator[AddressUse]:
    rows = remembered(tx, address, {"since": since, "until": until}, streamed=streamed)
    return (use for row in rows if covers(use := AddressUse(*row), address))


def _meets(use: AddressUse, since: datetime, until: datetime) -> bool:
    return use.since < until and (use.until is None or use.until > since)
