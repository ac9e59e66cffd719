"""Every action that can be scheduled: what it does, and which arguments are refused when it is scheduled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.database import Database, Transaction
from core.errors import InvalidInput, NotFound
from core.runtime import Runtime
from ipam.folders import add_folder
from ipam.lookup import fixed_address_of
from ipam.subnets import add_subnet
from provisioning.addresses import assign_address
from provisioning.admission import bind_mac
from provisioning.models import Subscription
from provisioning.pauses import pause
from provisioning.scheduled.actions import ACTIONS, register_action
from provisioning.speed.commands import override_speed
from provisioning.trust.unblock import grant_trust_unblock
from tests.factories import make_plan, make_subscription, restrict
from tests.factories_changes import change_in, make_change, subscription_in
from tests.factories_routines import carry_out
from tests.ticking import FakeClock

DUE = datetime(2026, 3, 10, 12, tzinfo=UTC)
AFTER = DUE + timedelta(days=5)
INVOICE = 4711


def subnet(tx: Transaction) -> int:
    return add_subnet(tx, folder_id=add_folder(tx, name="POP 1").id, name="Homes", cidr="100.64.0.0/29").id


def nothing(_tx: Transaction, _subscription: Subscription) -> dict[str, Any]:
    return {}


def paused(tx: Transaction, subscription: Subscription) -> dict[str, Any]:
    pause(tx, subscription_id=subscription.id, note="travelling")
    return {}


def restricted(tx: Transaction, subscription: Subscription) -> dict[str, Any]:
    restrict(tx, subscription.id)
    return {"until": AFTER.isoformat()}


def trusted(tx: Transaction, subscription: Subscription) -> dict[str, Any]:
    restrict(tx, subscription.id)
    grant_trust_unblock(tx, subscription_id=subscription.id, until=tx.now + timedelta(days=9), note="will pay")
    return {}


def faster(tx: Transaction, subscription: Subscription) -> dict[str, Any]:
    override_speed(tx, subscription_id=subscription.id, download_bps=10**9, upload_bps=10**9)
    return {}


def owing(tx: Transaction, subscription: Subscription) -> dict[str, Any]:
    restrict(tx, subscription.id, "partial", INVOICE)
    return {"level": "total", "invoice_ids": [INVOICE], "minimum_open_cents": 100}


def addressed(tx: Transaction, subscription: Subscription) -> dict[str, Any]:
    assign_address(tx, subscription_id=subscription.id, subnet_id=subnet(tx))
    return {}


def bound(tx: Transaction, subscription: Subscription) -> dict[str, Any]:
    bind_mac(tx, subscription_id=subscription.id, mode="pinned", mac="02:00:5e:10:00:01")
    return {}


def address(database: Database, key: int) -> str | None:
    with database.reading() as tx:
        found = fixed_address_of(tx, key)
        return None if found is None else str(found)


Given = Callable[[Transaction, Subscription], dict[str, Any]]


@pytest.mark.parametrize(
    ("action", "given", "result"),
    [
        pytest.param("resume", paused, "state ACTIVE", id="resume"),
        pytest.param("pause", nothing, "state PAUSED", id="pause"),
        pytest.param("cancel", lambda *_: {"cancel_open_invoices": False}, "state CANCELLED", id="cancel"),
        pytest.param("switch-plan", lambda tx, _: {"plan_id": make_plan(tx).id}, "state ACTIVE", id="switch-plan"),
        pytest.param("trust-unblock", restricted, "state ACTIVE", id="trust-unblock"),
        pytest.param("end-trust-unblock", trusted, "state SUSPENDED", id="end-trust-unblock"),
        pytest.param(
            "override-speed", lambda *_: {"download_bps": "600M", "upload_bps": 300_000_000}, "state ACTIVE",
            id="override-speed",
        ),
        pytest.param("end-speed-override", faster, "state ACTIVE", id="end-speed-override"),
        pytest.param(
            "assign-address", lambda tx, _: {"subnet_id": subnet(tx), "address": "100.64.0.3"}, "given 100.64.0.3",
            id="assign-address",
        ),
        pytest.param("release-address", addressed, "released 100.64.0.1", id="release-address"),
        pytest.param("limit-sessions", lambda *_: {"limit": 3}, "state ACTIVE", id="limit-sessions"),
        pytest.param("reset-mac", bound, "state ACTIVE", id="reset-mac"),
    ],
)  # fmt: skip
def test_each_action_is_carried_out(
    runtime: Runtime, database: Database, clock: FakeClock, action: str, given: Given, result: str
) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        arguments = given(tx, subscription)
    change_id, key = make_change(
        database, action, DUE, subscription_id=subscription.id, arguments=arguments, note="as agreed"
    )
    before = subscription_in(database, key)
    clock.now = DUE
    carry_out(runtime, "change.due")
    change, after = change_in(database, change_id), subscription_in(database, key)
    assert (change.status, change.result) == ("done", result)
    told = {
        "switch-plan": before.plan_id != after.plan_id,
        "override-speed": before.desired_fingerprint != after.desired_fingerprint,
        "end-speed-override": before.desired_fingerprint != after.desired_fingerprint,
        "assign-address": address(database, key) == "100.64.0.3",
        "release-address": address(database, key) is None,
        "limit-sessions": after.session_limit == 3,
        "reset-mac": (before.bound_mac, after.bound_mac) == ("02:00:5e:10:00:01", None),
    }
    assert told.get(action, before.state != after.state)


def test_restrict_orders_for_the_invoices_that_are_named(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    with database.transaction() as tx:
        subscription = make_subscription(tx)
        arguments = owing(tx, subscription)
    make_change(database, "restrict", DUE, subscription_id=subscription.id, arguments=arguments, note="by the manager")
    clock.now = DUE
    [ended] = carry_out(runtime, "change.due")
    assert ended.startswith("done: order ")
    assert subscription_in(database, subscription.id).state == "SUSPENDED"


def test_activate_installs(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        key = make_subscription(tx, active=False).id
    make_change(database, "activate", DUE, subscription_id=key)
    clock.now = DUE
    carry_out(runtime, "change.due")
    assert (subscription_in(database, key).state, subscription_in(database, key).installed_at) == ("ACTIVE", DUE)


@pytest.mark.parametrize(
    ("action", "arguments", "field"),
    [
        pytest.param("fly", {}, "action", id="no such action"),
        pytest.param("pause", {"colour": "red"}, "arguments", id="no such argument"),
        pytest.param("switch-plan", {}, "arguments.plan_id", id="missing"),
        pytest.param("switch-plan", {"plan_id": None}, "arguments.plan_id", id="null where it is required"),
        pytest.param("switch-plan", {"plan_id": 0}, "arguments.plan_id", id="id zero"),
        pytest.param("switch-plan", {"plan_id": True}, "arguments.plan_id", id="true is no id"),
        pytest.param("switch-plan", {"plan_id": "7"}, "arguments.plan_id", id="text is no id"),
        pytest.param("pause", {"until": DUE.isoformat()}, "arguments.until", id="over when it begins"),
        pytest.param("pause", {"until": "tomorrow"}, "arguments.until", id="no instant"),
        pytest.param("pause", {"until": "2026-04-01T00:00:00"}, "arguments.until", id="no zone"),
        pytest.param("pause", {"until": 7}, "arguments.until", id="a number is no instant"),
        pytest.param("pause", {"return_note": 7}, "arguments.return_note", id="a number is no text"),
        pytest.param("limit-sessions", {"limit": 101}, "arguments.limit", id="over the limit"),
        pytest.param("limit-sessions", {"limit": -1}, "arguments.limit", id="below the limit"),
        pytest.param("cancel", {"cancel_open_invoices": "yes"}, "arguments.cancel_open_invoices", id="no switch"),
        pytest.param("restrict", {"level": "half", "invoice_ids": [1]}, "arguments.level", id="no level"),
        pytest.param("restrict", {"level": "total", "invoice_ids": []}, "arguments.invoice_ids", id="no invoice"),
        pytest.param("restrict", {"level": "total", "invoice_ids": ["1"]}, "arguments.invoice_ids", id="odd invoice"),
        pytest.param("override-speed", {"download_bps": "fast", "upload_bps": 1}, "arguments.download_bps", id="rate"),
        pytest.param(
            "override-speed", {"download_bps": "50M", "upload_bps": 10}, "arguments.upload_bps", id="too slow"
        ),
        pytest.param("assign-address", {"subnet_id": 1, "address": "router"}, "arguments.address", id="address"),
        pytest.param("trust-unblock", {"until": AFTER.isoformat()}, "note", id="trust needs a note"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_when_it_is_scheduled(
    database: Database, action: str, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        make_change(database, action, DUE, arguments=arguments)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        pytest.param("switch-plan", {"plan_id": 10**9}, id="plan"),
        pytest.param("assign-address", {"subnet_id": 10**9}, id="subnet"),
    ],
)
def test_what_is_named_has_to_be_there(database: Database, action: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(NotFound):
        make_change(database, action, DUE, arguments=arguments)


def test_an_until_at_the_instant_after_due_is_taken(database: Database) -> None:
    make_change(database, "pause", DUE, arguments={"until": DUE + timedelta(microseconds=1)})


def test_two_actions_cannot_have_one_name() -> None:
    first = ACTIONS["pause"]
    assert register_action(first) is first
    with pytest.raises(ValueError, match="two actions"):
        register_action(type(first)("pause", "another", "outra", first.run))
