"""What subscriptions have moved, by company's day: `usage_day` for what is counted, open sessions for the rest.

`radius.usage_meter` says what belongs to which day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, text

from core.database import Transaction
from radius.accounting import MOST_OCTETS
from radius.company_days import CompanyDays
from radius.models import Session, UsageDay
from radius.usage_meter import Counted


def _add(least: str) -> str:
    """The upsert's end; a sum stays within a column, whatever a router makes up."""
    sums = (
        f"{name} = {least}(usage_day.{name}, {MOST_OCTETS} - excluded.{name}) + excluded.{name}"
        for name in ("input_octets", "output_octets")
    )
    return f"ON CONFLICT (subscription_id, day) DO UPDATE SET {', '.join(sums)}"


_SQLITE = text(f"INSERT INTO usage_day VALUES (:subscription, :day, :input, :output) {_add('min')}")
_POSTGRESQL = text(
    "INSERT INTO usage_day SELECT * FROM unnest(CAST(:subscriptions AS bigint[]), CAST(:days AS date[]), "
    f"CAST(:inputs AS bigint[]), CAST(:outputs AS bigint[])) {_add('least')}"
)


@dataclass(frozen=True, slots=True)
class DayUsage:
    """Octets of one company's day: input came from the subscriber, output went there (RFC 2866 §5.3)."""

    day: date
    input_octets: int
    output_octets: int


def add_usage(tx: Transaction, counted: Sequence[Counted]) -> None:
    """Add to the days; rows are locked in order of subscription and day."""
    sums: dict[tuple[int, date], list[int]] = defaultdict(lambda: [0, 0])
    for each in counted:
        total = sums[each.subscription_id, each.day]
        total[0] = min(total[0] + each.input_octets, MOST_OCTETS)
        total[1] = min(total[1] + each.output_octets, MOST_OCTETS)
    rows = [(subscription_id, day, *total) for (subscription_id, day), total in sorted(sums.items())]
    if not rows:
        return
    if tx.session.get_bind().dialect.name == "postgresql":
        names = ("subscriptions", "days", "inputs", "outputs")
        tx.session.execute(_POSTGRESQL, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    else:
        values = [
            {"subscription": key[0], "day": key[1].isoformat(), "input": total[0], "output": total[1]}
            for key, total in sorted(sums.items())
        ]
        tx.session.execute(_SQLITE, values)


def usage_of(tx: Transaction, subscription_id: int, first_day: date, last_day: date) -> list[DayUsage]:
    """The days from `first_day` to `last_day`, both included, on which anything was moved, in order."""
    totals: dict[date, tuple[int, int]] = {}
    stored = select(UsageDay).where(
        UsageDay.subscription_id == subscription_id, UsageDay.day.between(first_day, last_day)
    )
    for row in tx.session.scalars(stored):
        totals[row.day] = (row.input_octets, row.output_octets)
    for day, *rest in _rests(tx, subscription_id):
        if first_day <= day <= last_day and any(rest):
            known = totals.get(day, (0, 0))
            totals[day] = (known[0] + rest[0], known[1] + rest[1])
    return [DayUsage(day, *totals[day]) for day in sorted(totals)]


def _rests(tx: Transaction, subscription_id: int) -> list[tuple[date, int, int]]:
    """What the open sessions of the subscription have moved and is counted for no day yet."""
    days = CompanyDays(tx.settings.timezone)
    statement = select(
        Session.usage_day,
        Session.updated_at,
        Session.input_octets - Session.usage_input_octets,
        Session.output_octets - Session.usage_output_octets,
    ).where(Session.subscription_id == subscription_id, Session.stopped_at.is_(None))
    found = tx.session.execute(statement)
    return [(day or days.of(updated_at), given, taken) for day, updated_at, given, taken in found]
