"""Warnings: who gives them, what ends them, and that routers hear of both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from billing_bridge.notices.commands import give_notices
from billing_bridge.payments import receive
from core.audit import AuditEntry
from core.database import Database, Transaction
from core.errors import InvalidInput, NotAllowed, NotFound
from core.jobs import run_periodic
from core.runtime import Runtime
from provisioning.cancellation import cancel
from provisioning.debts import record_debt
from provisioning.models import Subscription, TimelineEntry
from provisioning.orders import order_restriction
from provisioning.pauses import pause
from provisioning.routeros.models import RouterService
from provisioning.warnings import jobs as warning_jobs  # noqa: F401 - its import registers the schedule
from provisioning.warnings.commands import LINGERS, unwarn, warn, warned_ids
from provisioning.warnings.models import WarningRow
from tests.factories import ANA, make_subscription, restrict
from tests.factories_billing import make_billed, make_invoice, make_method
from tests.factories_proof import make_service, pay
from tests.factories_routers import make_router
from tests.ticking import FakeClock


def owing(tx: Transaction, *invoices: int) -> Subscription:
    """A subscription on a router that is through with it, late with these invoices."""
    subscription = make_subscription(tx)
    for invoice in invoices:
        due_on = tx.now.date() - timedelta(days=9)
        record_debt(tx, subscription_id=subscription.id, invoice_id=invoice, due_on=due_on, open_cents=990)
    make_service(tx, make_router(tx), subscription)
    return subscription


def touched(tx: Transaction, subscription: Subscription) -> bool:
    """Whether its router has heard; forgets it."""
    service = tx.session.scalars(
        select(RouterService).where(RouterService.subscription_id == subscription.id),
        execution_options={"populate_existing": True},
    ).one()
    heard, service.touched_at = service.touched_at is not None, None
    tx.session.flush()
    return heard


def events(tx: Transaction, subscription: Subscription) -> list[tuple[str, object]]:
    query = select(TimelineEntry).where(
        TimelineEntry.subscription_id == subscription.id, TimelineEntry.event.startswith("warning.")
    )
    rows = tx.session.scalars(query.order_by(TimelineEntry.id))
    return [(row.event, row.details.get("reason")) for row in rows]


def test_a_warning_is_a_fact_that_everybody_hears_of(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription, other = owing(tx, 4711), owing(tx, 4712)
        row = warn(tx, subscription_id=subscription.id, cause="March is late", invoice_ids=[4711])
        assert (row.until - row.since, row.given_by) == (LINGERS, "ana")
        assert warned_ids(tx, [subscription.id, other.id]) == {subscription.id}
        assert (touched(tx, subscription), touched(tx, other)) == (True, False)
    with database.transaction(ANA) as tx:
        assert unwarn(tx, subscription_id=subscription.id, note="a mistake").end_reason == "ended"
        assert warned_ids(tx, [subscription.id]) == set()
        assert touched(tx, subscription)
    with database.reading() as tx:
        assert events(tx, subscription) == [("warning.given", None), ("warning.ended", "ended")]
        audited = tx.session.scalars(select(AuditEntry.action).where(AuditEntry.action.in_(("warn", "unwarn"))))
        assert list(audited) == ["warn", "unwarn"]


def test_who_is_warned_again_keeps_one_warning_for_longer(database: Database, clock: FakeClock) -> None:
    with database.transaction(ANA) as tx:
        subscription = owing(tx, 4711, 4712)
        warn(tx, subscription_id=subscription.id, cause="March", invoice_ids=[4711])
    clock.advance(days=3)
    with database.transaction(ANA) as tx:
        row = warn(tx, subscription_id=subscription.id, cause="April", invoice_ids=[4712])
        assert (row.until, row.invoice_ids) == (tx.now + LINGERS, [4711, 4712])
        later = warn(tx, subscription_id=subscription.id, cause="May", until=tx.now + timedelta(days=1))
        assert later.until == tx.now + LINGERS, "no warning is cut short by another one"
        assert len(tx.session.scalars(select(WarningRow)).all()) == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param(lambda tx, key: cancel(tx, subscription_id=key), NotAllowed, id="cancelled"),
        pytest.param(lambda tx, key: restrict(tx, key, "partial"), NotAllowed, id="restricted already"),
    ],
)
def test_who_cannot_be_warned(
    database: Database, change: Callable[[Transaction, int], object], error: type[Exception]
) -> None:
    with database.transaction(ANA) as tx:
        subscription = owing(tx)
        change(tx, subscription.id)
        with pytest.raises(error):
            warn(tx, subscription_id=subscription.id, cause="late")
        assert warned_ids(tx, [subscription.id]) == set()


def test_what_a_warning_has_to_be(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription = owing(tx)
        with pytest.raises(InvalidInput):
            warn(tx, subscription_id=subscription.id, cause=" ")
        with pytest.raises(InvalidInput):
            warn(tx, subscription_id=subscription.id, cause="late", until=tx.now)
        with pytest.raises(NotFound):
            warn(tx, subscription_id=999_999, cause="late")
        with pytest.raises(NotAllowed):
            unwarn(tx, subscription_id=subscription.id)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda tx, key: pay(tx, key, 4711), "", id="paid in part: it stays"),
        pytest.param(lambda tx, key: [pay(tx, key, number) for number in (4711, 4712)], "paid", id="paid"),
        pytest.param(lambda tx, key: restrict(tx, key, "partial"), "restricted", id="the restriction starts"),
        pytest.param(lambda tx, key: pause(tx, subscription_id=key), "restricted", id="paused"),
        pytest.param(lambda tx, key: cancel(tx, subscription_id=key), "restricted", id="cancelled"),
        pytest.param(lambda tx, key: pay(tx, key, 4713), "", id="another invoice is paid: it stays"),
    ],
)
def test_what_ends_a_warning(database: Database, change: Callable[[Transaction, int], object], reason: str) -> None:
    with database.transaction(ANA) as tx:
        subscription = owing(tx, 4711, 4712, 4713)
        warn(tx, subscription_id=subscription.id, cause="late", invoice_ids=[4711, 4712])
        touched(tx, subscription)
    with database.transaction(ANA) as tx:
        change(tx, subscription.id)
    with database.transaction() as tx:
        row = tx.session.scalars(select(WarningRow)).one()
        assert (row.end_reason, row.ended_at is None) == (reason, not reason)
        assert touched(tx, subscription) is bool(reason)


def test_a_warning_about_no_debt_does_not_end_with_one(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription = owing(tx, 4711)
        warn(tx, subscription_id=subscription.id, cause="the contract ends")
        pay(tx, subscription.id, 4711)
        assert warned_ids(tx, [subscription.id]) == {subscription.id}


def test_a_warning_is_over_at_its_instant_and_routers_hear_of_it(runtime: Runtime, clock: FakeClock) -> None:
    with runtime.database.transaction(ANA) as tx:
        subscription, later = owing(tx, 4711), owing(tx, 4712)
        warn(tx, subscription_id=subscription.id, cause="late", until=tx.now + timedelta(days=2))
        warn(tx, subscription_id=later.id, cause="late", until=tx.now + timedelta(days=3))
        touched(tx, subscription)
        touched(tx, later)
    clock.advance(days=2)
    with runtime.database.reading() as tx:
        assert warned_ids(tx, [subscription.id, later.id]) == {later.id}, "before anybody was awake to notice"
    run_periodic(runtime, "warnings")
    with runtime.database.transaction() as tx:
        assert (touched(tx, subscription), touched(tx, later)) == (True, False)
        assert events(tx, subscription)[-1] == ("warning.ended", "over")


def test_a_notice_warns_until_a_month_after_what_it_threatens(database: Database) -> None:
    with database.transaction(ANA) as tx:
        method = make_method(tx, notice_days=10)
        late, paid = make_billed(tx, method), make_billed(tx, method)
        invoices = {key.id: make_invoice(tx, key, late=5).id for key in (late, paid)}
        give_notices(tx)
        assert warned_ids(tx, invoices) == set(invoices)
        [row] = tx.session.scalars(select(WarningRow).where(WarningRow.subscription_id == late.id))
        assert row.until == datetime(2026, 3, 12, 3, tzinfo=UTC) + LINGERS, "from 12 March on, in São Paulo"
        assert row.invoice_ids == [invoices[late.id]]
    with database.transaction(ANA) as tx:
        receive(tx, invoice_id=invoices[paid.id])
        assert warned_ids(tx, invoices) == {late.id}


def test_a_notice_warns_nobody_who_is_restricted(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription = make_billed(tx, make_method(tx, notice_days=10))
        first = make_invoice(tx, subscription, late=20)
        order_restriction(tx, subscription_id=subscription.id, level="partial", invoice_ids=[first.id])
        make_invoice(tx, subscription, late=6)
        assert give_notices(tx).notices > 0
        assert warned_ids(tx, [subscription.id]) == set()
