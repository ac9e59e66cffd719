"""Many events, each several times, in several orders: invoices, debts, orders and states come out the same.

`CATRACA_EVENTS=10000` runs the full number; the default is one that a pipeline can wait for.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from billing_bridge.intake.events import Snapshot, parse_event
from billing_bridge.intake.matching import link
from billing_bridge.models import Invoice
from core.database import Database
from provisioning.models import Debt, RestrictionOrderRow, Subscription
from provisioning.orders import order_restriction
from tests.factories import make_plan, make_subscription
from tests.factories_billing import days_ago
from tests.factories_intake import deliver, make_event, make_source

EVENTS = int(os.environ.get("CATRACA_EVENTS", "300"))
INVOICES_EACH = 5
VERSIONS = 4
SERVICES = max(2, EVENTS // (INVOICES_EACH * VERSIONS))
DELIVERY = 1000


def histories(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Each invoice's versions: amounts and dates move, some are settled in the end, some versions have two contents."""
    for service in range(SERVICES):
        for place in range(INVOICES_EACH):
            for version in range(1, VERSIONS + 1):
                last = version == VERSIONS
                yield _event(chance, service, place, version, settled=last and chance.random() < 0.6)
                if chance.random() < 0.1:
                    yield _event(chance, service, place, version, settled=last and chance.random() < 0.5)


def _event(chance: random.Random, service: int, place: int, version: int, *, settled: bool) -> dict[str, Any]:
    amount = chance.randint(100, 20_000)
    fields: dict[str, Any] = {"amount_cents": amount, "open_cents": chance.randint(1, amount)}
    if settled:
        fields = {"amount_cents": amount, "status": chance.choice(["paid", "cancelled"])}
    day = chance.randint(1, 28)
    event: dict[str, Any] = make_event(
        {"external_id": f"S-{service}"}, f"F-{service}-{place}", version, due_on=f"2026-02-{day:02d}", **fields
    )
    return event


def a_world(database: Database, name: str) -> int:
    """A source with services of its own that it knows by the same ids as every other one's; gives the source's id."""
    with database.transaction() as tx:
        source, plan = make_source(tx, name), make_plan(tx)
        for service in range(SERVICES):
            subscription = make_subscription(tx, plan_id=plan.id, login=f"{name}-{service}")
            link(tx, source, f"S-{service}", subscription.id)
        return source.id


def restrict_all(database: Database, source: int) -> None:
    """Everybody is suspended for the first invoice, before the rest of the news comes."""
    with database.transaction() as tx:
        for invoice in tx.session.scalars(select(Invoice).where(Invoice.source_id == source)).all():
            subscription = invoice.charges[0].subscription_id
            order_restriction(tx, subscription_id=subscription, level="total", invoice_ids=[invoice.id])


def outcome_of(database: Database, source: int, name: str) -> dict[str, list[tuple[Any, ...]]]:
    """What this world has come to, without ids and instants."""
    with database.reading() as tx:
        mine = {
            row.id: (row.login or "").removeprefix(f"{name}-")
            for row in tx.session.scalars(select(Subscription).where(Subscription.login.startswith(f"{name}-")))
        }
        invoices = tx.session.scalars(select(Invoice).where(Invoice.source_id == source)).all()
        debts = tx.session.scalars(select(Debt).where(Debt.subscription_id.in_(mine))).all()
        names = {row.id: row.external_id for row in invoices}
        return {
            "invoices": sorted(
                (
                    row.external_id,
                    row.external_version,
                    row.external_digest,
                    row.due_on,
                    row.amount_cents,
                    row.open_cents,
                )
                for row in invoices
            ),
            "debts": sorted((mine[row.subscription_id], names[row.invoice_id], row.open_cents) for row in debts),
            "orders": sorted(
                (mine[row.subscription_id], row.level, row.lapsed_at is None)
                for row in tx.session.scalars(select(RestrictionOrderRow))
                if row.subscription_id in mine
            ),
            "states": sorted(
                (mine[row.id], row.state) for row in tx.session.scalars(select(Subscription)) if row.id in mine
            ),
        }


def deliver_all(database: Database, source: int, events: Sequence[Any]) -> None:
    for start in range(0, len(events), DELIVERY):
        deliver(database, source, events[start : start + DELIVERY])


def test_any_order_and_any_repetition_end_in_the_same_state(database: Database) -> None:
    chance = random.Random(4711)
    events = list(histories(chance))
    first = [
        make_event({"external_id": f"S-{service}"}, f"F-{service}-0", 0, due_on=str(_yesterday(database)))
        for service in range(SERVICES)
    ]
    ends = []
    for number, name in enumerate(("straight", "shuffled", "backwards")):
        source = a_world(database, name)
        deliver_all(database, source, first)
        restrict_all(database, source)
        came = events if number == 0 else [*events, *events, *events]
        if name == "shuffled":
            chance.shuffle(came)
        deliver_all(database, source, came if name != "backwards" else came[::-1])
        ends.append(outcome_of(database, source, name))
    assert ends[0] == ends[1] == ends[2]
    expected = greatest([*first, *events])
    assert [row[:3] for row in ends[0]["invoices"]] == sorted(
        (item.external_id, item.version, item.digest) for item in expected.values()
    )
    owing = {key.split("-")[1] for key, item in expected.items() if key.endswith("-0") and item.open_cents}
    assert ends[0]["states"] == sorted(
        (str(service), "SUSPENDED" if str(service) in owing else "ACTIVE") for service in range(SERVICES)
    )
    assert 0 < len(owing) < SERVICES


def greatest(events: Sequence[Any]) -> dict[str, Snapshot]:
    """What has to hold in the end, by the order of ranks alone."""
    held: dict[str, Snapshot] = {}
    for item in (parse_event(event).invoice for event in events):
        if item.external_id not in held or item.standing.rank > held[item.external_id].standing.rank:
            held[item.external_id] = item
    return held


def _yesterday(database: Database) -> Any:
    with database.reading() as tx:
        return days_ago(tx, 0) - timedelta(days=1)
