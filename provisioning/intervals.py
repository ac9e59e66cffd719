"""What trust unblock, custom speed and pause have in common: a fact that holds from an instant to another.

Each command writes one row and lets the state follow. Ending something early moves its `until`: that it was granted
stays in the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import select

from core.database import Transaction
from core.errors import NotAllowed
from provisioning import checks
from provisioning.fact_store import load_known, rules_from
from provisioning.facts import Facts
from provisioning.models import PauseRow, SpeedOverrideRow, Subscription, TrustUnblockRow
from provisioning.refresh import refresh
from provisioning.service_state import Evaluation, service_state
from provisioning.subscriptions import lock_subscription
from provisioning.timeline import narrate

Interval = TypeVar("Interval", TrustUnblockRow, SpeedOverrideRow, PauseRow)


def facts_of(tx: Transaction, subscription_id: int) -> Facts:
    """The facts as they stand in this transaction; the subscription has to be there."""
    [known] = load_known(tx, [subscription_id])
    return known.facts


def present(tx: Transaction, subscription_id: int) -> Evaluation:
    """What follows from the facts at this instant."""
    return service_state(facts_of(tx, subscription_id), rules_from(tx.settings), tx.now)


def begin(tx: Transaction, row: Interval, event: str, details: Mapping[str, object]) -> Interval:
    """Write the fact, tell it, and let the state follow."""
    tx.session.add(row)
    tx.session.flush()
    narrate(tx, row.subscription_id, event, details=details, note=row.note)
    tx.audit(event, "subscription", row.subscription_id, after=details, note=row.note)
    refresh(tx, [row.subscription_id])
    return row


def live_rows(tx: Transaction, table: type[Interval], subscription_id: int) -> list[Interval]:
    rows: list[Any] = list(tx.session.scalars(select(table).where(table.subscription_id == subscription_id)))
    return [row for row in rows if row.since <= tx.now and (row.until is None or tx.now < row.until)]


def end_live(
    tx: Transaction, table: type[Interval], subscription_id: int, event: str, name: str, note: str
) -> Subscription:
    """End what holds now. NotAllowed when nothing of this kind does."""
    subscription = lock_subscription(tx, subscription_id)
    live = live_rows(tx, table, subscription_id)
    if not live:
        raise NotAllowed(f"subscription {subscription_id} has no {name} at present")
    for row in live:
        row.until = tx.now
        if isinstance(row, PauseRow):
            row.ended_by = tx.actor.name
    text = checks.optional_text(note, "note", 2000, "asked by telephone")
    narrate(tx, subscription_id, event, note=text)
    tx.audit(event, "subscription", subscription_id, note=text)
    refresh(tx, [subscription_id])
    return subscription
