"""Handing a service on to another subscriber: what goes along, what stays, and who can be restricted for it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from billing_bridge.cancelled_subscriptions import cancel_open_invoices
from billing_bridge.models import Invoice
from billing_bridge.payments import receive, reverse_receipt
from core.database import Database, Transaction
from core.errors import Conflict, InvalidInput, NotAllowed
from core.job_queue import Job
from core.jobs import run_job
from core.runtime import Runtime
from provisioning.models import Subscriber, Subscription
from provisioning.moves.migration import start_migration
from provisioning.moves.transfer import transfer
from provisioning.orders import order_restriction
from provisioning.protocols import get_protocol
from tests.factories import ANA, cpf, make_plan, make_subscriber, make_subscription
from tests.factories_billing import (
    debts_of,
    make_billed,
    make_invoice,
    make_method,
    make_shared_invoice,
    state_of,
)
from tests.factories_moves import follow_up, history_of, holding_of, told_of

TRANSFERRED = "subscription.transferred"


def suspended(tx: Transaction) -> tuple[Subscription, Invoice]:
    """A subscription that is suspended for its one invoice."""
    subscription = make_billed(tx, make_method(tx))
    invoice = make_invoice(tx, subscription, late=40)
    invoices = [invoice.id]
    order_restriction(tx, subscription_id=subscription.id, level="total", invoice_ids=invoices, minimum_open_cents=1000)
    return subscription, invoice


def owner_of(database: Database, invoice_id: int) -> int:
    with database.reading() as tx:
        return tx.session.get_one(Invoice, invoice_id).subscriber_id


def test_to_somebody_who_is_there(database: Database, runtime: Runtime) -> None:
    with database.transaction(ANA) as tx:
        subscription, invoice = suspended(tx)
        old, new = subscription.subscriber_id, make_subscriber(tx, "João").id
        before = holding_of(tx, subscription.id)
        done = transfer(tx, subscription_id=subscription.id, subscriber_id=new, note="house sold")
        assert holding_of(tx, subscription.id) == before
    assert follow_up(runtime, TRANSFERRED) == ["Applied"]
    assert owner_of(database, invoice.id) == new
    with database.reading() as tx:
        row = tx.session.get_one(Subscription, subscription.id)
        assert (row.subscriber_id, row.state, debts_of(tx, row.id)) == (new, "SUSPENDED", {invoice.id: 9990})
        protocol = get_protocol(tx, done.protocol)
        assert (protocol.kind, protocol.subscriber_id, protocol.subscription_id) == ("transfer", new, subscription.id)
    [entry] = told_of(database, subscription.id, "transferred")
    assert (entry.details["from"], entry.details["to"], entry.note) == (old, new, "house sold")
    assert history_of(database, old) == ["subscription.handed-on"]
    assert history_of(database, new) == ["subscription.received"]


def test_to_somebody_new_in_the_same_step(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription = make_subscription(tx)
        document = cpf(987_654_321)
        transfer(
            tx, subscription_id=subscription.id, new_subscriber={"name": "João", "document": document, "city": "Itu"}
        )
        owner = tx.session.get_one(Subscriber, subscription.subscriber_id)
        assert (owner.name, owner.document, owner.city) == ("João", document, "Itu")


@pytest.mark.parametrize("paid", [pytest.param(9990, id="all"), pytest.param(90, id="part")])
def test_a_payment_before_the_books_follow(database: Database, runtime: Runtime, paid: int) -> None:
    with database.transaction(ANA) as tx:
        subscription, invoice = suspended(tx)
        old, new = subscription.subscriber_id, make_subscriber(tx).id
        transfer(tx, subscription_id=subscription.id, subscriber_id=new)
    with database.transaction(ANA) as tx:
        receive(tx, invoice_id=invoice.id, amount_cents=paid)
    state = "ACTIVE" if paid == 9990 else "SUSPENDED"
    assert state_of(database, subscription.id) == state
    follow_up(runtime, TRANSFERRED)
    assert owner_of(database, invoice.id) == (old if paid == 9990 else new)
    assert state_of(database, subscription.id) == state


def test_debts_that_stay_restrict_the_new_owner_never(database: Database, runtime: Runtime) -> None:
    with database.transaction(ANA) as tx:
        subscription, invoice = suspended(tx)
        old, new = subscription.subscriber_id, make_subscriber(tx).id
        done = transfer(tx, subscription_id=subscription.id, subscriber_id=new, debts="stay")
        assert (done.moving, done.staying) == ([], [invoice.id])
    assert state_of(database, subscription.id) == "ACTIVE"
    follow_up(runtime, TRANSFERRED)
    assert owner_of(database, invoice.id) == old
    with database.transaction(ANA) as tx:
        receipt = receive(tx, invoice_id=invoice.id, amount_cents=90)
        reverse_receipt(tx, receipt_id=receipt.id, note="bounced")
        assert debts_of(tx, subscription.id) == {invoice.id: 0}
        own = make_invoice(tx, subscription)
        assert own.subscriber_id == new
        assert debts_of(tx, subscription.id) == {invoice.id: 0, own.id: 9990}
        assert tx.session.get_one(Invoice, invoice.id).open_cents == 9990


def test_cancelling_the_service_leaves_what_the_old_owner_owes(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription, invoice = suspended(tx)
        transfer(tx, subscription_id=subscription.id, subscriber_id=make_subscriber(tx).id, debts="stay")
        own = make_invoice(tx, subscription)
        assert [row.id for row in cancel_open_invoices(tx, subscription.id)] == [own.id]
        assert tx.session.get_one(Invoice, invoice.id).open_cents == 9990


def test_shared_invoices_stay_and_are_named(database: Database, runtime: Runtime) -> None:
    with database.transaction(ANA) as tx:
        subscription, own = suspended(tx)
        old, new = subscription.subscriber_id, make_subscriber(tx).id
        other = make_subscription(tx, subscriber_id=old)
        shared = make_shared_invoice(tx, [(subscription, 2000), (other, 3000)], late=40)
        done = transfer(tx, subscription_id=subscription.id, subscriber_id=new)
        assert (done.moving, done.staying) == ([own.id], [shared.id])
    follow_up(runtime, TRANSFERRED)
    assert (owner_of(database, own.id), owner_of(database, shared.id)) == (new, old)
    with database.transaction(ANA) as tx:
        receive(tx, invoice_id=shared.id, amount_cents=100)
        assert debts_of(tx, subscription.id) == {own.id: 9990, shared.id: 0}
        assert debts_of(tx, other.id) == {shared.id: 3000}
    [entry] = told_of(database, subscription.id, "transferred")
    assert (entry.details["moving"], entry.details["staying"]) == ([own.id], [shared.id])


def test_handed_on_twice_before_the_books_follow(database: Database, runtime: Runtime) -> None:
    with database.transaction(ANA) as tx:
        subscription, invoice = suspended(tx)
        second, third = make_subscriber(tx).id, make_subscriber(tx).id
        transfer(tx, subscription_id=subscription.id, subscriber_id=second)
        transfer(tx, subscription_id=subscription.id, subscriber_id=third)
    with database.transaction(ANA) as tx:
        first, last = tx.session.scalars(select(Job).where(Job.kind == TRANSFERRED).order_by(Job.id)).all()
        first_id, last_id = first.id, last.id
    assert [type(run_job(runtime, number)).__name__ for number in (last_id, first_id)] == ["Retry", "Applied"]
    assert owner_of(database, invoice.id) == second
    with database.transaction(ANA) as tx:
        tx.session.get_one(Job, last_id).due_at = tx.now
    assert type(run_job(runtime, last_id)).__name__ == "Applied"
    assert owner_of(database, invoice.id) == third
    assert state_of(database, subscription.id) == "SUSPENDED"


def test_a_migration_that_waits_goes_along(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription, new = make_subscription(tx), make_subscriber(tx).id
        waiting = start_migration(tx, subscription_id=subscription.id, plan_id=make_plan(tx).id)
        transfer(tx, subscription_id=subscription.id, subscriber_id=new)
        assert waiting.subscriber_id == new


def test_what_is_refused(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription, other = make_subscription(tx), make_subscription(tx)
        key, mine = subscription.id, subscription.subscriber_id
        with pytest.raises(InvalidInput, match="another subscriber"):
            transfer(tx, subscription_id=key, subscriber_id=mine)
        with pytest.raises(InvalidInput, match="not both"):
            transfer(tx, subscription_id=key)
        with pytest.raises(InvalidInput, match="one of move, stay"):
            transfer(tx, subscription_id=key, subscriber_id=other.subscriber_id, debts="gone")
        holder = other.subscriber.name
        twin = {"name": "Twin", "document": other.subscriber.document}
        with pytest.raises(Conflict, match=holder):
            transfer(tx, subscription_id=key, new_subscriber=twin)
        start_migration(tx, subscription_id=key, plan_id=make_plan(tx).id, immediate=True)
        with pytest.raises(NotAllowed, match="cancelled"):
            transfer(tx, subscription_id=key, subscriber_id=other.subscriber_id)
