"""A subscription's routed prefixes: the address plan gives them, the access record carries them."""

from __future__ import annotations

from core.database import Transaction
from ipam import routed
from ipam.routed import Prefix, Purpose
from ipam.space import Network
from provisioning.refresh import refresh
from provisioning.subscriptions import lock_subscription
from provisioning.timeline import narrate


def give_prefix(tx: Transaction, *, subscription_id: int, purpose: Purpose | str, network: str | Network) -> Prefix:
    """Route the network to the subscription; a live session gets it with the next one, which is asked for."""
    lock_subscription(tx, subscription_id)
    given = routed.give_prefix(tx, subscription_id=subscription_id, purpose=purpose, network=network)
    narrate(tx, subscription_id, "prefix.given", details=_told(given))
    refresh(tx, [subscription_id])
    return given


def withdraw_prefix(tx: Transaction, *, subscription_id: int, network: str | Network, note: str = "") -> Prefix:
    """Route the network to the subscription no more; anybody may be given it at once."""
    lock_subscription(tx, subscription_id)
    gone = routed.withdraw_prefix(tx, subscription_id=subscription_id, network=network)
    narrate(tx, subscription_id, "prefix.withdrawn", details=_told(gone), note=note)
    refresh(tx, [subscription_id])
    return gone


def _told(prefix: Prefix) -> dict[str, object]:
    return {"network": str(prefix.network), "purpose": prefix.purpose.value}
