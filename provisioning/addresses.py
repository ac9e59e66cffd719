"""A subscription's fixed IPv4 address: the address plan gives it, the access record carries it."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from core.database import Transaction
from ipam.allocation import assign_fixed_address, release_fixed_address
from provisioning.refresh import refresh
from provisioning.subscriptions import lock_subscription
from provisioning.timeline import narrate


def assign_address(tx: Transaction, *, subscription_id: int, subnet_id: int, address: IPv4Address | None = None) -> Any:
    """Give a fixed address: the named one, or the next free one of the subnet. It holds at each connection."""
    lock_subscription(tx, subscription_id)
    fixed = assign_fixed_address(tx, subscription_id=subscription_id, subnet_id=subnet_id, address=address)
    narrate(tx, subscription_id, "address.assigned", details={"address": str(fixed.address)})
    refresh(tx, [subscription_id])
    return fixed


def release_address(tx: Transaction, *, subscription_id: int, note: str = "") -> IPv4Address:
    """Take the fixed address back; it rests in quarantine before anybody else gets it. Gives the address."""
    lock_subscription(tx, subscription_id)
    address = release_fixed_address(
        tx, subscription_id=subscription_id, quarantine_days=tx.settings.quarantine_days
    ).address
    narrate(tx, subscription_id, "address.released", details={"address": str(address)}, note=note)
    refresh(tx, [subscription_id])
    return address
