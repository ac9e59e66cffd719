"""Commands on subscriptions: what they refuse, what they write, what follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from core.audit import AuditEntry
from core.database import Database, Transaction
from core.errors import CatracaError, InvalidInput, NotAllowed, NotFound
from core.job_queue import Job
from core.runtime import Runtime
from ipam.folders import add_folder
from ipam.lookup import fixed_address_of
from ipam.subnets import add_subnet
from provisioning.addresses import assign_address
from provisioning.cancellation import cancel
from provisioning.debts import record_debt
from provisioning.jobs import apply_service_changes
from provisioning.models import Subscription, TimelineEntry
from provisioning.orders import order_restriction
from provisioning.pauses import pause, resume
from provisioning.protocols import get_protocol
from provisioning.speed.commands import end_speed_override, override_speed
from provisioning.trust.unblock import end_trust_unblock, grant_trust_unblock
from radius.models import ReplicaEntry
from radius.policy import Denial, Grant
from radius.records import AccessRecord, login_key, unpack
from tests.factories import ANA, make_subscription, restrict
from tests.ticking import FakeClock


def state_of(database: Database, subscription_id: int) -> str:
    with database.reading() as tx:
        return tx.session.get_one(Subscription, subscription_id).state


def record_of(database: Database, login: str) -> AccessRecord | None:
    """The access record as RADIUS hosts get it, opened with our keys."""
    with database.reading() as tx:
        entries = {e.key: e.value for e in tx.session.scalars(select(ReplicaEntry)) if e.value is not None}
    key = login_key(login.encode())
    return unpack(key, entries, database.keyring.unseal) if key in entries else None


def new_subscription(database: Database, *, active: bool = True, **values: object) -> tuple[int, str]:
    with database.transaction(ANA) as tx:
        subscription = make_subscription(tx, active=active, **values)
        return subscription.id, subscription.login or ""


def test_opening_and_installing(database: Database) -> None:
    subscription_id, login = new_subscription(database, active=False)
    record = record_of(database, login)
    assert record is not None
    assert record.spans[0].answer == Denial("pending_install")
    with database.transaction(ANA) as tx:
        from provisioning.subscriptions import activate

        activate(tx, subscription_id=subscription_id)
    record = record_of(database, login)
    assert record is not None
    assert isinstance(record.spans[0].answer, Grant)
    assert record.spans[0].answer.policy.download_bps == 500_000_000
    assert state_of(database, subscription_id) == "ACTIVE"


def test_trust_unblock_ends_by_itself_in_record_and_state(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    subscription_id, login = new_subscription(database)
    with database.transaction(ANA) as tx:
        restrict(tx, subscription_id)
    assert state_of(database, subscription_id) == "SUSPENDED"
    with database.transaction(ANA) as tx:
        grant_trust_unblock(tx, subscription_id=subscription_id, until=tx.now + timedelta(days=2), note="pays Friday")
    assert state_of(database, subscription_id) == "ACTIVE"
    record = record_of(database, login)
    assert record is not None
    lists = [span.answer.policy.address_list for span in record.spans if isinstance(span.answer, Grant)]
    assert lists == ["", "catraca-suspended"]
    clock.advance(days=2)
    apply_service_changes(runtime)
    assert state_of(database, subscription_id) == "SUSPENDED"
    with database.reading() as tx:
        entry = tx.session.scalars(select(TimelineEntry).order_by(TimelineEntry.id.desc())).first()
        assert entry is not None
        assert (entry.event, entry.state_before, entry.state_after) == ("state.changed", "ACTIVE", "SUSPENDED")


def test_payment_under_trust_stays_active(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    subscription_id, _ = new_subscription(database)
    with database.transaction(ANA) as tx:
        order = restrict(tx, subscription_id)
        grant_trust_unblock(tx, subscription_id=subscription_id, until=tx.now + timedelta(days=2), note="pays Friday")
    clock.advance(days=1)
    with database.transaction(ANA) as tx:
        lapsed = record_debt(tx, subscription_id=subscription_id, invoice_id=4711, due_on=tx.now.date(), open_cents=0)
        assert [row.id for row in lapsed] == [order.id]
    clock.advance(days=5)
    apply_service_changes(runtime)
    assert state_of(database, subscription_id) == "ACTIVE"


def test_a_reversed_payment_does_not_bring_the_order_back(database: Database) -> None:
    subscription_id, _ = new_subscription(database)
    with database.transaction(ANA) as tx:
        restrict(tx, subscription_id)
    for cents in (0, 9990):
        with database.transaction(ANA) as tx:
            record_debt(tx, subscription_id=subscription_id, invoice_id=4711, due_on=tx.now.date(), open_cents=cents)
    assert state_of(database, subscription_id) == "ACTIVE"


def test_partial_payment_above_the_minimum_keeps_the_order(database: Database) -> None:
    subscription_id, _ = new_subscription(database)
    with database.transaction(ANA) as tx:
        record_debt(tx, subscription_id=subscription_id, invoice_id=1, due_on=tx.now.date(), open_cents=9990)
        order_restriction(
            tx, subscription_id=subscription_id, level="partial", invoice_ids=[1], minimum_open_cents=1000
        )
    for cents, state in ((1000, "REDUCED"), (999, "ACTIVE")):
        with database.transaction(ANA) as tx:
            record_debt(tx, subscription_id=subscription_id, invoice_id=1, due_on=tx.now.date(), open_cents=cents)
        assert state_of(database, subscription_id) == state


def test_pause_and_resume(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    subscription_id, _ = new_subscription(database)
    with database.transaction(ANA) as tx:
        pause(tx, subscription_id=subscription_id, until=tx.now + timedelta(days=30), note="travelling")
    assert state_of(database, subscription_id) == "PAUSED"
    clock.advance(days=30)
    apply_service_changes(runtime)
    assert state_of(database, subscription_id) == "ACTIVE"
    with database.transaction(ANA) as tx:
        pause(tx, subscription_id=subscription_id, note="again")
    with database.transaction(ANA) as tx:
        resume(tx, subscription_id=subscription_id, note="back early")
    assert state_of(database, subscription_id) == "ACTIVE"


def test_a_second_custom_speed_replaces_the_first(database: Database) -> None:
    subscription_id, login = new_subscription(database)
    for bps in (10_000_000, 20_000_000):
        with database.transaction(ANA) as tx:
            override_speed(tx, subscription_id=subscription_id, download_bps=bps, upload_bps=bps)
        record = record_of(database, login)
        assert record is not None
        assert isinstance(record.spans[0].answer, Grant)
        assert record.spans[0].answer.policy.download_bps == bps
    with database.transaction(ANA) as tx:
        end_speed_override(tx, subscription_id=subscription_id)
    record = record_of(database, login)
    assert record is not None
    assert isinstance(record.spans[0].answer, Grant)
    assert record.spans[0].answer.policy.download_bps == 500_000_000


def test_cancelling_withdraws_record_and_address_and_tells_billing(database: Database) -> None:
    subscription_id, login = new_subscription(database)
    with database.transaction(ANA) as tx:
        subnet = add_subnet(tx, folder_id=add_folder(tx, name="POP").id, cidr="192.0.2.0/24", name="fixed")
        assign_address(tx, subscription_id=subscription_id, subnet_id=subnet.id)
    with database.transaction(ANA) as tx:
        row = cancel(tx, subscription_id=subscription_id, note="moved away")
        assert get_protocol(tx, row.protocol).subscription_id == subscription_id
    assert record_of(database, login) is None
    with database.reading() as tx:
        assert fixed_address_of(tx, subscription_id) is None
        job = tx.session.scalar(select(Job).where(Job.kind == "subscription.cancelled"))
        assert job is not None
        assert job.payload["subscription_id"] == subscription_id
    again, _ = new_subscription(database, login=login)
    assert again != subscription_id
    assert record_of(database, login) is not None


Command = Callable[[Transaction, int], object]
REFUSALS: dict[str, tuple[Command, type[CatracaError]]] = {
    "trust for an active one": (
        lambda tx, i: grant_trust_unblock(tx, subscription_id=i, until=tx.now + timedelta(days=1), note="x"),
        NotAllowed,
    ),
    "ending a trust that is not": (lambda tx, i: end_trust_unblock(tx, subscription_id=i), NotAllowed),
    "resuming what runs": (lambda tx, i: resume(tx, subscription_id=i), NotAllowed),
    "ending a speed that is not": (lambda tx, i: end_speed_override(tx, subscription_id=i), NotAllowed),
    "a pause into the past": (lambda tx, i: pause(tx, subscription_id=i, until=tx.now), InvalidInput),
    "a speed of nothing": (
        lambda tx, i: override_speed(tx, subscription_id=i, download_bps=0, upload_bps=1_000_000),
        InvalidInput,
    ),
    "an order without a debt": (
        lambda tx, i: order_restriction(tx, subscription_id=i, level="total", invoice_ids=[1]),
        NotAllowed,
    ),
    "nobody": (lambda tx, i: cancel(tx, subscription_id=i + 999), NotFound),
}


@pytest.mark.parametrize(("command", "error"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refusals_write_nothing(database: Database, command: Command, error: type[CatracaError]) -> None:
    subscription_id, _ = new_subscription(database)
    before = _counts(database)
    with pytest.raises(error), database.transaction(ANA) as tx:
        command(tx, subscription_id)
    assert _counts(database) == before


TRUST_INPUT = {
    "no note": (timedelta(days=1), "  ", "note"),
    "in the past": (timedelta(seconds=0), "pays", "until"),
    "too long": (timedelta(days=11), "pays", "until"),
}


@pytest.mark.parametrize(("ahead", "note", "field"), TRUST_INPUT.values(), ids=TRUST_INPUT.keys())
def test_trust_needs_an_end_and_a_note(database: Database, ahead: timedelta, note: str, field: str) -> None:
    subscription_id, _ = new_subscription(database)
    with database.transaction(ANA) as tx:
        restrict(tx, subscription_id)
    with pytest.raises(InvalidInput) as caught, database.transaction(ANA) as tx:
        grant_trust_unblock(tx, subscription_id=subscription_id, until=tx.now + ahead, note=note)
    assert caught.value.field == field


def test_a_cancelled_subscription_takes_no_more_changes(database: Database) -> None:
    subscription_id, _ = new_subscription(database)
    with database.transaction(ANA) as tx:
        cancel(tx, subscription_id=subscription_id)
    with pytest.raises(NotAllowed, match="was cancelled"), database.transaction(ANA) as tx:
        pause(tx, subscription_id=subscription_id)


def test_ordering_twice_restricts_once(database: Database) -> None:
    subscription_id, _ = new_subscription(database)
    ids = set()
    for _ in range(2):
        with database.transaction(ANA) as tx:
            ids.add(restrict(tx, subscription_id).id)
    assert len(ids) == 1


def _counts(database: Database) -> list[int]:
    tables = (TimelineEntry, AuditEntry, Job, ReplicaEntry)
    with database.reading() as tx:
        return [tx.session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]
