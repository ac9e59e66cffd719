"""Which router serves whom: serving, stopping, many at once; what changes reach it; what a plan is told of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

import provisioning.jobs  # noqa: F401  (its handlers)
from core.audit import AuditEntry
from core.database import Database, Transaction
from core.errors import CatracaError, Conflict, InvalidInput, NotAllowed, NotFound
from core.runtime import Runtime
from core.secrets import Secret
from provisioning.addresses import assign_address, release_address
from provisioning.admission import bind_mac
from provisioning.cancellation import cancel
from provisioning.debts import record_debt
from provisioning.facts import ServiceState
from provisioning.models import TimelineEntry
from provisioning.moves.migration import start_migration
from provisioning.moves.transfer import transfer
from provisioning.pauses import pause, resume
from provisioning.plans import change_plan
from provisioning.prefixes import give_prefix, withdraw_prefix
from provisioning.routeros.models import RouterConvergence
from provisioning.routeros.rows import Access
from provisioning.routeros.services.commands import preview_serve_many, serve, serve_many, stop_serving
from provisioning.routeros.services.listing import lines_of_router, lines_of_subscription
from provisioning.routeros.services.loading import load_served
from provisioning.speed.commands import end_speed_override, override_speed
from provisioning.subscriptions import activate, change_credentials, switch_plan
from provisioning.warnings.commands import unwarn, warn
from radius.policy import Denial
from tests.factories import ANA, make_plan, make_subscriber, make_subscription, restrict
from tests.factories_moves import follow_up
from tests.factories_routers import make_homes, make_router, make_served, service_of, settle, touched_at, waiting
from tests.ticking import FakeClock

LINE = "02:00:5e:10:00:01"


def told(tx: Transaction, subscription_id: int, event: str) -> list[dict[str, Any]]:
    query = select(TimelineEntry.details).where(
        TimelineEntry.subscription_id == subscription_id, TimelineEntry.event == event
    )
    return list(tx.session.scalars(query.order_by(TimelineEntry.id)))


def audits(tx: Transaction, action: str) -> int:
    return len(tx.session.scalars(select(AuditEntry).where(AuditEntry.action == action)).all())


def test_a_subscription_is_served_then_otherwise_then_no_more(database: Database, clock: FakeClock) -> None:
    with database.transaction(ANA) as tx:
        router, subscription = make_router(tx), make_subscription(tx)
        given: dict[str, Any] = {"router": router.name, "subscription_id": subscription.id}
        made = serve(tx, **given, access="ppp", note="the new tower")
        assert (made.access, made.created_at, made.touched_at, made.removed_at) == ("ppp", clock.now, clock.now, None)
    with database.transaction(ANA) as tx:
        assert waiting(tx) == {str(router.id)}
        settle(tx)
    with database.transaction(ANA) as tx:
        assert serve(tx, **given, access="ppp").touched_at is None
        assert serve(tx, **given, access="dhcp", dhcp_server="dhcp1", duid="00-03").touched_at == clock.now
        stopped = stop_serving(tx, **given)
        assert (stopped.removed_at, stopped.touched_at) == (clock.now, clock.now)
        with pytest.raises(NotAllowed, match="does not serve"):
            stop_serving(tx, **given)
        assert serve(tx, **given, access="static").removed_at is None
        plain = {"dhcp_server": "", "duid": ""}
        here = {"router": router.name}
        dhcp = {**here, "access": "dhcp", "dhcp_server": "dhcp1", "duid": "0x0003"}
        assert told(tx, subscription.id, "router.served") == [
            {**here, **plain, "access": "ppp"}, dhcp, {**here, **plain, "access": "static"},
        ]  # fmt: skip
        assert told(tx, subscription.id, "router.left") == [dhcp]
        assert (audits(tx, "serve"), audits(tx, "stop-serving")) == (3, 1)
    with database.reading() as tx:
        assert waiting(tx) == {str(router.id)}


REFUSED: dict[str, tuple[str, type[CatracaError], str]] = {
    "cancelled": ("ppp", NotAllowed, "was cancelled"),
    "no login": ("ppp", NotAllowed, "without a login"),
    "no such access": ("pppoe", InvalidInput, "access"),
    "nobody": ("ppp", NotFound, "subscription"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_never_be_held_is_refused(database: Database, case: str) -> None:
    access, error, words = REFUSED[case]
    with database.transaction() as tx:
        router = make_router(tx)
        values: dict[str, Any] = {"login": "", "password": None, "mac": LINE} if case == "no login" else {}
        key = 10**6 if case == "nobody" else make_subscription(tx, **values).id
        if case == "cancelled":
            cancel(tx, subscription_id=key)
        with pytest.raises(error, match=words):
            serve(tx, router=router.id, subscription_id=key, access=access)


@pytest.mark.parametrize("access", list(Access))
def test_facts_may_come_later(database: Database, access: Access) -> None:
    with database.transaction() as tx:
        router = make_router(tx)
        assert serve(tx, router=router.id, subscription_id=make_subscription(tx).id, access=access).access == access


def test_many_at_once(database: Database, clock: FakeClock) -> None:
    with database.transaction(ANA) as tx:
        router, other = make_router(tx), make_router(tx)
        itu = make_subscriber(tx, city="Itu")
        plan = make_plan(tx)
        free = [make_subscription(tx, plan_id=plan.id).id for _ in range(2)]
        line = make_subscription(tx, login="", password=None, mac=LINE, plan_id=plan.id).id
        here, there = make_served(tx, router, plan_id=plan.id).id, make_served(tx, other, plan_id=plan.id).id
        left = make_served(tx, router, subscriber_id=itu.id).id
        stop_serving(tx, router=router.id, subscription_id=left)
        gone = make_subscription(tx, plan_id=plan.id).id
        cancel(tx, subscription_id=gone)
    with database.transaction(ANA) as tx:
        settle(tx)
        every: dict[str, Any] = {"router": router.id, "access": "ppp", "plan_id": plan.id}
        seen = preview_serve_many(tx, **every)
        assert (seen.total, seen.to_serve, seen.already, seen.elsewhere) == (5, 3, 1, 1)
        assert seen.refused == {"without a login, which ppp needs": 1}
        assert preview_serve_many(tx, **every, unplaced=True).to_serve == 2
        assert preview_serve_many(tx, router=router.id, access="ppp", city="itu").to_serve == 1
        named = preview_serve_many(tx, router=router.id, access="static", subscription_ids=[gone, line, here])
        assert (named.to_serve, named.already, named.refused) == (1, 1, {"cancelled": 1})
        with pytest.raises(Conflict, match="3 subscriptions would be served, not 4"):
            serve_many(tx, **every, expected=4)
        assert serve_many(tx, **every, expected=3, note="tower 7") == seen
        assert serve_many(tx, router=router.id, access="ppp", city="Itu", expected=1).to_serve == 1
    with database.reading() as tx:
        assert waiting(tx) == {str(router.id)}
        live = [row.subscription_id for row in lines_of_router(tx, router)]
        assert live == sorted([*free, here, there, left])
        assert {key: touched_at(tx, router.id, key) for key in live} == {
            key: None if key == here else clock.now for key in live
        }
        assert told(tx, free[0], "router.served")[0]["note"] == "tower 7"
        assert service_of(tx, router.id, left).removed_at is None
        assert preview_serve_many(tx, router=router.id, access="ppp", unplaced=True).to_serve == 0
        with pytest.raises(NotFound):
            preview_serve_many(tx, router=router.id, access="ppp", plan_id=10**6)


def test_lists_tell_how_it_goes(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        router, other = make_router(tx, name="borda-1"), make_router(tx, name="borda-2")
        first, second = make_served(tx, router), make_served(tx, router, "static")
        serve(tx, router=other.id, subscription_id=first.id, access="ppp")
        stop_serving(tx, router=router.id, subscription_id=first.id)
        tx.session.add(
            RouterConvergence(router_id=router.id, subscription_id=second.id, differs_since=tx.now, why="no address")
        )
    with database.reading() as tx:
        one, two = lines_of_router(tx, router)
        assert (one.subscription_id, one.login, one.removed_at, one.why) == (first.id, first.login, clock.now, "")
        assert (two.access, two.differs_since, two.why, two.state) == ("static", clock.now, "no address", "ACTIVE")
        assert (one.advice, two.advice) == ([], ["it needs a fixed address: the subscription has none yet"])
        assert [line.router_name for line in lines_of_subscription(tx, first.id)] == ["borda-1", "borda-2"]
        assert [line.subscription_id for line in lines_of_router(tx, router, after=first.id)] == [second.id]
        with pytest.raises(NotFound):
            lines_of_subscription(tx, 10**6)


Change = Callable[[Transaction, int], object]
CHANGES: dict[str, Change] = {
    "password": lambda tx, key: change_credentials(tx, subscription_id=key, password=Secret("another")),
    "login": lambda tx, key: change_credentials(tx, subscription_id=key, login="maria@x"),
    "MAC": lambda tx, key: change_credentials(tx, subscription_id=key, mac=LINE),
    "fixed address": lambda tx, key: assign_address(tx, subscription_id=key, subnet_id=make_homes(tx).id),
    "route": lambda tx, key: give_prefix(tx, subscription_id=key, purpose="route", network="203.0.113.8/29"),
    "delegated": lambda tx, key: give_prefix(tx, subscription_id=key, purpose="delegated", network="2001:db8:7::/56"),
    "plan": lambda tx, key: switch_plan(tx, subscription_id=key, plan_id=make_plan(tx, download_bps=10**7).id),
    "suspended": lambda tx, key: restrict(tx, key),
    "reduced": lambda tx, key: restrict(tx, key, "partial"),
    "paused": lambda tx, key: pause(tx, subscription_id=key),
    "custom speed": lambda tx, key: override_speed(
        tx, subscription_id=key, download_bps=10**7, upload_bps=10**7, until=None
    ),
    "MAC binding": lambda tx, key: bind_mac(tx, subscription_id=key, mode="pinned", mac=LINE),
    "warning": lambda tx, key: warn(tx, subscription_id=key, cause="late"),
    "cancelled": lambda tx, key: cancel(tx, subscription_id=key),
}


ENDS: dict[str, Change] = {
    "fixed address": lambda tx, key: release_address(tx, subscription_id=key),
    "route": lambda tx, key: withdraw_prefix(tx, subscription_id=key, network="203.0.113.8/29"),
    "suspended": lambda tx, key: record_debt(
        tx, subscription_id=key, invoice_id=4711, due_on=tx.now.date(), open_cents=0
    ),
    "paused": lambda tx, key: resume(tx, subscription_id=key),
    "custom speed": lambda tx, key: end_speed_override(tx, subscription_id=key),
    "MAC binding": lambda tx, key: bind_mac(tx, subscription_id=key, mode="off"),
    "warning": lambda tx, key: unwarn(tx, subscription_id=key),
}


def test_a_changed_fact_reaches_the_router_and_so_does_its_end(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        router = make_router(tx)
        keys, bystander = {change: make_served(tx, router).id for change in CHANGES}, make_served(tx, router).id
    for changes in (CHANGES, ENDS):
        with database.transaction() as tx:
            settle(tx)
        clock.now += timedelta(minutes=1)
        with database.transaction() as tx:
            for change, carry_out in changes.items():
                carry_out(tx, keys[change])
        with database.reading() as tx:
            reached = {change for change, key in keys.items() if touched_at(tx, router.id, key) == clock.now}
            assert reached == set(changes)
            assert (touched_at(tx, router.id, bystander), waiting(tx)) == (None, {str(router.id)})


def test_a_changed_plan_reaches_the_router(database: Database, runtime: Runtime) -> None:
    with database.transaction() as tx:
        router = make_router(tx)
        subscription, bystander = make_served(tx, router), make_served(tx, router)
    with database.transaction() as tx:
        settle(tx)
        change_plan(tx, plan_id=subscription.plan_id, address_list="casa")
    assert follow_up(runtime, "plan.changed") == ["Applied"]
    with database.reading() as tx:
        assert touched_at(tx, router.id, subscription.id) is not None
        assert (touched_at(tx, router.id, bystander.id), waiting(tx)) == (None, {str(router.id)})


def test_another_owner_changes_nothing_at_the_router(database: Database) -> None:
    with database.transaction() as tx:
        router = make_router(tx)
        subscription, late = make_served(tx, router), make_served(tx, router)
        restrict(tx, late.id)
    with database.transaction() as tx:
        settle(tx)
        transfer(tx, subscription_id=subscription.id, subscriber_id=make_subscriber(tx).id)
        transfer(tx, subscription_id=late.id, subscriber_id=make_subscriber(tx).id, debts="stay")
    with database.reading() as tx:
        assert touched_at(tx, router.id, subscription.id) is None
        assert touched_at(tx, router.id, late.id) is not None  # what suspended it stayed behind


def test_a_migration_hands_services_on(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        router, other = make_router(tx, name="borda-1"), make_router(tx, name="borda-2")
        old = make_served(tx, router, "dhcp", dhcp_server="dhcp1", duid="0x0003")
        serve(tx, router=other.id, subscription_id=old.id, access="ppp")
        stop_serving(tx, router=other.id, subscription_id=old.id)
        new = start_migration(tx, subscription_id=old.id, plan_id=make_plan(tx).id)
    with database.transaction() as tx:
        settle(tx)
        assert load_served(tx, router)[0].subscription_id == old.id
        activate(tx, subscription_id=new.id)
    with database.reading() as tx:
        before, after = load_served(tx, router)
        assert (before.state, after.state, after.login) == (ServiceState.CANCELLED, ServiceState.ACTIVE, old.login)
        assert isinstance(before.answer, Denial)
        assert (before.removed, after.removed) == (True, False)
        assert (after.access, after.dhcp_server, after.duid, after.mac) == (Access.DHCP, "dhcp1", "0x0003", old.mac)
        assert {touched_at(tx, router.id, key) for key in (old.id, new.id)} == {clock.now}
        assert [line.router_name for line in lines_of_subscription(tx, new.id)] == ["borda-1"]
        assert told(tx, new.id, "migrated.here")[0]["routers"] == ["borda-1"]
        assert waiting(tx) == {str(router.id), str(other.id)}


def test_a_migration_leaves_services_of_its_own_alone(database: Database) -> None:
    with database.transaction() as tx:
        router, other = make_router(tx), make_router(tx)
        old = make_served(tx, router)
        new = start_migration(tx, subscription_id=old.id, plan_id=make_plan(tx).id)
        serve(tx, router=other.id, subscription_id=new.id, access="static")
        activate(tx, subscription_id=new.id)
        assert [line.router_id for line in lines_of_subscription(tx, new.id)] == [other.id]
        assert told(tx, new.id, "migrated.here")[0]["routers"] == "its own"
