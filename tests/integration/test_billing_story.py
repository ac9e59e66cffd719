"""From a late invoice to service and back: the state and the published answer after each step."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_bridge.dunning.work import run_dunning
from billing_bridge.invoices import cancel_invoice
from billing_bridge.methods import change_billing_method
from billing_bridge.payments import receive, receive_many, reverse_receipt
from core.database import Database
from provisioning.orders import live_orders
from provisioning.timeline import entries
from provisioning.trust.unblock import grant_trust_unblock
from tests.factories_billing import (
    address_list_of,
    download_of,
    make_billed,
    make_invoice,
    make_method,
    make_shared_invoice,
    state_of,
)
from tests.ticking import FakeClock


def run(database: Database) -> int:
    with database.transaction() as tx:
        return run_dunning(tx).ordered


def test_late_reduced_suspended_paid_active(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx, partial_days=15, total_days=30))
        invoice = make_invoice(tx, subscription, late=0)
    for days, ordered, state, download in (
        (14, 0, "ACTIVE", 500_000_000),
        (1, 1, "REDUCED", 2_000_000),
        (14, 0, "REDUCED", 2_000_000),
        (1, 1, "SUSPENDED", 256_000),
    ):
        clock.advance(days=days)
        assert run(database) == ordered
        assert (state_of(database, subscription.id), download_of(database, subscription.id)) == (state, download)
    assert address_list_of(database, subscription.id) == "catraca-suspended"
    with database.transaction() as tx:
        receive(tx, invoice_id=invoice.id)
    assert (state_of(database, subscription.id), download_of(database, subscription.id)) == ("ACTIVE", 500_000_000)
    assert address_list_of(database, subscription.id) == ""
    assert run(database) == 0
    with database.reading() as tx:
        told = [entry.event for entry in entries(tx, subscription.id)]
        assert told[-4:] == ["payment.received", "order.lapsed", "order.lapsed", "state.changed"]


@pytest.mark.parametrize(
    ("paid", "state"),
    [
        pytest.param(8989, "SUSPENDED", id="one cent above the minimum stays open"),
        pytest.param(8990, "SUSPENDED", id="exactly the minimum stays open"),
        pytest.param(8991, "ACTIVE", id="a cent less than the minimum stays open"),
    ],
)
def test_a_partial_payment_keeps_the_order_until_below_the_minimum(database: Database, paid: int, state: str) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx, minimum_open_cents=1000))
        invoice = make_invoice(tx, subscription, cents=9990, late=30)
        run_dunning(tx)
    assert state_of(database, subscription.id) == "SUSPENDED"
    with database.transaction() as tx:
        receive(tx, invoice_id=invoice.id, amount_cents=paid)
    assert state_of(database, subscription.id) == state
    assert run(database) == 0


def test_a_reversal_brings_no_order_back_but_the_next_run_may(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx))
        invoice = make_invoice(tx, subscription, late=30)
        run_dunning(tx)
        receipt = receive(tx, invoice_id=invoice.id)
    with database.transaction() as tx:
        reverse_receipt(tx, receipt_id=receipt.id, note="the cheque bounced")
        assert list(live_orders(tx, subscription.id)) == []
    assert state_of(database, subscription.id) == "ACTIVE"
    assert run(database) == 1
    assert state_of(database, subscription.id) == "SUSPENDED"


def test_cancelling_the_invoice_restores(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx))
        invoice = make_invoice(tx, subscription, late=30)
        run_dunning(tx)
        cancel_invoice(tx, invoice_id=invoice.id, note="billed twice")
    assert state_of(database, subscription.id) == "ACTIVE"


def test_of_two_late_invoices_the_old_one_paid_ends_it(database: Database) -> None:
    """The younger one is three days late: nobody is restricted for that."""
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx))
        old, _young = make_invoice(tx, subscription, late=30), make_invoice(tx, subscription, late=3)
        run_dunning(tx)
    with database.transaction() as tx:
        receive(tx, invoice_id=old.id)
    assert state_of(database, subscription.id) == "ACTIVE"
    assert run(database) == 0


def test_a_shared_invoice_restricts_and_frees_each_for_its_own_share(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx, minimum_open_cents=1000)
        home = make_billed(tx, method)
        office = make_billed(tx, method, subscriber_id=home.subscriber_id)
        small = make_billed(tx, method, subscriber_id=home.subscriber_id)
        invoice = make_shared_invoice(tx, [(home, 9990), (office, 5000), (small, 999)], late=30)
        run_dunning(tx)
    states = [state_of(database, item.id) for item in (home, office, small)]
    assert states == ["SUSPENDED", "SUSPENDED", "ACTIVE"]
    with database.transaction() as tx:
        receive(tx, invoice_id=invoice.id, amount_cents=9990)
    assert [state_of(database, item.id) for item in (home, office)] == ["ACTIVE", "SUSPENDED"]


def test_one_receipt_over_all_invoices_restores_all_subscriptions(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx)
        home = make_billed(tx, method)
        office = make_billed(tx, method, subscriber_id=home.subscriber_id)
        invoices = [make_invoice(tx, home, late=30), make_invoice(tx, office, late=15)]
        run_dunning(tx)
    assert [state_of(database, item.id) for item in (home, office)] == ["SUSPENDED", "REDUCED"]
    with database.transaction() as tx:
        receive_many(tx, invoice_ids=[invoice.id for invoice in invoices])
    assert [state_of(database, item.id) for item in (home, office)] == ["ACTIVE", "ACTIVE"]


def test_trust_holds_over_the_order_and_a_payment_meanwhile_keeps_it_active(
    database: Database, clock: FakeClock
) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx))
        invoice = make_invoice(tx, subscription, late=30)
        run_dunning(tx)
        until = tx.now + timedelta(days=3)
        grant_trust_unblock(tx, subscription_id=subscription.id, until=until, note="pays on Friday")
    assert state_of(database, subscription.id) == "ACTIVE"
    assert run(database) == 0
    with database.transaction() as tx:
        receive(tx, invoice_id=invoice.id)
    clock.advance(days=4)
    assert address_list_of(database, subscription.id) == ""


def test_what_was_decided_keeps_the_version_of_its_rule(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx)
        first, second = make_billed(tx, method), make_billed(tx, method)
        make_invoice(tx, first, late=30)
        run_dunning(tx)
        change_billing_method(tx, billing_method_id=method.id, total_days=20)
        make_invoice(tx, second, late=20)
        again = run_dunning(tx)
        [old], [new] = live_orders(tx, first.id), live_orders(tx, second.id)
        assert (old.rule, new.rule) == ("Boleto v1: total after 30 days", "Boleto v2: total after 20 days")
        assert new.run == again.name
