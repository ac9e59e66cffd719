"""Full comparisons with a HubSoft that really answers, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

import billing_bridge.intake.tasks  # noqa: F401  (registers the feed)
from billing_bridge.intake.models import IntakeEvent, IntakeSnapshot
from billing_bridge.intake.reconcile import advance, connected
from billing_bridge.intake.runs import get_run, start_run
from billing_bridge.intake.tasks import SYNC_TASK
from core.errors import NotAllowed
from core.job_queue import Job
from core.jobs import run_job
from core.runtime import Runtime
from lab.gateways.hubsoft import HubSoftSimulator
from provisioning.orders import order_restriction
from tests.factories import make_subscriber, make_subscription
from tests.factories_api import Client as ApiClient
from tests.factories_billing import state_of
from tests.factories_hubsoft import DUE, ROUTINE, Provider, counts
from tests.factories_intake import make_source, mirror_of
from tests.ticking import FakeClock


@pytest.fixture
def hubsoft() -> Iterator[HubSoftSimulator]:
    with HubSoftSimulator() as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing_bridge.gateways.hubsoft.client.PAUSES", (0.0, 0.0))


@pytest.fixture
def provider(runtime: Runtime, hubsoft: HubSoftSimulator) -> Provider:
    return Provider(runtime, hubsoft)


def test_what_is_listed_is_mirrored_once(provider: Provider, clock: FakeClock) -> None:
    bills = [provider.bill(number) for number in range(4)]
    run = provider.compare()
    assert (run.status, run.finished_at, counts(run)) == ("done", clock.now, {"seen": 4, "created": 4})
    assert provider.mirrors() == {str(bill.id): "OPEN" for bill in bills}
    clock.now += timedelta(hours=12)
    assert counts(provider.compare()) == {"seen": 4, "unchanged": 4}
    assert (provider.seen().last_full_at, provider.seen().last_full_count) == (clock.now, 4)
    with provider.runtime.database.reading() as tx:
        assert tx.session.query(IntakeSnapshot).count() == 0
        assert tx.session.query(IntakeEvent).count() == 4


def test_a_payment_there_restores_here(provider: Provider, clock: FakeClock) -> None:
    bill, maria = provider.bill(0), provider.subscriptions["user-0"]
    provider.compare()
    with provider.runtime.database.transaction() as tx:
        order_restriction(tx, subscription_id=maria.id, level="total", invoice_ids=[mirror_of(tx, str(bill.id)).id])
    assert state_of(provider.runtime.database, maria.id) == "SUSPENDED"
    clock.now += timedelta(hours=12)
    bill.paid_on, bill.paid_cents = clock.now.date(), bill.cents
    assert counts(provider.compare()) == {"seen": 1, "changed": 1}
    assert state_of(provider.runtime.database, maria.id) == "ACTIVE"


def test_what_is_no_longer_listed_is_closed(provider: Provider, clock: FakeClock) -> None:
    kept, gone = provider.bill(0), provider.bill(1)
    provider.compare()
    with provider.runtime.database.transaction() as tx:
        invoice, maria = mirror_of(tx, str(gone.id)), provider.subscriptions["user-1"]
        order_restriction(tx, subscription_id=maria.id, level="total", invoice_ids=[invoice.id])
    clock.now += timedelta(hours=12)
    del provider.hubsoft.bills[gone.id]
    assert counts(provider.compare()) == {"seen": 1, "unchanged": 1, "closed": 1}
    assert provider.mirrors() == {str(kept.id): "OPEN", str(gone.id): "CANCELLED"}
    assert state_of(provider.runtime.database, maria.id) == "ACTIVE"
    clock.now += timedelta(hours=12)
    provider.hubsoft.bills[gone.id] = gone
    assert counts(provider.compare()) == {"seen": 2, "unchanged": 1, "changed": 1}
    assert provider.mirrors()[str(gone.id)] == "OPEN"


def test_old_debts_are_looked_at_however_old_they_are(provider: Provider, clock: FakeClock) -> None:
    bill = provider.bill(0)
    provider.bill(1, due_on=DUE + timedelta(days=200))
    provider.compare()
    clock.now += timedelta(days=200)
    provider.bill(2, due_on=clock.now.date())
    bill.paid_on, bill.paid_cents = clock.now.date(), bill.cents
    provider.compare()
    assert provider.mirrors()[str(bill.id)] == "PAID"


def test_a_rehearsal_tells_and_changes_nothing(provider: Provider, clock: FakeClock) -> None:
    changed, gone = provider.bill(0), provider.bill(1)
    provider.bill(2)
    provider.compare()
    clock.now += timedelta(hours=12)
    before = provider.mirrors()
    changed.paid_on, changed.paid_cents = clock.now.date(), changed.cents
    new = provider.bill(3)
    del provider.hubsoft.bills[gone.id]
    run = provider.compare(dry_run=True)
    assert counts(run) == {"seen": 3, "unchanged": 1, "created": 1, "changed": 1, "closed": 1}
    assert provider.mirrors() == before
    told = {line.partition(":")[0]: line for line in run.differences}
    assert set(told) == {str(changed.id), str(new.id), str(gone.id)}
    assert "open_cents 9990 → 0" in told[str(changed.id)]
    assert "no longer listed" in told[str(gone.id)]
    assert provider.seen().last_full_at == clock.now - timedelta(hours=12)


def test_what_was_cut_off_goes_on_where_it_was(provider: Provider) -> None:
    provider.hubsoft.page_limit = 2
    for number in range(4):
        provider.bill(number)
    with provider.runtime.database.transaction(ROUTINE) as tx:
        run = start_run(tx, source_id=provider.source).id
    for _ in range(4):
        with connected(provider.runtime, run) as feed:
            assert advance(provider.runtime, run, feed)
    asked = len(provider.hubsoft.asked)
    with provider.runtime.database.transaction(ROUTINE) as tx:
        assert start_run(tx, source_id=provider.source).id == run
        job_id = tx.session.scalars(select(Job.id).where(Job.kind == "intake.sync")).one()
    run_job(provider.runtime, job_id)
    with provider.runtime.database.reading() as tx:
        finished = get_run(tx, run)
        assert (finished.status, counts(finished)) == ("done", {"seen": 4, "created": 4})
    pages = [path for path in provider.hubsoft.asked[asked:] if "cliente/todos" in path]
    assert pages == []


def test_what_nobody_went_on_with_is_begun_anew(provider: Provider, clock: FakeClock) -> None:
    with provider.runtime.database.transaction(ROUTINE) as tx:
        first = start_run(tx, source_id=provider.source).id
        clock.now += timedelta(hours=1)
    with provider.runtime.database.transaction(ROUTINE) as tx:
        assert start_run(tx, source_id=provider.source).id != first
        assert get_run(tx, first).status == "left"


def test_a_client_that_is_new_here_is_unmatched_until_it_is_opened(provider: Provider, clock: FakeClock) -> None:
    stranger = provider.hubsoft.add_client("João", "52998224725", "joao")
    bill = provider.hubsoft.add_bill(stranger, 5000, DUE)
    for _ in range(2):
        assert counts(provider.compare()) == {"seen": 1, "unmatched": 1}
        clock.now += timedelta(hours=12)
    with provider.runtime.database.transaction() as tx:
        assert [row.tries for row in tx.session.scalars(select(IntakeEvent))] == [2]
        owner = make_subscriber(tx, document=stranger.document)
        make_subscription(tx, subscriber_id=owner.id, login="joao")
    assert counts(provider.compare()) == {"seen": 1, "created": 1}
    assert provider.mirrors() == {str(bill.id): "OPEN"}


def test_a_row_that_cannot_be_read_closes_nothing(provider: Provider, clock: FakeClock) -> None:
    bill = provider.bill(0)
    provider.compare()
    clock.now += timedelta(hours=12)
    bill.cents = 0
    assert counts(provider.compare()) == {"seen": 1, "refused": 1}
    assert provider.mirrors() == {str(bill.id): "OPEN"}


def test_the_task_of_routines_compares_with_every_source(provider: Provider) -> None:
    provider.bill(0)
    with provider.runtime.database.reading() as tx:
        assert SYNC_TASK.rehearse(tx, {}).counts == {"sources": 1}
    result = SYNC_TASK.run(provider.runtime, ROUTINE, {"source": "HubSoft"})
    assert (result.status, result.detail) == ("running", "HubSoft")
    with provider.runtime.database.reading() as tx:
        job = tx.session.scalars(select(Job.id).where(Job.kind == "intake.sync")).one()
    run_job(provider.runtime, job)
    assert list(provider.mirrors().values()) == ["OPEN"]


def test_a_source_that_pushes_cannot_be_asked(provider: Provider) -> None:
    with provider.runtime.database.transaction() as tx:
        pushed = make_source(tx, "ERP").id
        with pytest.raises(NotAllowed, match="cannot be asked"):
            start_run(tx, source_id=pushed)


def test_a_comparison_is_started_and_seen_over_http(provider: Provider) -> None:
    provider.bill(0)
    client = ApiClient(provider.runtime)
    answer = client.post("/intake/runs", {"billing_source_id": provider.source, "dry_run": True})
    assert (answer.status, answer.content["status"]) == (202, "running")
    with provider.runtime.database.reading() as tx:
        job = tx.session.scalars(select(Job.id).where(Job.kind == "intake.sync")).one()
    run_job(provider.runtime, job)
    shown = client.get(f"/intake/runs/{answer.content['id']}").content
    assert (shown["status"], shown["steps_done"], shown["created"]) == ("done", shown["steps"], 1)
    assert len(shown["differences"]) == 1
    [listed] = client.get("/intake/runs", source_id=provider.source).content["items"]
    assert listed["id"] == shown["id"]
