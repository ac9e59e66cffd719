"""Who is to be restricted, decided from due dates and open amounts alone.

Days are counted from the due date: an invoice due on day D is late from D+1, and a rule of N days wants a restriction
from D+N. The minimum is compared with everything that is late and open, whether or not it is N days old yet.

An order names the invoices that are N days late. Only where they reach the minimum together with younger late ones are
those named too, and then the order's own minimum lies above what the younger ones owe, so that settling the old
ones ends it. Where the two wishes cannot be had together, the subscriber gets service and the next run decides anew:
an order may lapse early, it never outlives its reason.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from core.units import format_money
from provisioning.facts import Level


@dataclass(frozen=True, slots=True)
class SuspensionRules:
    """One version of a billing method's rules. Days are None where that level is switched off."""

    method: str
    version: int
    total_days: int | None
    partial_days: int | None
    minimum_open_cents: int = 0


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """What one subscription owes on one invoice."""

    invoice_id: int
    due_on: date
    open_cents: int


@dataclass(frozen=True, slots=True)
class WantedOrder:
    """A restriction that the rules want; `minimum_open_cents` is the amount below which the order lapses."""

    subscription_id: int
    level: Level
    invoice_ids: tuple[int, ...]
    open_cents: int
    minimum_open_cents: int
    days_late: int
    rule: str
    why: str


def decide(
    late: Mapping[int, Sequence[OpenInvoice]], rules: Mapping[int, SuspensionRules], today: date
) -> list[WantedOrder]:
    """The orders that are wanted, in order of subscription; `late` and `rules` are by subscription id.

    A subscription without rules is never restricted. Invoices that are not late, or owe nothing, count for nothing.
    """
    wanted = []
    for subscription_id in sorted(late):
        if subscription_id in rules:
            order = _decide_one(subscription_id, late[subscription_id], rules[subscription_id], today)
            wanted += [order] if order else []
    return wanted


def is_new(wanted: WantedOrder, live: Collection[Level]) -> bool:
    """Whether the order adds to the live ones: a total order leaves nothing to add."""
    return Level.TOTAL not in live and wanted.level not in live


def _decide_one(
    subscription_id: int, invoices: Sequence[OpenInvoice], rules: SuspensionRules, today: date
) -> WantedOrder | None:
    late = [invoice for invoice in invoices if invoice.open_cents > 0 and invoice.due_on < today]
    if sum(invoice.open_cents for invoice in late) < rules.minimum_open_cents:
        return None
    for level, days in ((Level.TOTAL, rules.total_days), (Level.PARTIAL, rules.partial_days)):
        ripe = [invoice for invoice in late if days is not None and (today - invoice.due_on).days >= days]
        if ripe and days is not None:
            return _order(subscription_id, level, days, late, ripe, rules, today)
    return None


def _order(
    subscription_id: int,
    level: Level,
    days: int,
    late: Sequence[OpenInvoice],
    ripe: Sequence[OpenInvoice],
    rules: SuspensionRules,
    today: date,
) -> WantedOrder:
    named, minimum = ripe, rules.minimum_open_cents
    owed_ripe, owed_late = _sum(ripe), _sum(late)
    if owed_ripe < minimum:
        named, minimum = late, max(minimum, owed_late - owed_ripe + 1)
    oldest = min(ripe, key=lambda invoice: (invoice.due_on, invoice.invoice_id))
    days_late = (today - oldest.due_on).days
    text = f"{rules.method} v{rules.version}: {level.value} after {days} days"
    return WantedOrder(
        subscription_id=subscription_id,
        level=level,
        invoice_ids=tuple(sorted(invoice.invoice_id for invoice in named)),
        open_cents=owed_late,
        minimum_open_cents=minimum,
        days_late=days_late,
        rule=text,
        why=(
            f"invoice {oldest.invoice_id} was due on {oldest.due_on.isoformat()}, {days_late} days ago; "
            f"{format_money(owed_late)} late (minimum {format_money(rules.minimum_open_cents)}); {text}"
        ),
    )


def _sum(invoices: Sequence[OpenInvoice]) -> int:
    return sum(invoice.open_cents for invoice in invoices)
