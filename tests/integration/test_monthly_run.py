"""The monthly run: who is in it, what has to be looked at first, and what a person may decide."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from billing_bridge.accounts import set_billing
from billing_bridge.charges import add_charge
from billing_bridge.invoices import cancel_invoice
from billing_bridge.monthly.run import (
    confirm_alerts,
    decide_lines,
    dismiss_billing_run,
    generate_billing_run,
    prepare_billing_run,
    unreviewed,
)
from core.database import Database
from core.errors import InvalidInput, NeedsApproval, NotAllowed, NotFound
from provisioning.cancellation import cancel
from provisioning.models import Subscription
from provisioning.pauses import pause
from provisioning.subscribers import change_subscriber
from tests.factories import make_plan, make_subscriber, make_subscription, restrict
from tests.factories_billing import make_billed, make_invoice, make_method
from tests.factories_core import audit_of
from tests.factories_monthly import (
    MARCH,
    bills_of,
    codes_of,
    generated,
    invoices_of,
    lines_of,
    make_base,
    make_settled,
    prepared,
    work_through,
)
from tests.ticking import FakeClock


def test_a_plain_run_bills_everybody(database: Database) -> None:
    with database.transaction() as tx:
        plan = make_plan(tx, name="Fibra 500 Mega")
        ids = make_base(tx, make_method(tx), 5, plan_id=plan.id)
        run = prepared(tx)
        assert (run.status, run.candidates, run.looked_at, run.included, run.included_cents) == (
            "review", 5, 5, 5, 5 * 9990,
        )  # fmt: skip
        assert codes_of(tx, run) == [[]] * 5
        generate_billing_run(tx, run_id=run.id)
        work_through(tx, run)
        assert (run.status, run.invoices, run.billed, run.billed_cents, run.skipped) == ("done", 5, 5, 5 * 9990, 0)
        assert bills_of(tx) == [(key, MARCH, 9990) for key in ids]
        [invoice, *_] = invoices_of(tx)
        [charge] = invoice.charges
        assert (charge.description, charge.reference) == ("Fibra 500 Mega, 03/2026", MARCH)
        assert (invoice.due_on, invoice.status, invoice.open_cents) == (date(2026, 3, 10), "OPEN", 9990)
    assert [entry.action for entry in audit_of(database, "billing_run")] == [
        "prepare",
        "prepared",
        "generate",
        "finish",
    ]


def test_the_filters_choose(database: Database) -> None:
    with database.transaction() as tx:
        boleto, pix = make_method(tx), make_method(tx, name="Pix")
        plan, other = make_plan(tx), make_plan(tx)
        campinas = make_subscriber(tx, city="Campinas")
        a = make_settled(tx, boleto, plan_id=plan.id, subscriber_id=campinas.id).id
        b = make_settled(tx, pix, plan_id=plan.id).id
        c = make_settled(tx, pix, plan_id=other.id).id
        d = make_billed(tx, boleto, plan_id=other.id, active=False).id
        make_subscription(tx)  # without a billing account: in no run
        for filters, expected in (
            ({}, [a, b, c, d]),
            ({"billing_method_ids": [pix.id]}, [b, c]),
            ({"billing_method_ids": [pix.id, boleto.id]}, [a, b, c, d]),
            ({"cities": ["Campinas"]}, [a]),
            ({"plan_ids": [other.id]}, [c, d]),
            ({"states": ["ACTIVE"], "plan_ids": [other.id]}, [c]),
            ({"states": ["PENDING_INSTALL"]}, [d]),
            ({"cities": ["Santos"]}, []),
        ):
            run = prepared(tx, **filters)
            assert [line.subscription_id for line in lines_of(tx, run)] == expected, filters
            assert run.candidates == len(expected)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"month": date(1999, 1, 1)}, "month", id="a month long ago"),
        pytest.param({"states": ["SLEEPING"]}, "states", id="no state"),
    ],
)
def test_what_a_run_cannot_be(database: Database, values: dict[str, object], field: str) -> None:
    with database.transaction() as tx:
        with pytest.raises(InvalidInput) as refused:
            prepare_billing_run(tx, **values)  # type: ignore[arg-type]
        assert refused.value.field == field
        with pytest.raises(NotFound, match="billing method"):
            prepare_billing_run(tx, billing_method_ids=[999])


def test_facts_become_alerts(database: Database, clock: FakeClock) -> None:
    clock.now = datetime(2026, 2, 20, 12, tzinfo=UTC)
    with database.transaction() as tx:
        method = make_method(tx)
        ids = make_base(tx, method, 9)
        pending = make_billed(tx, method, active=False)
        gone_before, gone_on_first, gone_in, paused, suspended, charged, poor, late, plain = ids
        cancel(tx, subscription_id=gone_before)
        pause(tx, subscription_id=paused)
        restrict(tx, suspended)
        add_charge(
            tx, subscription_id=charged, description="Mensalidade", amount_cents=9990, reference=date(2026, 3, 15)
        )
        set_billing(tx, subscription_id=late, billing_method_id=method.id, due_day=1)
        tx.session.get_one(Subscription, poor).price_cents = 0
    clock.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with database.transaction() as tx:
        cancel(tx, subscription_id=gone_on_first)
    clock.now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with database.transaction() as tx:
        cancel(tx, subscription_id=gone_in)
        run = prepared(tx)
        found = {line.subscription_id: line for line in lines_of(tx, run)}
        codes = {key: [item.code for item in line.alerts if not item.warning] for key, line in found.items()}
        assert codes == {
            gone_on_first: ["cancelled"],
            gone_in: ["cancelled-mid-month"],
            paused: ["paused"],
            suspended: ["suspended"],
            charged: ["already-charged"],
            poor: ["no-price"],
            late: ["due-in-past"],
            plain: [],
            pending.id: ["pending"],
        }
        assert [key for key, line in found.items() if line.decision == "exclude"] == [
            gone_on_first, paused, charged, poor, pending.id,
        ]  # fmt: skip
        assert found[gone_in].amount_cents == 322
        assert (run.included, run.excluded, run.included_cents) == (4, 5, 322 + 3 * 9990)


def test_last_months_bill_is_compared(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        plan = make_plan(tx)
        make_base(tx, make_method(tx), 1, plan_id=plan.id)
        generated(tx)
        plan.price_cents = 12_000
    clock.now = datetime(2026, 4, 2, 12, tzinfo=UTC)
    with database.transaction() as tx:
        run = prepared(tx)
        assert codes_of(tx, run) == [["amount-moved"]]
        [line] = lines_of(tx, run)
        assert (line.alerts[0].detail, line.decision) == ("R$ 120,00, last month R$ 99,90", "include")


def test_nothing_is_generated_over_alerts_that_nobody_looked_at(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx)
        [first, second, third] = [make_billed(tx, method) for _ in range(3)]  # installed today
        cancel(tx, subscription_id=third.id)
        run = prepared(tx)
        with pytest.raises(NeedsApproval, match="3 alerts") as refused:
            generate_billing_run(tx, run_id=run.id)
        assert refused.value.extras == {"unreviewed": 3, "codes": {"installed-mid-month": 2, "cancelled": 1}}
        lines = lines_of(tx, run)
        decide_lines(tx, run_id=run.id, line_ids=[lines[0].id], include=False, note="free of charge")
        assert sum(unreviewed(tx, run.id).values()) == 2
        assert confirm_alerts(tx, run_id=run.id, codes=["installed-mid-month"]) == 1
        with pytest.raises(NeedsApproval, match="1 alerts"):
            generate_billing_run(tx, run_id=run.id)
        assert confirm_alerts(tx, run_id=run.id) >= 1
        generate_billing_run(tx, run_id=run.id)
        work_through(tx, run)
        assert [key for key, _, _ in bills_of(tx)] == [second.id]
        assert (first.id, "exclude", "free of charge") == (
            lines[0].subscription_id,
            lines[0].decision,
            lines[0].detail,
        )


def test_a_missing_contact_holds_nothing_back(database: Database) -> None:
    with database.transaction() as tx:
        make_base(tx, make_method(tx), 1)
        run = prepared(tx)
        [line] = lines_of(tx, run)
        assert [(item.code, item.detail, item.warning) for item in line.alerts] == [
            ("no-contact", "the subscriber has no phone, no e-mail", True)
        ]
        assert unreviewed(tx, run.id) == {}
        change_subscriber(tx, subscriber_id=line.subscriber_id, phone="+55 19 99999-0000", email="a@b.br")
        assert lines_of(tx, prepared(tx))[0].alerts == []


def test_lines_are_decided_by_a_person(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx)
        ids = make_base(tx, method, 2)
        add_charge(tx, subscription_id=ids[0], description="Instalação", amount_cents=100)
        pending = make_billed(tx, method, active=False)
        run = prepared(tx)
        charged, plain, nothing = lines_of(tx, run)
        assert nothing.subscription_id == pending.id
        decide_lines(tx, run_id=run.id, line_ids=[charged.id], include=True)
        decide_lines(tx, run_id=run.id, line_ids=[plain.id, plain.id], include=False)
        assert (run.included, run.included_cents, run.excluded) == (1, 9990, 2)
        with pytest.raises(NotAllowed, match="over nothing"):
            decide_lines(tx, run_id=run.id, line_ids=[nothing.id], include=True)
        with pytest.raises(NotFound, match="line of billing run"):
            decide_lines(tx, run_id=run.id, line_ids=[999_999], include=True)
        confirm_alerts(tx, run_id=run.id, codes=["pending"])
        generate_billing_run(tx, run_id=run.id)
        work_through(tx, run)
        assert bills_of(tx) == [(ids[0], MARCH, 9990)]


def test_a_run_that_is_over_is_left_alone(database: Database) -> None:
    with database.transaction() as tx:
        make_base(tx, make_method(tx), 1)
        run = prepared(tx)
        with pytest.raises(InvalidInput, match="codes"):
            confirm_alerts(tx, run_id=run.id, codes=["bad-weather"])
        with pytest.raises(InvalidInput, match="note"):
            dismiss_billing_run(tx, run_id=run.id, note=" ")
        dismiss_billing_run(tx, run_id=run.id, note="wrong month")
        for attempt in (
            lambda: dismiss_billing_run(tx, run_id=run.id, note="again"),
            lambda: generate_billing_run(tx, run_id=run.id),
            lambda: confirm_alerts(tx, run_id=run.id),
            lambda: decide_lines(tx, run_id=run.id, line_ids=[1], include=True),
        ):
            with pytest.raises(NotAllowed, match="is dismissed"):
                attempt()
        done = generated(tx)
        with pytest.raises(NotAllowed, match="is done"):
            dismiss_billing_run(tx, run_id=done.id, note="too late")


def test_a_cancelled_invoice_lets_the_month_be_billed_again(database: Database) -> None:
    with database.transaction() as tx:
        [key] = make_base(tx, make_method(tx), 1)
        make_invoice(tx, make_subscription(tx))
        generated(tx)
        again = prepared(tx)
        assert (again.billed_before, lines_of(tx, again)) == (1, [])
        cancel_invoice(tx, invoice_id=invoices_of(tx)[-1].id, note="wrong price")
        assert bills_of(tx) == []
        third = generated(tx)
        assert (third.billed, bills_of(tx)) == (1, [(key, MARCH, 9990)])
