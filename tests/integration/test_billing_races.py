"""Two at once: money is taken once, and nobody who paid stays restricted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from billing_bridge.charges import add_charge
from billing_bridge.dunning.work import list_runs, run_dunning
from billing_bridge.invoices import cancel_invoice, get_invoice, issue_invoice
from billing_bridge.payments import list_receipts, receive, reverse_receipt
from core.database import Database, Transaction
from core.errors import CatracaError, Conflict, InvalidInput, NotAllowed
from provisioning.orders import live_orders
from tests.factories import make_subscription
from tests.factories_billing import (
    days_ago,
    debts_of,
    make_billed,
    make_invoice,
    make_method,
    make_shared_invoice,
    state_of,
)

Command = Callable[[Transaction], object]


def race(database: Database, *commands: Command) -> list[CatracaError | None]:
    """Run each command in a thread and a transaction of its own, all at once; gives what each was refused with."""
    start = Barrier(len(commands))

    def attempt(command: Command) -> CatracaError | None:
        start.wait(timeout=30)
        try:
            with database.transaction() as tx:
                command(tx)
        except CatracaError as error:
            return error
        return None

    with ThreadPoolExecutor(len(commands)) as threads:
        return list(threads.map(attempt, commands))


@pytest.mark.parametrize(
    ("amounts", "refusal"),
    [
        pytest.param((None, None), NotAllowed, id="all, twice"),
        pytest.param((9990, 9990), NotAllowed, id="the same amount twice"),
        pytest.param((5000, 5000), InvalidInput, id="together more than is open"),
    ],
)
def test_of_two_payments_exactly_one_wins(
    database: Database, amounts: tuple[int | None, int | None], refusal: type[CatracaError]
) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        invoice = make_invoice(tx, subscription, cents=9990)
    one, other = amounts
    refused = race(
        database,
        lambda tx: receive(tx, invoice_id=invoice.id, amount_cents=one),
        lambda tx: receive(tx, invoice_id=invoice.id, amount_cents=other),
    )
    assert [type(item) for item in refused if item] == [refusal]
    with database.reading() as tx:
        [receipt] = list_receipts(tx)
        stored = get_invoice(tx, invoice.id)
        assert stored.paid_cents == receipt.amount_cents
        assert debts_of(tx, subscription.id) == {invoice.id: 9990 - receipt.amount_cents}


def test_what_a_transaction_has_read_before_is_read_again_under_the_lock(database: Database) -> None:
    with database.transaction() as tx:
        invoice = make_invoice(tx, make_subscription(tx))

    def look_and_pay(tx: Transaction) -> None:
        seen = get_invoice(tx, invoice.id)
        receive(tx, invoice_id=invoice.id)
        assert seen.status == "PAID"

    refused = race(database, *[look_and_pay] * 4)
    assert [type(item) for item in refused if item] == [NotAllowed] * 3


def test_small_payments_at_once_all_count(database: Database) -> None:
    with database.transaction() as tx:
        invoice = make_invoice(tx, make_subscription(tx), cents=800)
    commands = [lambda tx: receive(tx, invoice_id=invoice.id, amount_cents=100)] * 8
    assert race(database, *commands) == [None] * 8
    with database.reading() as tx:
        assert get_invoice(tx, invoice.id).status == "PAID"


def test_payments_of_two_invoices_of_one_subscription_do_not_block_each_other_for_good(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx, minimum_open_cents=400)
        home = make_billed(tx, method)
        office = make_billed(tx, method, subscriber_id=home.subscriber_id)
        invoices = [make_shared_invoice(tx, [(home, 100), (office, 100)], late=30) for _ in range(6)]
        assert run_dunning(tx).ordered == 2
    commands: list[Command] = [
        lambda tx, invoice_id=invoice.id: receive(tx, invoice_id=invoice_id)  # type: ignore[misc]
        for invoice in invoices
    ]
    assert race(database, *commands) == [None] * 6
    assert {state_of(database, home.id), state_of(database, office.id)} == {"ACTIVE"}


def test_a_receipt_is_reversed_once(database: Database) -> None:
    with database.transaction() as tx:
        invoice = make_invoice(tx, make_subscription(tx), cents=500)
        receipt = receive(tx, invoice_id=invoice.id, amount_cents=200)
        receive(tx, invoice_id=invoice.id, amount_cents=200)
    reverse: Command = lambda tx: reverse_receipt(tx, receipt_id=receipt.id, note="bounced")  # noqa: E731
    refused = race(database, reverse, reverse)
    assert [type(item) for item in refused if item] == [NotAllowed]
    with database.reading() as tx:
        assert get_invoice(tx, invoice.id).paid_cents == 200


def test_a_payment_and_a_cancellation_do_not_both_happen(database: Database) -> None:
    with database.transaction() as tx:
        invoice = make_invoice(tx, make_subscription(tx))
    refused = race(
        database,
        lambda tx: receive(tx, invoice_id=invoice.id),
        lambda tx: cancel_invoice(tx, invoice_id=invoice.id, note="billed twice"),
    )
    assert [type(item) for item in refused if item] == [NotAllowed]


def test_a_charge_is_invoiced_once(database: Database) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        charge = add_charge(tx, subscription_id=subscription.id, description="Fibra", amount_cents=1)
        due_on = days_ago(tx, 0)
    issue: Command = lambda tx: issue_invoice(tx, charge_ids=[charge.id], due_on=due_on)  # noqa: E731
    refused = race(database, issue, issue)
    assert [type(item) for item in refused if item] == [Conflict]


def test_two_runs_at_once_order_each_once(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx)
        ids = [make_billed(tx, method).id for _ in range(5)]
        for subscription_id in ids:
            make_late(tx, subscription_id)
    assert race(database, run_dunning, run_dunning) == [None, None]
    with database.reading() as tx:
        assert [len(live_orders(tx, subscription_id)) for subscription_id in ids] == [1] * 5
        assert sum(run.ordered for run in list_runs(tx)) == 5


@pytest.mark.parametrize("attempt", range(6))
def test_nobody_who_paid_stays_restricted(database: Database, attempt: int) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx))
        invoice = make_invoice(tx, subscription, late=30)
    pay: Command = lambda tx: receive(tx, invoice_id=invoice.id)  # noqa: E731
    commands = (run_dunning, pay) if attempt % 2 else (pay, run_dunning)
    assert race(database, *commands) == [None, None]
    assert state_of(database, subscription.id) == "ACTIVE"
    with database.reading() as tx:
        assert list(live_orders(tx, subscription.id)) == []


def make_late(tx: Transaction, subscription_id: int) -> None:
    charge = add_charge(tx, subscription_id=subscription_id, description="Fibra", amount_cents=9990)
    issue_invoice(tx, charge_ids=[charge.id], due_on=days_ago(tx, 30))
