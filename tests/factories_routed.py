"""Routed prefixes for tests."""

from __future__ import annotations

from core.database import Database, Transaction
from ipam.routed import Purpose, give_prefix, prefixes_of, withdraw_prefix


def route(tx: Transaction, subscription_id: int, network: str, purpose: str = Purpose.ROUTE) -> str:
    """Route it; says the network."""
    return str(give_prefix(tx, subscription_id=subscription_id, purpose=purpose, network=network).network)


def unroute(tx: Transaction, subscription_id: int, network: str) -> None:
    withdraw_prefix(tx, subscription_id=subscription_id, network=network)


def routed_to(database: Database, subscription_id: int) -> list[str]:
    """The networks that are routed to the subscription, in the order that they are told in."""
    with database.reading() as tx:
        return [str(prefix.network) for prefix in prefixes_of(tx, [subscription_id]).get(subscription_id, ())]
