"""What a subscription costs: its own price where it has one, else that of its plan."""

from __future__ import annotations

from provisioning.models import Subscription


def price_of(subscription: Subscription) -> int:
    """Cents a month."""
    return subscription.plan.price_cents if subscription.price_cents is None else subscription.price_cents


def own_price_after(subscription: Subscription, *, change_price: bool) -> int | None:
    """`price_cents` of the subscription once it is on another plan, from how it stands before.

    With the switch on (`change_price`) the new plan's price holds; with the switch off what was paid so far stays.
    """
    return None if change_price else price_of(subscription)
