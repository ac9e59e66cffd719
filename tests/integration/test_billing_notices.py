"""Notices: given once, told in the timeline, the audit and the outbox, and what the run makes of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing_bridge.dunning.candidates import candidate_ids, new_orders
from billing_bridge.notices.commands import give_notices, preview_notices
from billing_bridge.notices.models import DebtNotice
from billing_bridge.notices.tasks import announce_notice
from billing_bridge.payments import receive
from core.actor import Actor
from core.alarms import raise_alarm
from core.audit import AuditEntry
from core.database import Database, Transaction
from core.job_queue import Job
from core.outcomes import Applied
from core.runtime import Runtime
from provisioning.cancellation import cancel
from provisioning.models import Subscription, TimelineEntry
from provisioning.orders import order_restriction
from provisioning.routines.tasks import TASKS
from tests.factories import make_plan, make_subscriber
from tests.factories_api import Client
from tests.factories_billing import make_billed, make_invoice, make_method
from tests.ticking import FakeClock

ROUTINE = Actor("routine 3 notices", "routine")


def late_ones(
    tx: Transaction, count: int = 1, *, late: int = 5, notice_days: int = 10, cents: int = 9990
) -> list[Subscription]:
    """Late by a rule of 15 and 30 days, from R$ 10,00."""
    method, plan = make_method(tx, notice_days=notice_days), make_plan(tx)
    made = [make_billed(tx, method, plan_id=plan.id) for _ in range(count)]
    for subscription in made:
        make_invoice(tx, subscription, late=late, cents=cents)
    return made


def notices_in(tx: Transaction) -> int:
    return tx.session.scalar(select(func.count()).select_from(DebtNotice)) or 0


def test_a_notice_is_given_once_and_told_everywhere(database: Database) -> None:
    with database.transaction(ROUTINE) as tx:
        [subscription] = late_ones(tx)
        second = make_invoice(tx, subscription, late=6, cents=500)
        given = give_notices(tx)
        assert (given.notices, given.subscriptions, given.last) == (2, 1, None)
        assert give_notices(tx).notices == 0
    with database.reading() as tx:
        rows = tx.session.scalars(select(DebtNotice).order_by(DebtNotice.id)).all()
        assert [(row.given_on, row.restriction_from, row.level) for row in rows] == [
            (date(2026, 3, 2), date(2026, 3, 12), "partial")
        ] * 2
        told = {
            "given_on": "2026-03-02",
            "invoices": [
                {"invoice_id": second.id, "due_on": "2026-02-24", "open_cents": 500, "level": "partial",
                 "restriction_from": "2026-03-12"},
                {"invoice_id": rows[1].invoice_id, "due_on": "2026-02-25", "open_cents": 9990, "level": "partial",
                 "restriction_from": "2026-03-12"},
            ],
        }  # fmt: skip
        [entry] = tx.session.scalars(select(TimelineEntry).where(TimelineEntry.event == "notice.given"))
        assert (entry.subscription_id, entry.actor, entry.details) == (subscription.id, ROUTINE.name, told)
        [audited] = tx.session.scalars(select(AuditEntry).where(AuditEntry.action == "give-notice"))
        assert (audited.entity_id, audited.after) == (str(subscription.id), told)
        [job] = tx.session.scalars(select(Job).where(Job.kind == "debt.notice-given"))
        ids = {"subscription_id": subscription.id, "subscriber_id": subscription.subscriber_id}
        assert job.payload == {**ids, **told}


@pytest.mark.parametrize(
    ("late", "told"),
    [
        pytest.param(4, 0, id="the day before"),
        pytest.param(5, 1, id="the day"),
        pytest.param(6, 1, id="the day after"),
    ],
)
def test_the_day_of_the_notice(database: Database, late: int, told: int) -> None:
    with database.transaction() as tx:
        late_ones(tx, late=late)
        found, following = preview_notices(tx)
        assert (len(found), following, give_notices(tx).notices) == (told, None, told)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda tx, s, i: cancel(tx, subscription_id=s.id), id="cancelled"),
        pytest.param(lambda tx, s, i: receive(tx, invoice_id=i), id="paid"),
        pytest.param(
            lambda tx, s, i: order_restriction(tx, subscription_id=s.id, level="total", invoice_ids=[i]),
            id="suspended already",
        ),
    ],
)
def test_who_is_not_told(database: Database, change: Callable[[Transaction, Subscription, int], object]) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx, notice_days=10))
        invoice = make_invoice(tx, subscription, late=10)
        assert len(preview_notices(tx)[0]) == 1
        change(tx, subscription, invoice.id)
        assert (preview_notices(tx), give_notices(tx).notices) == (([], None), 0)


@pytest.mark.parametrize(
    ("notice_days", "cents", "told"),
    [
        pytest.param(0, 9990, 0, id="the rule asks for none"),
        pytest.param(10, 999, 0, id="a cent below the minimum"),
        pytest.param(10, 1000, 1, id="at the minimum"),
    ],
)
def test_the_rule_decides(database: Database, notice_days: int, cents: int, told: int) -> None:
    with database.transaction() as tx:
        late_ones(tx, late=20, notice_days=notice_days, cents=cents)
        assert give_notices(tx).notices == told


def test_the_day_that_a_notice_names_is_one_on_which_a_restriction_may_start(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx, notice_days=32, hold_holidays=True, hold_holiday_eves=True, held_weekdays=(5, 6, 7))
        owner = make_subscriber(tx, region="SP")
        make_invoice(tx, make_billed(tx, method, subscriber_id=owner.id), late=1)
        [notice], _ = preview_notices(tx)
        assert notice.restriction_from == date(2026, 4, 6)  # 3 April is Good Friday


def test_chunks_go_on_where_they_ended(database: Database) -> None:
    with database.transaction() as tx:
        ids = [item.id for item in late_ones(tx, 3)]
        first = give_notices(tx, chunk=2)
        assert (first.subscriptions, first.last) == (2, ids[1])
        rest = give_notices(tx, chunk=2, after=ids[1])
        assert (rest.subscriptions, rest.last, notices_in(tx)) == (1, None, 3)


def test_nobody_is_restricted_before_the_notice_is_old_enough(database: Database, clock: FakeClock) -> None:
    day = date(2026, 3, 2)
    with database.transaction() as tx:
        [subscription] = late_ones(tx, late=40)
        assert (candidate_ids(tx, day, limit=9), new_orders(tx, [subscription.id], day)) == ([], [])
        give_notices(tx)
    for later, wanted in ((9, False), (10, True), (11, True)):
        with database.reading() as tx:
            when = date(2026, 3, 2 + later)
            assert (candidate_ids(tx, when, limit=9) == [subscription.id]) is wanted
            orders = new_orders(tx, [subscription.id], when)
            assert [order.evidence["notice"] for order in orders] == (
                [{"on": "2026-03-02", "days": 10}] if wanted else []
            )


AGES = st.tuples(
    st.sampled_from([0, 1, 14, 15, 29, 30]), st.sampled_from([499, 500, 1000]), st.sampled_from([None, 4, 5, 6])
)


@settings(max_examples=15)
@given(debts=st.lists(st.lists(AGES, max_size=3), min_size=1, max_size=3), notice_days=st.sampled_from([0, 5]))
def test_the_filter_finds_exactly_whom_rules_with_notice_want(
    database: Database, debts: list[list[tuple[int, int, int | None]]], notice_days: int
) -> None:
    day = date(2026, 3, 2)
    with database.reading() as tx:  # rolled back: each example begins with nothing
        method, plan = make_method(tx, notice_days=notice_days), make_plan(tx)
        ids = []
        for invoices in debts:
            subscription = make_billed(tx, method, plan_id=plan.id)
            ids.append(subscription.id)
            for late, cents, told in invoices:
                invoice = make_invoice(tx, subscription, late=late, cents=cents)
                if told is not None:
                    tx.session.add(old_notice(tx, subscription.id, invoice.id, day - timedelta(days=told)))
        tx.session.flush()
        wanted = [order.subscription_id for order in new_orders(tx, ids, day)]
        assert candidate_ids(tx, day, limit=9) == wanted


def old_notice(tx: Transaction, subscription_id: int, invoice_id: int, given_on: date) -> DebtNotice:
    return DebtNotice(
        subscription_id=subscription_id,
        invoice_id=invoice_id,
        level="partial",
        given_on=given_on,
        restriction_from=given_on,
        open_cents=1,
        created_at=tx.now,
    )


def test_the_routine_gives_all_and_rehearses_without_giving(runtime: Runtime) -> None:
    task = TASKS["notify"]
    with runtime.database.transaction() as tx:
        late_ones(tx, 3)
        rehearsed = task.rehearse(tx, {})
        assert (rehearsed.counts, rehearsed.status, notices_in(tx)) == ({"notices": 3, "subscriptions": 3}, "done", 0)
    done = task.run(runtime, ROUTINE, {})
    assert (done.counts, done.detail) == ({"notices": 3, "subscriptions": 3}, "3 notices to 3 subscriptions")
    assert task.run(runtime, ROUTINE, {}).counts == {"notices": 0, "subscriptions": 0}
    with runtime.database.reading() as tx:
        job = tx.session.scalars(select(Job).where(Job.kind == "debt.notice-given")).first()
        assert job is not None
        assert isinstance(announce_notice(runtime, job), Applied)


def test_while_a_guard_holds_nobody_is_threatened(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        late_ones(tx)
        raise_alarm(tx, "feed-empty", "hubsoft", detail="no invoice came")
        assert TASKS["notify"].rehearse(tx, {}).status == "held"
    held = TASKS["notify"].run(runtime, ROUTINE, {})
    assert (held.status, held.counts) == ("held", {"notices": 0, "subscriptions": 0})
    assert "feed-empty hubsoft" in held.detail


def test_the_verbs(runtime: Runtime) -> None:
    client = Client(runtime)
    with runtime.database.transaction() as tx:
        ids = [item.id for item in late_ones(tx, 3)]
    first = client.get("/dunning/notices/preview", limit=2).content
    assert [row["subscription_id"] for row in first["items"]] == ids[:2]
    rest = client.get("/dunning/notices/preview", limit=2, after=first["next"]).content
    assert ([row["subscription_id"] for row in rest["items"]], rest["next"]) == (ids[2:], None)
    assert client.post("/dunning/notices").content == {"notices": 3, "subscriptions": 3, "last": None}
    given = client.get("/dunning/notices").content["items"]
    assert [row["subscription_id"] for row in given] == ids[::-1]
    [own] = client.get("/dunning/notices", subscription_id=ids[1]).content["items"]
    assert (own["level"], own["given_on"], own["restriction_from"]) == ("partial", "2026-03-02", "2026-03-12")
