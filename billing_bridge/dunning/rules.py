"""Who is to be restricted, decided from due dates and open amounts alone.

Days are counted from the due date: an invoice due on day D is late from D+1, and a rule of N days wants a restriction
from D+N. The minimum is compared with everything that is late and open, whether or not it is N days old yet.

An order names the invoices that are N days late. Only where they reach the minimum together with younger late ones are
those named too, and then the order's own minimum lies above what the younger ones owe, so that settling the old
ones ends it. Where the two wishes cannot be had together, the subscriber gets service and the next run decides anew:
an order may lapse early, it never outlives its reason.

Where the calendar holds the day at the subscriber's place, nothing is wanted today. Where a rule wants notice, an
invoice is ripe only when its notice was given that many days ago.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from billing_bridge.calendar.company import DayCheck
from core.units import format_money
from provisioning.facts import Level


@dataclass(frozen=True, slots=True)
class SuspensionRules:
    """One version of a billing method's rules. Days are None where that level is switched off.

    `notice_days`: so many days before a restriction the notice is given; 0: none is needed. The rest is the calendar's.
    """

    method: str
    version: int
    total_days: int | None
    partial_days: int | None
    minimum_open_cents: int = 0
    notice_days: int = 0
    held_weekdays: frozenset[int] = frozenset()
    hold_holidays: bool = False
    hold_holiday_eves: bool = False

    @property
    def first_level(self) -> tuple[Level, int] | None:
        """The level that comes first, and after how many days; None: both are off."""
        if self.partial_days is not None:
            return Level.PARTIAL, self.partial_days
        return None if self.total_days is None else (Level.TOTAL, self.total_days)


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """What one subscription owes on one invoice."""

    invoice_id: int
    due_on: date
    open_cents: int


@dataclass(frozen=True, slots=True)
class WantedOrder:
    """A restriction that the rules want; `minimum_open_cents` is the amount below which the order lapses.

    `evidence` is what it was decided by, fit for JSON:

        {"method": str, "version": int, "level": str, "day": "2026-10-03", "days": int, "days_late": int,
         "oldest": {"invoice": int, "due_on": "2026-09-18", "open_cents": int},
         "invoices": [each that is late, oldest first, in the same shape],
         "open_cents": int, "minimum_open_cents": int, "notice": {"on": "2026-09-10", "days": int} | None,
         "calendar": {"weekday": int, "held_weekdays": [int], "hold_holidays": bool, "hold_holiday_eves": bool,
                      "holidays": [{"day": "2026-10-12", "name": str, "applies": bool}]} | None}
    """

    subscription_id: int
    level: Level
    invoice_ids: tuple[int, ...]
    open_cents: int
    minimum_open_cents: int
    days_late: int
    rule: str
    why: str
    rule_version: int = 0
    evidence: Mapping[str, object] = field(default_factory=dict, compare=False)


def decide(
    late: Mapping[int, Sequence[OpenInvoice]],
    rules: Mapping[int, SuspensionRules],
    today: date,
    notices: Mapping[int, Mapping[int, date]] | None = None,
    calendar: Mapping[int, DayCheck] | None = None,
) -> list[WantedOrder]:
    """The orders that are wanted, in order of subscription; everything is by subscription id.

    A subscription without rules is never restricted. Invoices that are not late, or owe nothing, count for nothing.
    `notices` are the days on which each invoice's notice was given; `calendar` is what today is at the subscription's
    place: where it is missing, nothing is held.
    """
    wanted = []
    for subscription_id in sorted(late):
        rule = rules.get(subscription_id)
        check = (calendar or {}).get(subscription_id)
        if rule is None or (check is not None and check.hold is not None):
            continue
        given = (notices or {}).get(subscription_id, {})
        order = _decide_one(_Case(subscription_id, rule, today, given, check), late[subscription_id])
        wanted += [order] if order else []
    return wanted


def is_new(wanted: WantedOrder, live: Collection[Level]) -> bool:
    """Whether the order adds to the live ones: a total order leaves nothing to add."""
    return Level.TOTAL not in live and wanted.level not in live


@dataclass(frozen=True, slots=True)
class _Case:
    """One subscription's question, but for its invoices."""

    subscription_id: int
    rules: SuspensionRules
    today: date
    notices: Mapping[int, date]
    check: DayCheck | None

    def ripe(self, invoice: OpenInvoice, days: int) -> bool:
        """Whether it is late enough, and was announced long enough ago."""
        if (self.today - invoice.due_on).days < days:
            return False
        given = self.notices.get(invoice.invoice_id)
        notice = self.rules.notice_days
        return notice == 0 or (given is not None and given <= self.today - timedelta(days=notice))


def _decide_one(case: _Case, invoices: Sequence[OpenInvoice]) -> WantedOrder | None:
    rules = case.rules
    late = [invoice for invoice in invoices if invoice.open_cents > 0 and invoice.due_on < case.today]
    if sum(invoice.open_cents for invoice in late) < rules.minimum_open_cents:
        return None
    for level, days in ((Level.TOTAL, rules.total_days), (Level.PARTIAL, rules.partial_days)):
        ripe = [invoice for invoice in late if days is not None and case.ripe(invoice, days)]
        if ripe and days is not None:
            return _order(case, level, days, late, ripe)
    return None


def _order(
    case: _Case, level: Level, days: int, late: Sequence[OpenInvoice], ripe: Sequence[OpenInvoice]
) -> WantedOrder:
    rules, named, minimum = case.rules, ripe, case.rules.minimum_open_cents
    owed_ripe, owed_late = _sum(ripe), _sum(late)
    if owed_ripe < minimum:
        named, minimum = late, max(minimum, owed_late - owed_ripe + 1)
    oldest = min(ripe, key=lambda invoice: (invoice.due_on, invoice.invoice_id))
    days_late = (case.today - oldest.due_on).days
    text = f"{rules.method} v{rules.version}: {level.value} after {days} days"
    return WantedOrder(
        subscription_id=case.subscription_id,
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
        rule_version=rules.version,
        evidence=_evidence(case, level, days, oldest, late),
    )


def _evidence(
    case: _Case, level: Level, days: int, oldest: OpenInvoice, late: Sequence[OpenInvoice]
) -> dict[str, object]:
    rules, given = case.rules, case.notices.get(oldest.invoice_id)
    notice = {"on": given.isoformat(), "days": rules.notice_days} if given and rules.notice_days else None
    return {
        "method": rules.method,
        "version": rules.version,
        "level": level.value,
        "day": case.today.isoformat(),
        "days": days,
        "days_late": (case.today - oldest.due_on).days,
        "oldest": _told(oldest),
        "invoices": [_told(item) for item in sorted(late, key=lambda item: (item.due_on, item.invoice_id))],
        "open_cents": _sum(late),
        "minimum_open_cents": rules.minimum_open_cents,
        "notice": notice,
        "calendar": None if case.check is None else dict(case.check.evidence),
    }


def _told(invoice: OpenInvoice) -> dict[str, object]:
    return {
        "invoice": invoice.invoice_id,
        "due_on": invoice.due_on.isoformat(),
        "open_cents": invoice.open_cents,
    }


def _sum(invoices: Sequence[OpenInvoice]) -> int:
    return sum(invoice.open_cents for invoice in invoices)
