"""Billing sources and their events for tests."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import select

from billing_bridge.intake.models import BillingSource, IntakeEvent
from billing_bridge.intake.receive import apply_received, events_of, store_events
from billing_bridge.intake.sources import add_source
from billing_bridge.models import Invoice
from core.database import Database, Transaction
from core.secrets import Secret
from provisioning.models import Debt, RestrictionOrderRow, Subscription

SECRET = Secret("a-secret-of-the-source-for-tests")
_numbers = itertools.count(1)


def make_source(tx: Transaction, name: str = "ERP", **values: Any) -> BillingSource:
    """A source that pushes, unless told otherwise."""
    given: dict[str, Any] = {"kind": "push", "secret": SECRET, **values}
    return add_source(tx, name=name, **given)


def make_event(
    subscription: Subscription | dict[str, Any], invoice: str = "F-1", version: Any = 1, **fields: Any
) -> Any:
    """An event as JSON: R$ 99,90 open, due on 2026-02-10; paid and cancelled ones have nothing open."""
    ref = subscription if isinstance(subscription, dict) else {"login": subscription.login}
    told: dict[str, Any] = {
        "id": invoice,
        "version": version,
        "subscription": ref,
        "due_on": "2026-02-10",
        "amount_cents": 9990,
        "status": "open",
        **{name: value for name, value in fields.items() if name != "event_id"},
    }
    if told["status"] == "open":
        told.setdefault("open_cents", told["amount_cents"])
    return {"event_id": fields.get("event_id", f"evt-{next(_numbers)}"), "invoice": told}


def deliver(database: Database, source_id: int, events: Sequence[Any]) -> list[IntakeEvent]:
    """Store the events, apply all of them, and give their rows."""
    with database.transaction() as tx:
        ids = store_events(tx, source_id=source_id, events=events)
    applied = True
    while applied:
        with database.transaction() as tx:
            applied = bool(apply_received(tx, source_id=source_id))
    with database.reading() as tx:
        return events_of(tx, ids)


def outcomes_of(rows: Sequence[IntakeEvent]) -> list[str]:
    return [row.outcome for row in rows]


def mirror_of(tx: Transaction, external_id: str = "F-1") -> Invoice:
    return tx.session.scalars(select(Invoice).where(Invoice.external_id == external_id)).one()


def end_state(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """What the mirrors, debts, orders and states have come to, without ids and instants, which differ."""
    with database.reading() as tx:
        logins = dict(tx.session.execute(select(Subscription.id, Subscription.login)).all())
        invoices = {row.id: row for row in tx.session.scalars(select(Invoice))}
        names = {key: row.external_id or str(key) for key, row in invoices.items()}
        return {
            "invoices": sorted(_invoice(row, logins) for row in invoices.values()),
            "debts": sorted(
                (logins[row.subscription_id] or "", names[row.invoice_id], row.due_on, row.open_cents)
                for row in tx.session.scalars(select(Debt).where(Debt.open_cents > 0))
            ),
            "orders": sorted(
                (logins[row.subscription_id] or "", row.level, row.lapsed_at is None)
                for row in tx.session.scalars(select(RestrictionOrderRow))
            ),
            "states": sorted((row.login or "", row.state) for row in tx.session.scalars(select(Subscription))),
        }


def _invoice(row: Invoice, logins: dict[int, str | None]) -> tuple[str, int, str, date, int, int, str, str]:
    charged = ",".join(logins[charge.subscription_id] or "" for charge in row.charges)
    return (
        row.external_id or "",
        row.external_version or 0,
        row.external_digest or "",
        row.due_on,
        row.amount_cents,
        row.open_cents,
        row.status.value,
        charged,
    )
