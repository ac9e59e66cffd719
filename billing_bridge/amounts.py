"""Arithmetic of invoices: integer cents, no rounding anywhere, nothing lost and nothing made.

What was paid of an invoice is one number; which charges it covers follows from it, in the order of the charges. So
reversing a payment needs no bookkeeping of its own: the same number gives the same shares again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum


class InvoiceStatus(StrEnum):
    """Follows from an invoice's amounts; it is stored nowhere."""

    OPEN = "OPEN"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    PAID = "PAID"
    CANCELLED = "CANCELLED"


def status_of(amount_cents: int, paid_cents: int, *, cancelled: bool) -> InvoiceStatus:
    """The status of an invoice over `amount_cents` of which `paid_cents` are paid."""
    if cancelled:
        return InvoiceStatus.CANCELLED
    if paid_cents == 0:
        return InvoiceStatus.OPEN
    return InvoiceStatus.PAID if paid_cents >= amount_cents else InvoiceStatus.PARTIALLY_PAID


def allocate(paid_cents: int, amounts: Sequence[int]) -> list[int]:
    """Spread a sum over amounts, filling each before the next; ValueError when it is more than they can hold."""
    if not 0 <= paid_cents <= sum(amounts):
        raise ValueError(f"{paid_cents} cents cannot be spread over {sum(amounts)}")
    shares = []
    for amount in amounts:
        share = min(amount, paid_cents)
        shares.append(share)
        paid_cents -= share
    return shares


def open_by_subscription(charges: Iterable[tuple[int, int]], paid_cents: int) -> dict[int, int]:
    """What each subscription still owes of one invoice: `charges` are (subscription id, cents) in their order.

    Every subscription with a charge is named, with 0 where nothing is open; the values add up to the open amount.
    """
    listed = list(charges)
    shares = allocate(paid_cents, [amount for _, amount in listed])
    owed: dict[int, int] = {}
    for (subscription_id, amount), share in zip(listed, shares, strict=True):
        owed[subscription_id] = owed.get(subscription_id, 0) + amount - share
    return owed
