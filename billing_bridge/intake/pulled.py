"""What a full comparison found, kept beside the events that were pushed: one row for each invoice and content.

A row is used again when the same content is found again, so that an invoice without a subscription does not leave one
more row at every comparison. What is the same as its mirror leaves none.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from billing_bridge.intake.events import Event, Snapshot
from billing_bridge.intake.models import BillingSource, IntakeEvent
from core.database import Transaction

Found = tuple[str, Snapshot | None, str, str]
"""The invoice's id at the source, what it is there, the outcome, the detail."""


def note_pulled(tx: Transaction, source: BillingSource, found: Sequence[Found]) -> None:
    """Write down what became of each."""
    names = {key: _name(key, snapshot) for key, snapshot, _, _ in found}
    query = select(IntakeEvent).where(IntakeEvent.source_id == source.id, IntakeEvent.event_id.in_(names.values()))
    rows = {row.event_id: row for row in tx.session.scalars(query)}
    for key, snapshot, outcome, detail in found:
        row = rows.get(names[key])
        if row is None:
            row = IntakeEvent(source_id=source.id, event_id=names[key], external_id=key, tries=0)
            tx.session.add(row)
        row.received_at = row.concluded_at = tx.now
        row.outcome, row.detail, row.tries = outcome, detail, row.tries + 1
        row.version, row.digest = (snapshot.version, snapshot.digest) if snapshot else (None, "")
        row.body = Event(f"pull:{key}", snapshot).body if snapshot else {"id": key}
    tx.session.flush()


def _name(external_id: str, snapshot: Snapshot | None) -> str:
    return f"pull:{external_id}#{snapshot.digest[:16] if snapshot else 'unreadable'}"
