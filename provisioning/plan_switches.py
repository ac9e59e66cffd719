"""Putting subscriptions on another plan: one, or a chunk of many; the facts and what is told of them.

The price switch is HubSoft's "Alterar Valor": on, a subscription costs what the new plan costs; off, it keeps what it
cost so far, as a price of its own. Timeline and audit trail say which way it stood.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.database import Transaction
from provisioning.models import Plan, Subscription
from provisioning.prices import own_price_after, price_of
from provisioning.timeline import narrate

PRICE_CHANGED, PRICE_KEPT = "price of the new plan", "price kept"
"""What the timeline says of the switch."""


def switch_locked(
    tx: Transaction,
    subscriptions: Sequence[Subscription],
    plan: Plan,
    *,
    change_price: bool,
    note: str = "",
    run: str = "",
) -> None:
    """Put them on the plan; they are locked, and the caller refreshes them. `run` names the mass change, if any."""
    for subscription in subscriptions:
        before, cents_before = subscription.plan, price_of(subscription)
        own = own_price_after(subscription, change_price=change_price)
        subscription.plan_id, subscription.plan, subscription.price_cents = plan.id, plan, own
        cents = (cents_before, price_of(subscription))
        _tell(tx, subscription.id, (before.name, plan.name), cents, change_price, note, run)


def _tell(
    tx: Transaction,
    subscription_id: int,
    plans: tuple[str, str],
    cents: tuple[int, int],
    change_price: bool,
    note: str,
    run: str,
) -> None:
    details: dict[str, object] = {
        "from": plans[0],
        "to": plans[1],
        "change_price": change_price,
        "price": PRICE_CHANGED if change_price else PRICE_KEPT,
        "from_cents": cents[0],
        "to_cents": cents[1],
    }
    narrate(tx, subscription_id, "plan.switched", details={**details, "run": run} if run else details, note=note)
    before = {"plan": plans[0], "price_cents": cents[0]}
    after = {"plan": plans[1], "price_cents": cents[1], "change_price": change_price}
    tx.audit("switch-plan", "subscription", subscription_id, before, after, note=note)
