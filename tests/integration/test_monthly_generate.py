"""Issuing a run's invoices: grouped, once for a month, whole after any crash, whoever else is at it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing_bridge.accounts import set_billing
from billing_bridge.methods import change_billing_method
from billing_bridge.models import Charge, Invoice
from billing_bridge.monthly.generate import generate_chunk
from billing_bridge.monthly.models import BillingRun, BillingRunLine
from billing_bridge.monthly.run import (
    confirm_alerts,
    generate_billing_run,
    lock_billing_run,
    prepare_billing_run,
    prepare_chunk,
)
from billing_bridge.payments import receive
from core.database import Database, Transaction
from provisioning.cancellation import cancel
from provisioning.models import Subscription
from provisioning.timeline import entries
from tests.factories import make_plan, make_subscriber
from tests.factories_billing import debts_of, make_method
from tests.factories_core import audit_of, race
from tests.factories_monthly import (
    MARCH,
    bills_of,
    generated,
    invoices_of,
    lines_of,
    make_base,
    make_settled,
    next_chunk,
    prepared,
    work_through,
)
from tests.ticking import FakeClock


def charged(tx: Transaction) -> list[list[int]]:
    """The subscriptions on each invoice."""
    return [[charge.subscription_id for charge in invoice.charges] for invoice in invoices_of(tx)]


def test_services_of_one_subscriber_share_an_invoice_unless_told_otherwise(database: Database) -> None:
    with database.transaction() as tx:
        boleto, pix = make_method(tx), make_method(tx, name="Pix")
        owner, plan = make_subscriber(tx), make_plan(tx)
        home, office, shop, farm, boat = (
            make_settled(tx, boleto, subscriber_id=owner.id, plan_id=plan.id).id for _ in range(5)
        )
        set_billing(tx, subscription_id=shop, billing_method_id=boleto.id, due_day=20)
        set_billing(tx, subscription_id=farm, billing_method_id=pix.id, due_day=10)
        set_billing(tx, subscription_id=boat, billing_method_id=boleto.id, due_day=10, own_invoice=True)
        [stranger] = make_base(tx, boleto, 1)
        run = generated(tx)
        assert sorted(charged(tx)) == sorted([[home, office], [shop], [farm], [boat], [stranger]])
        assert (run.invoices, run.billed) == (5, 6)
        shared = next(item for item in invoices_of(tx) if len(item.charges) == 2)
        assert (shared.amount_cents, shared.subscriber_id, shared.due_on) == (19_980, owner.id, date(2026, 3, 10))


def test_an_own_invoice_stays_when_nothing_is_said(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx)
        [key] = make_base(tx, method, 1)
        values: dict[str, Any] = {"subscription_id": key, "billing_method_id": method.id, "due_day": 5}
        assert set_billing(tx, **values).own_invoice is False
        assert set_billing(tx, **values, own_invoice=True).own_invoice is True
        assert set_billing(tx, **values).own_invoice is True
        assert set_billing(tx, **values, own_invoice=False).own_invoice is False


@pytest.mark.parametrize(
    ("postpaid", "due_on"),
    [
        pytest.param(False, date(2026, 2, 28), id="paid in the month"),
        pytest.param(True, date(2026, 3, 31), id="paid after it"),
    ],
)
def test_when_a_month_is_due(database: Database, postpaid: bool, due_on: date) -> None:
    with database.transaction() as tx:
        method = make_method(tx)
        change_billing_method(tx, billing_method_id=method.id, postpaid=postpaid)
        assert method.rule_version == 1, "no rule of suspensions has changed"
        [key] = make_base(tx, method, 1)
        set_billing(tx, subscription_id=key, billing_method_id=method.id, due_day=31)
        run = generated(tx, month=date(2026, 2, 14))
        [invoice] = invoices_of(tx)
        assert (run.month, invoice.due_on, invoice.charges[0].reference) == (
            date(2026, 2, 1),
            due_on,
            date(2026, 2, 1),
        )


def test_everybody_is_told(database: Database) -> None:
    with database.transaction() as tx:
        [key] = make_base(tx, make_method(tx), 1)
        run = generated(tx)
        [invoice] = invoices_of(tx)
        assert debts_of(tx, key) == {invoice.id: 9990}
        entry = entries(tx, key)[-1]
        assert (entry.event, entry.details["invoice"], entry.details["amount_cents"]) == (
            "invoice.issued",
            invoice.id,
            9990,
        )
        receive(tx, invoice_id=invoice.id)
        assert debts_of(tx, key) == {invoice.id: 0}
    [issued] = audit_of(database, "invoice")
    assert issued.action == "issue"
    assert issued.after is not None
    assert issued.after["billing_run"] == run.id


def test_the_own_price_and_the_days_are_billed(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        method = make_method(tx)
        [dear] = make_base(tx, method, 1)
        tx.session.get_one(Subscription, dear).price_cents = 15_000
        new = make_settled(tx, method)
        new.installed_at = datetime(2026, 3, 12, 2, tzinfo=UTC)  # the 11th in São Paulo
        generated(tx)
        assert bills_of(tx) == [(dear, MARCH, 15_000), (new.id, MARCH, 6767)]
        clock.now = datetime(2026, 4, 1, 12, tzinfo=UTC)
        generated(tx, month=date(2026, 4, 1), pro_rata=False)
        assert bills_of(tx)[1::2] == [(dear, date(2026, 4, 1), 15_000), (new.id, date(2026, 4, 1), 9990)]


def test_who_was_cancelled_since_is_skipped_and_who_moved_is_billed_to_the_new_owner(database: Database) -> None:
    with database.transaction() as tx:
        gone, moved, stays = make_base(tx, make_method(tx), 3)
        run = prepared(tx)
        cancel(tx, subscription_id=gone)
        heir = make_subscriber(tx)
        tx.session.get_one(Subscription, moved).subscriber_id = heir.id
        generate_billing_run(tx, run_id=run.id)
        work_through(tx, run)
        assert [key for key, _, _ in bills_of(tx)] == [moved, stays]
        assert (run.billed, run.skipped, run.included) == (2, 1, 3)
        [skipped] = [line for line in lines_of(tx, run) if line.status == "skipped"]
        assert (skipped.subscription_id, skipped.invoice_id) == (gone, None)
        assert skipped.detail == "it was cancelled on 2026-03-02, after the run had begun"
        assert debts_of(tx, moved).keys() == {item.id for item in invoices_of(tx) if item.subscriber_id == heir.id}


def test_a_second_run_over_the_same_month_skips_what_the_first_has_billed(database: Database) -> None:
    with database.transaction() as tx:
        ids = make_base(tx, make_method(tx), 3)
        first, second = prepared(tx), prepared(tx)
        for run in (first, second):
            generate_billing_run(tx, run_id=run.id)
            work_through(tx, run)
        assert (first.billed, second.billed, second.skipped) == (3, 0, 3)
        assert {line.detail for line in lines_of(tx, second)} == {"03/2026 was billed by another run"}
        assert [key for key, _, _ in bills_of(tx)] == ids
        assert len(invoices_of(tx)) == 3


class Crash(Exception):
    """The process is gone."""


def cut_off(database: Database, run_id: int) -> None:
    with database.transaction() as tx:
        run = lock_billing_run(tx, run_id)
        prepare_chunk(tx, run, 2) if run.status == "preparing" else generate_chunk(tx, run, 2)
        tx.session.flush()
        raise Crash


@pytest.mark.parametrize("crashes", range(9))
def test_a_crash_at_any_chunk_loses_and_doubles_nothing(database: Database, crashes: int) -> None:
    """Chunk number `crashes` is cut off after its work and before its commit, then the run goes on."""
    with database.transaction() as tx:
        ids = make_base(tx, make_method(tx), 7)
        run_id = prepare_billing_run(tx).id
    number, status = 0, "preparing"
    while status != "done":
        if number == crashes:
            with pytest.raises(Crash):
                cut_off(database, run_id)
        number += 1
        status = next_chunk(database, run_id)
        if status == "review":
            with database.transaction() as tx:
                confirm_alerts(tx, run_id=run_id)
                status = generate_billing_run(tx, run_id=run_id).status
    assert number == 9, "4 to prepare, 5 to generate"
    with database.reading() as tx:
        assert bills_of(tx) == [(key, MARCH, 9990) for key in ids]
        assert sorted(charged(tx)) == [[key] for key in ids]
        run = tx.session.get_one(BillingRun, run_id)
        assert (run.invoices, run.billed, run.billed_cents, run.looked_at) == (7, 7, 7 * 9990, 7)


def test_two_workers_on_one_run_bill_each_once(database: Database) -> None:
    with database.transaction() as tx:
        ids = make_base(tx, make_method(tx), 8)
        run = prepared(tx)
        generate_billing_run(tx, run_id=run.id)

    def work(_number: int) -> None:
        while next_chunk(database, run.id, 1) != "done":
            pass

    race(2, work)
    with database.reading() as tx:
        assert sorted(charged(tx)) == [[key] for key in ids]
        assert tx.session.get_one(BillingRun, run.id).billed == 8


def test_two_runs_at_once_bill_each_once(database: Database) -> None:
    with database.transaction() as tx:
        ids = make_base(tx, make_method(tx), 8)
        runs = [prepared(tx), prepared(tx)]
        for run in runs:
            generate_billing_run(tx, run_id=run.id)
    together = Barrier(2)

    def work(number: int) -> None:
        together.wait(timeout=30)
        while next_chunk(database, runs[number].id, 3) != "done":
            pass

    race(2, work)
    with database.reading() as tx:
        assert [key for key, _, _ in bills_of(tx)] == ids
        assert sorted(charged(tx)) == [[key] for key in ids]
        found = [tx.session.get_one(BillingRun, run.id) for run in runs]
        assert (sum(run.billed for run in found), sum(run.skipped for run in found)) == (8, 8)


@settings(max_examples=10)
@given(data=st.data())
def test_the_sums_agree(database: Database, data: st.DataObject) -> None:
    """Run, lines, bills, charges, invoices and debts all say the same."""
    with database.transaction() as tx:
        method = make_method(tx, name=f"Boleto {tx.session.scalar(select(func.count(BillingRun.id)))}")
        owners, plan = [make_subscriber(tx).id for _ in range(3)], make_plan(tx)
        for price in data.draw(st.lists(st.integers(0, 20_000), min_size=1, max_size=5)):
            row = make_settled(tx, method, plan_id=plan.id, subscriber_id=data.draw(st.sampled_from(owners)))
            row.price_cents, row.installed_at = price, datetime(2026, 3, data.draw(st.integers(1, 31)), 12, tzinfo=UTC)
        run = generated(tx, billing_method_ids=[method.id], pro_rata=data.draw(st.booleans()))
        lines = tx.session.scalars(
            select(BillingRunLine).where(BillingRunLine.run_id == run.id, BillingRunLine.status == "billed")
        ).all()
        wanted = {line.invoice_id for line in lines}
        invoices = tx.session.scalars(select(Invoice).where(Invoice.id.in_(wanted))).all()
        charges = tx.session.scalars(select(Charge).where(Charge.invoice_id.in_(wanted))).all()
        owed = [debts_of(tx, line.subscription_id) for line in lines]
        sums = {
            "run": run.billed_cents,
            "included": run.included_cents,
            "lines": sum(line.amount_cents for line in lines),
            "invoices": sum(invoice.open_cents for invoice in invoices),
            "charges": sum(charge.amount_cents for charge in charges),
            "debts": sum(sum(debts.values()) for debts in owed),
        }
        assert len(set(sums.values())) == 1, sums
        assert (run.billed, run.invoices) == (len(lines), len(invoices))
