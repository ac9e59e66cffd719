"""Events of other billing systems: stored, mirrored, in any order; what they mean for whoever owes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from billing_bridge.intake.matching import link_subscription
from billing_bridge.intake.models import IntakeEvent
from billing_bridge.intake.receive import (
    apply_left_behind,
    apply_received,
    count_outcomes,
    events_of,
    purge_events,
    retry_unmatched,
    store_events,
)
from billing_bridge.intake.sources import get_source
from billing_bridge.invoices import cancel_invoice, list_invoices
from billing_bridge.payments import receive
from core.database import Database
from core.errors import CatracaError, NotAllowed
from core.job_queue import Job
from provisioning.models import Subscription
from provisioning.orders import order_restriction
from provisioning.timeline import entries
from tests.factories import make_subscriber, make_subscription
from tests.factories_billing import debts_of, make_invoice, state_of
from tests.factories_core import audit_of
from tests.factories_intake import deliver, make_event, make_source, mirror_of, outcomes_of
from tests.ticking import FakeClock


def provided(database: Database) -> tuple[int, Subscription]:
    """A source's id and an active subscription."""
    with database.transaction() as tx:
        return make_source(tx).id, make_subscription(tx)


def test_a_new_invoice_becomes_a_debt_with_a_history(database: Database) -> None:
    source, maria = provided(database)
    [row] = deliver(database, source, [make_event(maria, open_cents=5000, description="March")])
    assert (row.outcome, row.version) == ("applied", 1)
    with database.reading() as tx:
        invoice = mirror_of(tx)
        assert row.invoice_id == invoice.id
        assert (invoice.source_id, invoice.due_on, invoice.amount_cents) == (source, date(2026, 2, 10), 9990)
        assert (invoice.open_cents, invoice.status) == (5000, "PARTIALLY_PAID")
        assert [charge.description for charge in invoice.charges] == ["March"]
        assert debts_of(tx, maria.id) == {invoice.id: 5000}
        told = entries(tx, maria.id)[-1]
        assert (told.event, told.details["external_id"], told.details["open_cents"]) == ("invoice.synced", "F-1", 5000)
        assert get_source(tx, source).last_event_at == database.clock()
    assert [(entry.action, entry.entity_id) for entry in audit_of(database, "invoice")] == [("sync", str(invoice.id))]


@pytest.mark.parametrize(
    ("fields", "status", "open_cents"),
    [
        pytest.param({"status": "paid"}, "PAID", 0, id="paid"),
        pytest.param({"status": "cancelled"}, "CANCELLED", 0, id="cancelled"),
        pytest.param({"open_cents": 1}, "PARTIALLY_PAID", 1, id="partly paid"),
        pytest.param({"amount_cents": 12000}, "OPEN", 12000, id="dearer"),
        pytest.param({"amount_cents": 100}, "OPEN", 100, id="cheaper"),
        pytest.param({"due_on": "2026-04-01"}, "OPEN", 9990, id="due later"),
    ],
)
def test_a_newer_version_is_the_whole_truth(
    database: Database, fields: dict[str, Any], status: str, open_cents: int
) -> None:
    source, maria = provided(database)
    deliver(database, source, [make_event(maria)])
    deliver(database, source, [make_event(maria, version=2, **fields)])
    with database.reading() as tx:
        invoice = mirror_of(tx)
        assert (invoice.status, invoice.open_cents, invoice.external_version) == (status, open_cents, 2)
        assert debts_of(tx, maria.id) == {invoice.id: open_cents}
        assert sum(charge.amount_cents for charge in invoice.charges) == invoice.amount_cents
        assert invoice.due_on.isoformat() == fields.get("due_on", "2026-02-10")
    deliver(database, source, [make_event(maria, version=3)])
    with database.reading() as tx:
        assert (mirror_of(tx).status, debts_of(tx, maria.id)) == ("OPEN", {invoice.id: 9990})


def test_a_payment_that_an_event_tells_of_restores(database: Database) -> None:
    source, maria = provided(database)
    deliver(database, source, [make_event(maria)])
    with database.transaction() as tx:
        order_restriction(tx, subscription_id=maria.id, level="total", invoice_ids=[mirror_of(tx).id])
    assert state_of(database, maria.id) == "SUSPENDED"
    with database.transaction() as tx:
        ids = store_events(tx, source_id=source, events=[make_event(maria, version=2, status="paid")])
    assert state_of(database, maria.id) == "SUSPENDED"
    with database.transaction() as tx:
        apply_received(tx, source_id=source, ids=ids)
    assert state_of(database, maria.id) == "ACTIVE"


def test_what_came_before_changes_nothing(database: Database) -> None:
    source, maria = provided(database)
    first, second = make_event(maria, version=2), make_event(maria, version=1, status="paid")
    again = {**first, "event_id": "evt-another-delivery"}
    rows = deliver(database, source, [first, second, again])
    assert outcomes_of(rows) == ["applied", "older", "duplicate"]
    with database.reading() as tx:
        count = len(entries(tx, maria.id))
    assert [row.id for row in deliver(database, source, [second, first])] == [rows[1].id, rows[0].id]
    with database.reading() as tx:
        assert len(entries(tx, maria.id)) == count
        assert (mirror_of(tx).status, mirror_of(tx).external_version) == ("OPEN", 2)


def test_the_same_name_with_another_content_is_another_event(database: Database) -> None:
    source, maria = provided(database)
    open_one = make_event(maria, event_id="evt-7")
    paid = make_event(maria, event_id="evt-7", version=2, status="paid")
    rows = deliver(database, source, [open_one, paid, paid])
    assert outcomes_of(rows) == ["applied", "applied", "applied"]
    assert rows[1].id == rows[2].id != rows[0].id
    with database.reading() as tx:
        assert mirror_of(tx).status == "PAID"


@pytest.mark.parametrize("order", [pytest.param([0, 1], id="dear first"), pytest.param([1, 0], id="cheap first")])
def test_two_contents_under_one_version_end_well_for_the_subscriber(database: Database, order: list[int]) -> None:
    source, maria = provided(database)
    events = [make_event(maria, open_cents=9990), make_event(maria, open_cents=100)]
    rows = deliver(database, source, [events[index] for index in order])
    assert outcomes_of(rows) == ["applied", "conflict"]
    with database.reading() as tx:
        assert mirror_of(tx).open_cents == 100
        assert count_outcomes(tx, source)["conflict"] == 1


def test_an_invoice_may_turn_out_to_be_somebody_elses(database: Database) -> None:
    source, maria = provided(database)
    with database.transaction() as tx:
        joao = make_subscription(tx)
    deliver(database, source, [make_event(maria)])
    with database.transaction() as tx:
        order_restriction(tx, subscription_id=maria.id, level="total", invoice_ids=[mirror_of(tx).id])
    deliver(database, source, [make_event(joao, version=2)])
    with database.reading() as tx:
        invoice = mirror_of(tx)
        assert invoice.subscriber_id == joao.subscriber_id
        assert debts_of(tx, maria.id) == {invoice.id: 0}
        assert debts_of(tx, joao.id) == {invoice.id: 9990}
    assert (state_of(database, maria.id), state_of(database, joao.id)) == ("ACTIVE", "ACTIVE")


def test_a_bad_event_refuses_only_itself(database: Database) -> None:
    source, maria = provided(database)
    bad = make_event(maria, amount_cents=-1, event_id="evt-bad")
    bad["password"] = "hunter2-in-the-clear"
    rows = deliver(database, source, [bad, make_event(maria), "no event at all"])
    assert outcomes_of(rows) == ["refused", "applied", "refused"]
    assert "invoice.amount_cents must be a whole number" in rows[0].detail
    assert "hunter2" not in str(rows[0].body)
    [mended] = deliver(database, source, [make_event(maria, "F-2", event_id="evt-bad")])
    assert (mended.id, mended.outcome) == (rows[0].id, "applied")


Ref = Callable[[Subscription], dict[str, Any]]


@pytest.mark.parametrize(
    "ref",
    [
        pytest.param(lambda s: {"id": s.id}, id="id"),
        pytest.param(lambda s: {"login": s.login}, id="login"),
        pytest.param(lambda s: {"document": s.subscriber.document}, id="document"),
        pytest.param(lambda s: {"external_id": "S-77"}, id="their id"),
        pytest.param(lambda s: {"login": "renamed", "external_id": "S-77"}, id="their id beside an old login"),
        pytest.param(lambda s: {"login": s.login, "document": s.subscriber.document}, id="login and document"),
    ],
)
def test_a_subscription_is_found_by(database: Database, ref: Ref) -> None:
    source, maria = provided(database)
    with database.transaction() as tx:
        make_subscription(tx)
        link_subscription(tx, get_source(tx, source), "S-77", maria.id)
    assert outcomes_of(deliver(database, source, [make_event(ref(maria))])) == ["applied"]
    with database.reading() as tx:
        assert [charge.subscription_id for charge in mirror_of(tx).charges] == [maria.id]


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        pytest.param(lambda s: {"id": 999_999}, "no subscription has id 999999", id="id"),
        pytest.param(lambda s: {"login": "nobody"}, "no subscription has login nobody", id="login"),
        pytest.param(lambda s: {"external_id": "S-1"}, "no subscription has external id S-1", id="their id"),
        pytest.param(
            lambda s: {"login": s.login, "document": "39053344705"}, "another document", id="login of another's"
        ),
        pytest.param(lambda s: {"login": "gone", "document": s.subscriber.document}, "no subscription", id="old login"),
    ],
)
def test_what_matches_nobody_is_kept(database: Database, ref: Ref, reason: str) -> None:
    source, maria = provided(database)
    [row] = deliver(database, source, [make_event(ref(maria))])
    assert (row.outcome, row.tries) == ("unmatched", 1)
    assert reason in row.detail
    with database.reading() as tx:
        assert list_invoices(tx) == []


def test_a_document_with_two_subscriptions_names_them(database: Database) -> None:
    source, _ = provided(database)
    with database.transaction() as tx:
        owner = make_subscriber(tx)
        one, other = make_subscription(tx, subscriber_id=owner.id), make_subscription(tx, subscriber_id=owner.id)
    event = make_event({"document": owner.document, "external_id": "S-9"})
    [row] = deliver(database, source, [event])
    assert row.outcome == "unmatched"
    assert f"2 subscriptions ({one.id}, {other.id})" in row.detail
    with database.transaction() as tx:
        link_subscription(tx, get_source(tx, source), "S-9", other.id)
        assert retry_unmatched(tx, source_id=source) == 1
    with database.transaction() as tx:
        assert outcomes_of(apply_received(tx, source_id=source)) == ["applied"]
    with database.reading() as tx:
        assert list(debts_of(tx, other.id).values()) == [9990]


def test_unmatched_is_tried_again_when_its_invoice_has_a_mirror(database: Database) -> None:
    source, maria = provided(database)
    [lost] = deliver(database, source, [make_event({"login": "nobody"}, version=2, status="paid")])
    assert lost.outcome == "unmatched"
    deliver(database, source, [make_event(maria)])
    with database.reading() as tx:
        assert outcomes_of(events_of(tx, [lost.id])) == ["applied"]
        assert mirror_of(tx).status == "PAID"


def test_their_id_is_learnt(database: Database) -> None:
    source, maria = provided(database)
    deliver(database, source, [make_event({"login": maria.login, "external_id": "S-5"})])
    assert outcomes_of(deliver(database, source, [make_event({"external_id": "S-5"}, "F-2")])) == ["applied"]


def test_a_mirror_is_not_changed_here(database: Database) -> None:
    source, maria = provided(database)
    deliver(database, source, [make_event(maria)])
    with database.transaction() as tx:
        own, foreign = make_invoice(tx, maria), mirror_of(tx)
        receive(tx, invoice_id=own.id)
        for change in (
            lambda: receive(tx, invoice_id=foreign.id),
            lambda: cancel_invoice(tx, invoice_id=foreign.id, note="by mistake"),
        ):
            with pytest.raises(NotAllowed, match="belongs to ERP, as F-1: change it there"):
                change()
        assert foreign.status == "OPEN"


def test_two_sources_may_use_the_same_numbers(database: Database) -> None:
    source, maria = provided(database)
    with database.transaction() as tx:
        other = make_source(tx, "Other").id
    event = make_event(maria)
    assert outcomes_of([*deliver(database, source, [event]), *deliver(database, other, [event])]) == ["applied"] * 2
    with database.reading() as tx:
        assert sorted(debts_of(tx, maria.id).values()) == [9990, 9990]


@pytest.mark.parametrize(("seconds", "jobs"), [pytest.param(29, 0, id="soon"), pytest.param(30, 1, id="late")])
def test_what_a_request_left_behind_gets_a_job(database: Database, clock: FakeClock, seconds: int, jobs: int) -> None:
    source, maria = provided(database)
    with database.transaction() as tx:
        store_events(tx, source_id=source, events=[make_event(maria)])
    clock.now += timedelta(seconds=seconds)
    with database.transaction() as tx:
        apply_left_behind(tx)
    with database.reading() as tx:
        assert [job.key for job in tx.session.query(Job).filter_by(kind="intake.apply")] == [str(source)] * jobs


@pytest.mark.parametrize(("days", "left"), [pytest.param(180, 2, id="half a year"), pytest.param(181, 1, id="more")])
def test_old_events_go_and_open_questions_stay(database: Database, clock: FakeClock, days: int, left: int) -> None:
    source, maria = provided(database)
    deliver(database, source, [make_event(maria), make_event({"login": "nobody"}, "F-2")])
    clock.now += timedelta(days=days)
    with database.transaction() as tx:
        purge_events(tx)
        assert tx.session.query(IntakeEvent).count() == left


def test_too_many_events_are_refused_whole(database: Database) -> None:
    source, maria = provided(database)
    with database.transaction() as tx, pytest.raises(CatracaError, match="1 to 1000 events"):
        store_events(tx, source_id=source, events=[make_event(maria)] * 1001)
