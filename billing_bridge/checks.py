"""Rules for single fields that several billing commands share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from core.errors import InvalidInput
from core.units import format_money

MOST_CENTS = 100_000_000
MOST_DISCOUNT_DAYS = 365
MOST_TOGETHER = 200
"""Charges of one invoice, or invoices of one receipt."""


def amount(value: int, field: str = "amount_cents") -> int:
    """Whole cents, at least one."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_CENTS:
        raise InvalidInput(field, f"whole cents from 1 to {MOST_CENTS}", 9990)
    return value


def discount(value: int, amount_cents: int) -> int:
    """Whole cents, less than the amount: what costs nothing is no charge. 0: no discount."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < amount_cents:
        rule = f"whole cents, less than the amount of {format_money(amount_cents)}; 0: none"
        raise InvalidInput("discount_cents", rule, min(1000, amount_cents - 1))
    return value


def discount_days(value: int) -> int:
    """Calendar days before the due date; 0: until the due date itself."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_DISCOUNT_DAYS:
        raise InvalidInput("discount_days", f"calendar days before the due date, 0 to {MOST_DISCOUNT_DAYS}", 5)
    return value


def due_date(value: date, field: str = "due_on") -> date:
    """A date without a time; past ones are for bills that come from elsewhere."""
    if isinstance(value, datetime) or not isinstance(value, date) or not 2000 <= value.year <= 2100:
        raise InvalidInput(field, "a date from 2000 to 2100", "2026-03-10")
    return value


def several(ids: Sequence[int], field: str) -> list[int]:
    """The ids without repetitions, in order."""
    unique = sorted(set(ids))
    if not 1 <= len(unique) <= MOST_TOGETHER:
        raise InvalidInput(field, f"1 to {MOST_TOGETHER} ids", [1, 2])
    return unique


def past_instant(value: datetime, now: datetime, field: str) -> datetime:
    if value.tzinfo is None:
        raise InvalidInput(field, "an instant with its time zone", now.isoformat())
    if value > now:
        raise InvalidInput(field, "an instant that is not in the future", now.isoformat())
    return value
