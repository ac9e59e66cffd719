"""Promotional discounts: what is taken off when an invoice is paid early enough.

A discount holds until a day, which is so many calendar days before the due date (0: the due date itself). A due date
on a Sunday is not moved by it: the day is the one that the words on the invoice name.

Like everything here it follows from facts, the payments that hold with the days they were made on: it is granted when
what was paid by a day reaches what was asked for on that day. A payment that is taken back may take it away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from core.units import format_money


@dataclass(frozen=True, slots=True)
class Discount:
    """`cents` off, when paid on day `until` or before."""

    cents: int
    until: date

    @property
    def discount_cents(self) -> int:
        """As the API names it."""
        return self.cents

    @property
    def words(self) -> str:
        return discount_words(self, "en")

    @property
    def palavras(self) -> str:
        return discount_words(self, "pt-BR")


def discounts_of(due_on: date, promised: Iterable[tuple[int, int]]) -> tuple[Discount, ...]:
    """From the (cents, days before the due date) of its charges: one discount a day, the first to end at the front."""
    sums: dict[date, int] = {}
    for cents, days in promised:
        if cents:
            until = due_on - timedelta(days=days)
            sums[until] = sums.get(until, 0) + cents
    return tuple(Discount(cents, until) for until, cents in sorted(sums.items()))


def available(discounts: Sequence[Discount], day: date) -> int:
    """Cents off for what is paid on that day."""
    return sum(discount.cents for discount in discounts if day <= discount.until)


def granted(amount_cents: int, discounts: Sequence[Discount], payments: Sequence[tuple[date, int]]) -> int:
    """The discount that the payments, (day, cents), have earned; never more than they leave open."""
    for day in sorted({day for day, _ in payments}):
        off = available(discounts, day)
        if _paid_by(payments, day) >= amount_cents - off:
            return min(off, amount_cents - _paid_by(payments, date.max))
    return 0


def payable(amount_cents: int, discounts: Sequence[Discount], payments: Sequence[tuple[date, int]], day: date) -> int:
    """What settles the invoice when it is paid on that day, after the payments that there are; 0: it is settled."""
    left = amount_cents - granted(amount_cents, discounts, payments) - _paid_by(payments, date.max)
    early = amount_cents - available(discounts, day) - _paid_by(payments, day)
    return max(0, min(left, early))


def discount_words(discount: Discount, language: str) -> str:
    """The sentence that stands on an invoice; `language` is pt-BR or en."""
    money, until = format_money(discount.cents), f"{discount.until:%d/%m/%Y}"
    if language == "en":
        return f"Discount of {money} for payment until {until}"
    return f"Desconto de {money} para pagamento até o dia {until}"


def _paid_by(payments: Sequence[tuple[date, int]], day: date) -> int:
    return sum(cents for paid_on, cents in payments if paid_on <= day)
