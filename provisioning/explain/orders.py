"""Why an order restricts, in words: from the evidence that it was decided by, else from its invoices and rule. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from core.units import format_money
from provisioning.explain.words import Voice
from provisioning.facts import RestrictionOrder


@dataclass(frozen=True, slots=True)
class OpenDebt:
    """What is open on an invoice now."""

    due_on: date
    open_cents: int


@dataclass(frozen=True, slots=True)
class Background:
    """What is known beside the facts: by order id its evidence and who gave it, and the debts of today.

    `debts` is empty where the question is about the past: what was open then is in the evidence.
    """

    evidence: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    ordered_by: Mapping[int, str] = field(default_factory=dict)
    debts: Mapping[int, OpenDebt] = field(default_factory=dict)


def tell_order(voice: Voice, order: RestrictionOrder, background: Background) -> str:
    """The reason of an order, without its state."""
    try:
        return _from_evidence(voice, background.evidence[order.id], background.debts)
    except (KeyError, TypeError, ValueError):  # none, or written by another version
        return _from_invoices(voice, order, background)


def _from_evidence(voice: Voice, evidence: Mapping[str, Any], debts: Mapping[int, OpenDebt]) -> str:
    invoices = [item["invoice"] for item in evidence["invoices"]]
    count, minimum = evidence["days_late"], evidence["minimum_open_cents"]
    words = voice.say(
        "due.one" if len(invoices) == 1 else "due.many",
        invoices=voice.listed(invoices),
        due=voice.day(date.fromisoformat(evidence["oldest"]["due_on"])),
        days=voice.say("days.one" if count == 1 else "days.many", count=count),
        open=format_money(evidence["open_cents"]),
    )
    parts = [words + (voice.say("due.minimum", minimum=format_money(minimum)) if minimum else "")]
    owed_now = sum(debts[invoice].open_cents for invoice in invoices if invoice in debts)
    if debts and owed_now < evidence["open_cents"]:
        parts.append(voice.say("due.now", open=format_money(owed_now)))
    if notice := evidence["notice"]:
        parts.append(voice.say("due.notice", on=voice.day(date.fromisoformat(notice["on"]))))
    parts.append(voice.say("due.rule", version=evidence["version"]))
    return "; ".join(parts + _holidays(voice, evidence["calendar"])) + "."


def _holidays(voice: Voice, calendar: Mapping[str, Any] | None) -> list[str]:
    """The holidays near the day of the decision, where the rules look at holidays at all."""
    if calendar is None or not (calendar["hold_holidays"] or calendar["hold_holiday_eves"]):
        return []
    parts = []
    for applies, key in ((True, "holiday.held"), (False, "holiday.free")):
        days = [
            voice.day(date.fromisoformat(item["day"])) for item in calendar["holidays"] if item["applies"] is applies
        ]
        if days:
            parts.append(voice.say(f"{key}_{'one' if len(days) == 1 else 'many'}", days=voice.listed(days)))
    return parts


def _from_invoices(voice: Voice, order: RestrictionOrder, background: Background) -> str:
    parts = [_open_invoices(voice, order.invoice_ids, background.debts)]
    if order.rule:
        parts.append(order.rule)
    elif not order.run and (who := background.ordered_by.get(order.id)):
        parts.append(voice.say("order.by", who=who))
    return "; ".join(parts)


def _open_invoices(voice: Voice, invoice_ids: Sequence[int], debts: Mapping[int, OpenDebt]) -> str:
    key, invoices = "order.one" if len(invoice_ids) == 1 else "order.many", voice.listed(invoice_ids)
    known = [debts[invoice] for invoice in invoice_ids if invoice in debts]
    if not known:
        return voice.say(key, invoices=invoices)
    return voice.say(
        f"{key}_now",
        invoices=invoices,
        due=voice.day(min(debt.due_on for debt in known)),
        open=format_money(sum(debt.open_cents for debt in known)),
    )
