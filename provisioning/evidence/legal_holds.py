"""Placing a legal hold, with what the history itself cannot know: whether the address was shared by CGNAT."""

from __future__ import annotations

from datetime import datetime

from core.columns import Address
from core.database import Transaction
from core.errors import InvalidInput, NotFound
from ipam.cgnat_rules import rules_outside
from provisioning.models import Subscription
from radius import history_holds
from radius.history_models import LegalHold


def place_hold(
    tx: Transaction,
    *,
    reference: str,
    since: datetime,
    until: datetime,
    address: Address | None = None,
    subscription_id: int | None = None,
    note: str = "",
) -> LegalHold:
    """See `radius.history_holds.place_hold`.

    InvalidInput also for a public address that CGNAT shared: what is kept are the records of inside addresses, so a
    hold on the public one would hold nothing. NotFound: no such subscription.
    """
    if subscription_id is not None and tx.session.get(Subscription, subscription_id) is None:
        raise NotFound("subscription", subscription_id)
    if address is not None and (rules := rules_outside(tx, address, since, until)):
        words = f"an address that subscribers had themselves: {address} was shared by CGNAT rule {rules[0].id}"
        raise InvalidInput("address", f"{words}; trace it with its port, then hold the subscription", "100.64.0.10")
    return history_holds.place_hold(
        tx,
        reference=reference,
        since=since,
        until=until,
        address=address,
        subscription_id=subscription_id,
        note=note,
    )
