"""Deliveries and local commands that meet, and mirrors of subscriptions that end."""

from __future__ import annotations

import random
from typing import Any

import pytest

from billing_bridge.cancelled_subscriptions import cancel_open_invoices
from billing_bridge.charges import add_discount
from billing_bridge.dunning.guards import restriction_hold
from billing_bridge.intake.delivery import deliver as deliver_request
from billing_bridge.intake.matching import link_subscription
from billing_bridge.intake.sources import FEED_EMPTY
from core.actor import Actor
from core.alarms import end_alarm, raise_alarm
from core.errors import NotAllowed
from core.runtime import Runtime
from provisioning.moves.migration import start_migration
from provisioning.orders import order_restriction
from tests.factories import make_plan, make_subscription
from tests.factories_billing import debts_of, state_of
from tests.factories_core import race
from tests.factories_intake import deliver, make_event, make_source, mirror_of
from tests.factories_moves import follow_up

SENDER = Actor("source ERP", "webhook")


def test_the_same_delivery_at_once_is_one(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        source, maria = make_source(tx).id, make_subscription(tx)
    events = [make_event(maria, f"F-{number}", version) for number in range(5) for version in (1, 2, 3)]
    answers = race(4, lambda number: deliver_request(runtime, SENDER, source, shuffled(events, number)))
    assert len({frozenset(ids) for ids in answers}) == 1
    with runtime.database.reading() as tx:
        assert {mirror_of(tx, f"F-{number}").external_version for number in range(5)} == {3}
        assert sorted(debts_of(tx, maria.id).values()) == [9990] * 5


def shuffled(events: list[object], seed: int) -> list[object]:
    return random.Random(seed).sample(events, len(events))


def test_an_order_that_is_given_while_the_payment_comes_in_does_not_stay(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        source, maria = make_source(tx).id, make_subscription(tx)
    deliver(runtime.database, source, [make_event(maria)])
    with runtime.database.reading() as tx:
        invoice = mirror_of(tx).id

    def attempt(number: int) -> None:
        if number:
            deliver_request(runtime, SENDER, source, [make_event(maria, version=2, status="paid")])
            return
        with runtime.database.transaction() as tx:
            try:
                order_restriction(tx, subscription_id=maria.id, level="total", invoice_ids=[invoice])
            except NotAllowed:
                return  # the payment was quicker

    race(2, attempt)
    assert state_of(runtime.database, maria.id) == "ACTIVE"


def test_a_mirror_stays_when_its_subscription_is_cancelled(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        source, maria = make_source(tx).id, make_subscription(tx)
    deliver(runtime.database, source, [make_event(maria)])
    with runtime.database.transaction() as tx:
        assert cancel_open_invoices(tx, maria.id) == []
        invoice = mirror_of(tx)
        assert invoice.status == "OPEN"
        with pytest.raises(NotAllowed, match="change it there"):
            add_discount(tx, charge_id=invoice.charges[0].id, discount_cents=100)


def test_a_feed_that_is_not_believed_holds_runs_back(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        assert restriction_hold(tx) is None
        raise_alarm(tx, FEED_EMPTY, "HubSoft", detail="HubSoft lists 0 invoices")
        assert "HubSoft lists 0 invoices" in (restriction_hold(tx) or "")
        end_alarm(tx, FEED_EMPTY, "HubSoft")
        assert restriction_hold(tx) is None


@pytest.mark.parametrize("follow_first", [pytest.param(True, id="after the books"), pytest.param(False, id="before")])
@pytest.mark.parametrize("ref", ["id", "login", "external_id"])
def test_an_invoice_follows_a_migration(runtime: Runtime, ref: str, follow_first: bool) -> None:
    with runtime.database.transaction() as tx:
        source, old = make_source(tx), make_subscription(tx)
        link_subscription(tx, source, "S-1", old.id)
        refs: dict[str, dict[str, Any]] = {
            "id": {"id": old.id},
            "login": {"login": old.login},
            "external_id": {"external_id": "S-1"},
        }
    named = refs[ref]
    deliver(runtime.database, source.id, [make_event(named)])
    with runtime.database.transaction() as tx:
        plan = make_plan(tx)
        new = start_migration(tx, subscription_id=old.id, plan_id=plan.id, immediate=True)
    if follow_first:
        follow_up(runtime, "subscription.migrated")
    deliver(runtime.database, source.id, [make_event(named, version=2, open_cents=100)])
    with runtime.database.reading() as tx:
        invoice = mirror_of(tx)
        assert {charge.subscription_id for charge in invoice.charges} == {new.id}
        assert debts_of(tx, new.id) == {invoice.id: 100}
        assert not any(debts_of(tx, old.id).values())
