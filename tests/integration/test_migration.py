"""Migrating to another service: what goes over, what does not, and what RADIUS answers before and after."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import Conflict, InvalidInput, NotAllowed
from core.job_queue import Job
from core.secrets import Secret
from ipam.history import history_of_address
from provisioning.addresses import assign_address
from provisioning.admission import bind_mac, limit_sessions
from provisioning.convergence.steps import steps_for_nas
from provisioning.explain.evaluation import explain
from provisioning.models import Subscription
from provisioning.moves.migration import abandon_migration, start_migration, waiting_migration
from provisioning.pauses import pause, resume
from provisioning.prefixes import give_prefix
from provisioning.prices import price_of
from provisioning.protocols import get_protocol
from provisioning.speed.commands import override_speed
from provisioning.subscriptions import activate, change_credentials, change_price, open_subscription
from provisioning.trust.unblock import grant_trust_unblock
from radius.models import Nas
from radius.nas import add_nas
from radius.policy import Grant
from tests.factories import ANA, make_plan, make_subscription, restrict
from tests.factories_billing import answer_of, download_of, state_of
from tests.factories_ipam import make_subnet
from tests.factories_moves import history_of, holding_of, nothing_held, told_of
from tests.factories_sessions import make_session
from tests.ticking import FakeClock

FIBRE = 900_000_000


def loaded(database: Database, **values: object) -> tuple[int, int]:
    """A subscription with an address, a prefix and limits, and the plan that it is to move to."""
    with database.transaction(ANA) as tx:
        old = make_subscription(tx, active=True, **values).id
        subnet = make_subnet(tx, "100.64.0.0/29")
        assign_address(tx, subscription_id=old, subnet_id=subnet.id)
        give_prefix(tx, subscription_id=old, purpose="route", network="203.0.113.8/29")
        bind_mac(tx, subscription_id=old, mode="pinned", mac="02:00:5e:10:00:01")
        limit_sessions(tx, subscription_id=old, limit=3)
        return old, make_plan(tx, name="Fibre", download_bps=FIBRE, price_cents=14990).id


def test_not_at_once_the_old_one_goes_on_until_the_new_one_is_enabled(database: Database, clock: FakeClock) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        before = holding_of(tx, old)
        new = start_migration(tx, subscription_id=old, plan_id=plan, note="fibre came").id
    with database.reading() as tx:
        assert holding_of(tx, new) == nothing_held("PENDING_MIGRATION")
        assert holding_of(tx, old) == before
        explained = explain(tx, new, tx.now)
        assert explained.state == "PENDING_MIGRATION"
        assert f"awaiting migration from subscription {old}" in [step.finding for step in explained.steps]
    assert download_of(database, old) == 500_000_000
    clock.advance(days=1)
    with database.transaction(ANA) as tx:
        activate(tx, subscription_id=new)
    with database.reading() as tx:
        assert holding_of(tx, new) == before
        assert holding_of(tx, old) == nothing_held("CANCELLED")
        row = tx.session.get_one(Subscription, new)
        assert (row.session_limit, row.mac_binding, row.bound_mac) == (3, "pinned", "02:00:5e:10:00:01")
        assert row.password is not None
    answer = answer_of(database, new)
    assert isinstance(answer, Grant)
    assert (answer.policy.download_bps, str(answer.framed_ip_address)) == (FIBRE, before.address)
    assert [str(route) for route in answer.routes] == ["203.0.113.8/29"]


def test_at_once_it_is_one_step(database: Database) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        before = holding_of(tx, old)
        new = start_migration(tx, subscription_id=old, plan_id=plan, immediate=True).id
    with database.reading() as tx:
        assert holding_of(tx, new) == before
        assert holding_of(tx, old) == nothing_held("CANCELLED")
    assert download_of(database, new) == FIBRE


@pytest.mark.parametrize("immediate", [pytest.param(False, id="later"), pytest.param(True, id="at once")])
@pytest.mark.parametrize(
    ("what", "state"),
    [
        pytest.param("total", "SUSPENDED", id="suspended"),
        pytest.param("partial", "REDUCED", id="reduced"),
        pytest.param("trust", "ACTIVE", id="on trust"),
        pytest.param("pause", "PAUSED", id="paused"),
        pytest.param("", "ACTIVE", id="active"),
    ],
)
def test_the_new_one_is_in_the_state_of_the_old_one(
    database: Database, clock: FakeClock, what: str, state: str, immediate: bool
) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        if what in ("total", "partial", "trust"):
            restrict(tx, old, "total" if what == "trust" else what)
        if what == "trust":
            grant_trust_unblock(tx, subscription_id=old, until=tx.now + timedelta(days=2), note="pays soon")
        if what == "pause":
            pause(tx, subscription_id=old, until=tx.now + timedelta(days=2))
        before = holding_of(tx, old)
        new = start_migration(tx, subscription_id=old, plan_id=plan, immediate=immediate).id
    if not immediate:
        with database.transaction(ANA) as tx:
            activate(tx, subscription_id=new)
    assert state_of(database, new) == before.state == state
    with database.reading() as tx:
        assert holding_of(tx, new) == before
        clock.advance(days=2, seconds=-1)
        assert explain(tx, new, clock()).state == state
        later = {"trust": "SUSPENDED", "pause": "ACTIVE"}.get(what, state)
        assert explain(tx, new, clock() + timedelta(seconds=1)).state == later


def test_what_held_before_is_still_explained(database: Database, clock: FakeClock) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        restrict(tx, old)
    clock.advance(hours=1)
    with database.transaction(ANA) as tx:
        new = start_migration(tx, subscription_id=old, plan_id=plan, immediate=True).id
    with database.reading() as tx:
        hour_ago = tx.now - timedelta(minutes=30)
        assert explain(tx, old, hour_ago).state == "SUSPENDED"
        assert explain(tx, new, hour_ago).state == "PENDING_MIGRATION"
        assert explain(tx, new, tx.now).state == "SUSPENDED"


def test_a_custom_speed_stays_behind_and_that_is_said(database: Database) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        override_speed(tx, subscription_id=old, download_bps=10_000_000, upload_bps=10_000_000)
        new = start_migration(tx, subscription_id=old, plan_id=plan, immediate=True).id
    assert download_of(database, new) == FIBRE
    [entry] = told_of(database, new, "migrated.here")
    assert entry.details["custom_speed"] == "stays behind"


def test_who_had_the_address_when_shows_both(database: Database, clock: FakeClock) -> None:
    old, plan = loaded(database)
    clock.advance(minutes=1)
    with database.transaction(ANA) as tx:
        new = start_migration(tx, subscription_id=old, plan_id=plan, immediate=True).id
        address = holding_of(tx, new).address
    with database.reading() as tx:
        tenures = history_of_address(tx, address)
        assert [tenure.subscription_id for tenure in tenures] == [new, old]
        assert tenures[0].since == tenures[1].until == tx.now
        assert tenures[0].until is None


@pytest.mark.parametrize(
    ("change", "own", "cents"),
    [
        pytest.param(True, None, 14990, id="the new plan's price"),
        pytest.param(True, 5000, 14990, id="the new plan's price, not its own one"),
        pytest.param(False, None, 9990, id="what it paid so far"),
        pytest.param(False, 5000, 5000, id="its own price stays"),
    ],
)
def test_the_price_switch(database: Database, change: bool, own: int | None, cents: int) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        change_price(tx, subscription_id=old, price_cents=own)
        before = price_of(tx.session.get_one(Subscription, old))
        new = start_migration(tx, subscription_id=old, plan_id=plan, immediate=True, change_price=change)
        assert price_of(new) == cents
    [entry] = told_of(database, new.id, "migration.started")
    assert entry.details["change_price"] is change
    assert (entry.details["from_cents"], entry.details["to_cents"]) == (before, cents)


def test_everybody_is_told_and_a_protocol_records_it(database: Database) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        new = start_migration(tx, subscription_id=old, plan_id=plan, immediate=True, note="fibre came")
        owner, number = new.subscriber_id, tx.session.get_one(Subscription, old).protocol
    [away], [here] = told_of(database, old, "migrated.away"), told_of(database, new.id, "migrated.here")
    assert (away.details["to"], here.details["from"]) == (new.id, old)
    assert (away.note, here.note) == ("fibre came", "fibre came")
    assert away.details["protocol"] == number
    assert history_of(database, owner) == ["subscription.migrated"]
    with database.reading() as tx:
        protocol = get_protocol(tx, number)
        assert (protocol.kind, protocol.subscription_id, protocol.details["new"]) == ("migration", old, new.id)
        jobs = tx.session.scalars(select(Job).where(Job.kind.startswith("subscription."))).all()
        assert [(job.kind, job.payload) for job in jobs] == [("subscription.migrated", {"old": old, "new": new.id})]


def test_what_the_waiting_one_was_given_itself_it_keeps(database: Database) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        new = start_migration(tx, subscription_id=old, plan_id=plan).id
        change_credentials(tx, subscription_id=new, login="fibre@isp", password=Secret("s3nha-nova"))
        own = str(assign_address(tx, subscription_id=new, subnet_id=make_subnet(tx, "100.65.0.0/29").id).address)
        activate(tx, subscription_id=new)
        held = holding_of(tx, new)
        assert (held.login, held.address, held.prefixes) == ("fibre@isp", own, ("203.0.113.8/29",))
        assert holding_of(tx, old) == nothing_held("CANCELLED")


def test_a_migration_that_is_abandoned_leaves_the_old_one_alone(database: Database) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        before = holding_of(tx, old)
        new = start_migration(tx, subscription_id=old, plan_id=plan).id
        abandon_migration(tx, subscription_id=new, note="no fibre here")
        assert holding_of(tx, old) == before
        assert holding_of(tx, new) == nothing_held("CANCELLED")
        assert waiting_migration(tx, old) is None
        again = start_migration(tx, subscription_id=old, plan_id=plan).id
        activate(tx, subscription_id=again)
    assert state_of(database, old) == "CANCELLED"
    [entry] = told_of(database, old, "migration.abandoned")
    assert entry.note == "no fibre here"


def test_what_is_refused(database: Database) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        bare = make_subscription(tx, active=False)
        with pytest.raises(NotAllowed, match="switch its plan"):
            start_migration(tx, subscription_id=bare.id, plan_id=plan)
        with pytest.raises(InvalidInput, match="another plan"):
            start_migration(tx, subscription_id=old, plan_id=tx.session.get_one(Subscription, old).plan_id)
        with pytest.raises(NotAllowed, match="awaits no migration"):
            abandon_migration(tx, subscription_id=old)
        new = start_migration(tx, subscription_id=old, plan_id=plan).id
        with pytest.raises(Conflict, match=f"subscription {new} .* waits"):
            start_migration(tx, subscription_id=old, plan_id=plan)
        activate(tx, subscription_id=new)
        with pytest.raises(NotAllowed, match="cancelled"):
            start_migration(tx, subscription_id=old, plan_id=plan)
        with pytest.raises(NotAllowed, match="was installed"):
            activate(tx, subscription_id=new)


def test_the_login_stays_taken(database: Database) -> None:
    old, plan = loaded(database, login="maria@isp", password=Secret("s3nha-longa"))
    with database.transaction(ANA) as tx:
        new = start_migration(tx, subscription_id=old, plan_id=plan, immediate=True)
        with pytest.raises(Conflict, match=f"belongs to subscription {new.id}"):
            open_subscription(
                tx, subscriber_id=new.subscriber_id, plan_id=plan, login="maria@isp", password=Secret("another-one")
            )


@pytest.mark.parametrize("echoed", [pytest.param(True, id="Class echoed"), pytest.param(False, id="no Class")])
def test_a_live_session_of_the_old_one_is_ended(database: Database, echoed: bool) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        nas = add_nas(tx, name="bras-1", network="192.0.2.1/32", secret="s3cret-of-the-nas")
        policy = tx.session.get_one(Subscription, old, populate_existing=True).desired_fingerprint
        make_session(tx, nas_id=nas.id, subscription_id=old, granted_fingerprint=policy if echoed else "")
        start_migration(tx, subscription_id=old, plan_id=plan, immediate=True)
        key = str(nas.id)
    with database.reading() as tx:
        assert tx.session.scalars(select(Job.key).where(Job.kind == "converge")).all() == [key]
        [step] = steps_for_nas(tx, tx.session.get_one(Nas, int(key)))
        assert (step.subscription_id, type(step.action).__name__) == (old, "EndSession")


def test_a_pause_that_went_over_is_ended_at_the_new_one(database: Database) -> None:
    old, plan = loaded(database)
    with database.transaction(ANA) as tx:
        pause(tx, subscription_id=old)
        new = start_migration(tx, subscription_id=old, plan_id=plan, immediate=True).id
        resume(tx, subscription_id=new)
    assert state_of(database, new) == "ACTIVE"
