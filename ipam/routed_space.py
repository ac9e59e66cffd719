"""What other parts of the address plan have to leave alone because it is routed to a subscription."""

from __future__ import annotations

from ipaddress import ip_network

from sqlalchemy import select

from core.columns import Address
from core.database import Transaction
from core.errors import Conflict
from ipam.models import RoutedPrefix


def routed_between(tx: Transaction, first: Address, last: Address) -> RoutedPrefix | None:
    """The lowest prefix that has any of these addresses, or None. Prefixes do not overlap each other."""
    # Of those that begin before the end, the last one reaches furthest; so without it there is none.
    before_the_end = select(RoutedPrefix).where(RoutedPrefix.family == first.version, RoutedPrefix.first <= last)
    furthest = tx.session.scalar(before_the_end.order_by(RoutedPrefix.first.desc()).limit(1))
    if furthest is None or int(furthest.last) < int(first):
        return None
    lowest = before_the_end.where(RoutedPrefix.last >= first).order_by(RoutedPrefix.first).limit(1)
    return tx.session.scalar(lowest)


def refuse_routed(tx: Transaction, first: Address, last: Address, purpose: str) -> None:
    """Conflict, naming the prefix and whose it is, when any of these addresses is routed to somebody."""
    row = routed_between(tx, first, last)
    if row is not None:
        there = ip_network((row.first, row.prefix_length))
        detail = f"{there} is routed to subscription {row.subscription_id}, so cannot {purpose}"
        raise Conflict(detail, network=str(there), subscription_id=row.subscription_id)
