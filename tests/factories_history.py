"""Uses of addresses, as the history would have them."""

from __future__ import annotations

import itertools
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from sqlalchemy import select

from core.database import Database, Transaction
from radius.history import AddressUse, remember_use
from radius.history_models import AddressHistory
from tests.ticking import START

_numbers = itertools.count(1)
_PARTITIONS = (
    "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relname <> 'address_history_default'"
)


def make_use(network: str = "100.64.0.9", began: float = 0, hours: float = 1, **values: Any) -> AddressUse:
    """A use that began `began` hours after START and took `hours`; `network` is an address or a prefix."""
    number = next(_numbers)
    prefix = ip_network(network)
    since = START + timedelta(hours=began)
    given: dict[str, Any] = {
        "address": prefix.network_address,
        "prefix_length": prefix.prefixlen,
        "since": since,
        "until": since + timedelta(hours=hours),
        "session_id": number,
        "subscription_id": number,
        "nas_id": 1,
        "user_name": f"user{number:06d}",
        **values,
    }
    return AddressUse(**given)


def remember(database: Database, *uses: AddressUse) -> None:
    """Write them in a transaction of their own."""
    with database.transaction() as tx:
        remember_use(tx, uses)


def kept_users(tx: Transaction) -> list[str]:
    """The names in the history, in alphabetical order."""
    return sorted(tx.session.scalars(select(AddressHistory.user_name)))


def drop_partitions(database: Database) -> None:
    """The migrated database is another test's next, and tables outlive the emptying."""
    if database.dialect != "postgresql":
        return
    with database.engine.begin() as connection:
        for name in connection.exec_driver_sql(_PARTITIONS).scalars().all():
            connection.exec_driver_sql(f"DROP TABLE {name}")
