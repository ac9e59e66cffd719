"""Who has to be told, before a restriction, that it comes: decided from due dates, amounts and notices alone.

A debt is told once, when it is late and its first level is `notice_days` away, or nearer where nobody told it in time.
Who owes less than the minimum is not told: nothing threatens yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from billing_bridge.dunning.rules import OpenInvoice, SuspensionRules
from provisioning.facts import Level


@dataclass(frozen=True, slots=True)
class WantedNotice:
    """A notice to give today. A restriction of `level` is possible from `restriction_from` on, if that day is free."""

    subscription_id: int
    invoice_id: int
    due_on: date
    open_cents: int
    level: Level
    restriction_from: date


def wanted_notices(
    late: Mapping[int, Sequence[OpenInvoice]],
    rules: Mapping[int, SuspensionRules],
    today: date,
    given: Mapping[int, Collection[int]],
) -> list[WantedNotice]:
    """By subscription, oldest due date first; everything is by subscription id, `given` holds invoices."""
    wanted = []
    for subscription_id in sorted(late):
        rule = rules.get(subscription_id)
        if rule is not None and rule.notice_days and rule.first_level is not None:
            told = given.get(subscription_id, ())
            wanted += _of_one(subscription_id, late[subscription_id], rule, rule.first_level, today, told)
    return wanted


def notice_cutoff(rules: SuspensionRules, today: date) -> date | None:
    """Debts that were due on this day or before are old enough for a notice; None: the rules ask for none."""
    if not rules.notice_days or rules.first_level is None:
        return None
    return today - timedelta(days=max(1, rules.first_level[1] - rules.notice_days))


def _of_one(
    subscription_id: int,
    invoices: Sequence[OpenInvoice],
    rules: SuspensionRules,
    first: tuple[Level, int],
    today: date,
    told: Collection[int],
) -> list[WantedNotice]:
    level, days = first
    late = [invoice for invoice in invoices if invoice.open_cents > 0 and invoice.due_on < today]
    cutoff = notice_cutoff(rules, today)
    if cutoff is None or sum(invoice.open_cents for invoice in late) < rules.minimum_open_cents:
        return []
    earliest = today + timedelta(days=rules.notice_days)
    return [
        WantedNotice(
            subscription_id,
            invoice.invoice_id,
            invoice.due_on,
            invoice.open_cents,
            level,
            max(invoice.due_on + timedelta(days=days), earliest),
        )
        for invoice in sorted(late, key=lambda invoice: (invoice.due_on, invoice.invoice_id))
        if invoice.due_on <= cutoff and invoice.invoice_id not in told
    ]
