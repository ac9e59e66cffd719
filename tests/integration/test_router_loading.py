"""What a plan is told of whom a router serves, and of the router."""

from __future__ import annotations

from typing import Any

from core.database import Database
from provisioning.admission import bind_mac
from provisioning.cancellation import cancel
from provisioning.models import Subscription
from provisioning.pauses import pause
from provisioning.routeros.models import Router
from provisioning.routeros.rows import Access, SpeedBy
from provisioning.routeros.services.commands import stop_serving
from provisioning.routeros.services.loading import load_served, rules_of
from provisioning.warnings.commands import warn
from radius.policy import Denial, Grant
from tests.factories import restrict
from tests.factories_routers import make_homes, make_router, make_served, service_of
from tests.ticking import FakeClock

LINE = "02:00:5e:10:00:01"


def test_what_a_plan_is_told(database: Database) -> None:
    with database.transaction() as tx:
        router, subnet = make_router(tx), make_homes(tx)
        wanted = {
            state: make_served(tx, router, subnet=subnet).id
            for state in (*("ACTIVE", "REDUCED", "SUSPENDED", "PAUSED", "CANCELLED"),)
        }
        restrict(tx, wanted["REDUCED"], "partial")
        restrict(tx, wanted["SUSPENDED"])
        pause(tx, subscription_id=wanted["PAUSED"])
        cancel(tx, subscription_id=wanted["CANCELLED"])
        bind_mac(tx, subscription_id=wanted["ACTIVE"], mode="pinned", mac=LINE)
        warn(tx, subscription_id=wanted["ACTIVE"], cause="late")
        waits = make_served(tx, router, active=False).id
    with database.reading() as tx:
        found = {served.subscription_id: served for served in load_served(tx, router)}
        assert list(found) == sorted([*wanted.values(), waits])
        for state, key in wanted.items():
            login = tx.session.get_one(Subscription, key).login
            password = tx.session.get_one(Subscription, key).password
            assert (found[key].state, found[key].login, found[key].access) == (state, login, Access.PPP)
            revealed = "" if state == "CANCELLED" else password and password.reveal()
            assert found[key].password == revealed
        active = found[wanted["ACTIVE"]]
        assert isinstance(active.answer, Grant)
        assert str(active.answer.framed_ip_address) == "100.64.0.1"
        assert (active.warned, active.bound_mac, active.removed) == (True, LINE, False)
        assert [served.warned for served in found.values()].count(True) == 1
        assert isinstance(found[waits].answer, Denial)
        lists = {state: answer_list(found[key].answer) for state, key in wanted.items()}
        suspended, paused = tx.settings.suspended_address_list, tx.settings.paused_address_list
        assert (lists["SUSPENDED"], lists["PAUSED"], lists["ACTIVE"]) == (suspended, paused, "")
        assert active.password not in repr(active)


def answer_list(answer: Grant | Denial) -> str:
    return answer.policy.address_list if isinstance(answer, Grant) else "-"


def test_passwords_are_opened_for_secrets_alone(database: Database) -> None:
    with database.transaction() as tx:
        router = make_router(tx)
        keys = {access: make_served(tx, router, access).id for access in Access}
        gone = make_served(tx, router).id
        stop_serving(tx, router=router.id, subscription_id=gone)
    with database.reading() as tx:
        found = {served.subscription_id: served for served in load_served(tx, router)}
        assert {access for access, key in keys.items() if found[key].password} == {Access.PPP}
        assert (found[gone].removed, found[gone].password) == (True, "")
        assert found[keys[Access.DHCP]].mac != ""


def test_some_of_a_router(database: Database) -> None:
    with database.transaction() as tx:
        router, other = make_router(tx), make_router(tx)
        mine, _, elsewhere = make_served(tx, router), make_served(tx, router), make_served(tx, other)
    with database.reading() as tx:
        assert [served.subscription_id for served in load_served(tx, router, [mine.id, elsewhere.id])] == [mine.id]
        assert load_served(tx, router, []) == load_served(tx, router, [elsewhere.id]) == []


def test_the_rules_of_a_router(database: Database) -> None:
    garden: dict[str, Any] = {"portal": "192.0.2.20", "allow": ["pix.bank.example"], "dns": False}
    values = {"ppp_service": "any", "ppp_local_address": "10.255.0.1", "dhcp_server": "d", "hotspot_server": "h"}
    lists = {"reduced_list": "late", "warned_list": "soon", "dhcpv6_server": "v6"}
    with database.transaction() as tx:
        router = make_router(tx, **values, **lists, garden=garden, speed_by="queue-tree", manages=["queues", "ppp"])
        rules = rules_of(tx.session.get_one(Router, router.id), tx.settings)
        assert (rules.speed_by, rules.manages) == (SpeedBy.QUEUE_TREE, frozenset({"ppp", "queues"}))
        assert {name: getattr(rules, name) for name in {**values, **lists}} == {**values, **lists}
        assert (rules.suspended_list, rules.paused_list) == ("catraca-suspended", "catraca-paused")
        assert rules.garden is not None
        assert (rules.garden.portal, rules.garden.portal_port, rules.garden.allow, rules.garden.dns) == (
            "192.0.2.20", 80, ("pix.bank.example",), False,
        )  # fmt: skip
        assert rules_of(make_router(tx), tx.settings).garden is None


def test_a_cancelled_one_stays_to_be_cleaned_up(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        router = make_router(tx)
        subscription, bystander = make_served(tx, router), make_served(tx, router)
        cancel(tx, subscription_id=subscription.id)
        assert service_of(tx, router.id, subscription.id).removed_at == clock.now
        assert service_of(tx, router.id, bystander.id).removed_at is None
        gone, _ = load_served(tx, router)
        assert isinstance(gone.answer, Denial)
        assert gone.removed
