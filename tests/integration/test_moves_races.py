"""Moves that meet payments and each other: one of them comes first, and the end is the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_bridge.payments import receive
from core.database import Database, Transaction
from core.errors import CatracaError
from core.runtime import Runtime
from provisioning.addresses import assign_address
from provisioning.mass_change.commands import preview_mass_change, start_mass_change
from provisioning.mass_change.work import work_on
from provisioning.models import Subscription
from provisioning.moves.migration import start_migration
from provisioning.moves.transfer import transfer
from provisioning.orders import live_orders, order_restriction
from provisioning.pauses import pause
from provisioning.subscriptions import activate
from tests.factories import ANA, make_plan, make_subscriber, make_subscription, restrict
from tests.factories_billing import debts_of, make_billed, make_invoice, make_method, state_of
from tests.factories_core import race
from tests.factories_ipam import make_subnet
from tests.factories_moves import Holding, follow_up, holding_of

Command = Callable[[Transaction], object]


def at_once(database: Database, *commands: Command) -> list[CatracaError | None]:
    """Each in a thread and a transaction of its own; gives what each was refused with."""

    def attempt(number: int) -> CatracaError | None:
        try:
            with database.transaction(ANA) as tx:
                commands[number](tx)
        except CatracaError as error:
            return error
        return None

    return race(len(commands), attempt)


@pytest.mark.parametrize("move", ["migration", "transfer"])
def test_who_pays_while_the_service_moves_is_restored(database: Database, runtime: Runtime, move: str) -> None:
    with database.transaction(ANA) as tx:
        old = make_billed(tx, make_method(tx)).id
        invoice = make_invoice(tx, tx.session.get_one(Subscription, old), late=40).id
        order_restriction(tx, subscription_id=old, level="total", invoice_ids=[invoice], minimum_open_cents=1000)
        new = start_migration(tx, subscription_id=old, plan_id=make_plan(tx).id).id if move == "migration" else old
        other = make_subscriber(tx).id

    def go(tx: Transaction) -> object:
        if move == "migration":
            return activate(tx, subscription_id=new)
        return transfer(tx, subscription_id=old, subscriber_id=other)

    assert at_once(database, go, lambda tx: receive(tx, invoice_id=invoice)) == [None, None]
    assert state_of(database, new) == "ACTIVE"
    follow_up(runtime, f"subscription.{'migrated' if move == 'migration' else 'transferred'}")
    with database.reading() as tx:
        assert live_orders(tx, new) == []
        assert not any(debts_of(tx, new).values())
    assert state_of(database, new) == "ACTIVE"


def test_one_migration_of_several_that_start_at_once(database: Database) -> None:
    with database.transaction(ANA) as tx:
        old, plan = make_subscription(tx).id, make_plan(tx).id
    refused = at_once(database, *[lambda tx: start_migration(tx, subscription_id=old, plan_id=plan)] * 3)
    assert [type(error).__name__ for error in refused if error] == ["Conflict", "Conflict"]


def test_a_migration_is_carried_out_once(database: Database) -> None:
    with database.transaction(ANA) as tx:
        old = make_subscription(tx).id
        new = start_migration(tx, subscription_id=old, plan_id=make_plan(tx).id).id
    refused = at_once(database, *[lambda tx: activate(tx, subscription_id=new)] * 3)
    assert sorted(type(error).__name__ for error in refused) == ["NoneType", "NotAllowed", "NotAllowed"]


def test_a_mass_change_that_two_workers_run_changes_each_once(database: Database) -> None:
    with database.transaction(ANA) as tx:
        plan, target = make_plan(tx).id, make_plan(tx).id
        for _ in range(6):
            make_subscription(tx, plan_id=plan)
        wanted = {"plan_id": plan}
        digest = preview_mass_change(tx, plan_id=target, selection=wanted).digest
        change = start_mass_change(tx, plan_id=target, selection=wanted, digest=digest).id
    assert at_once(database, *[lambda tx: work_on(tx, change, chunk=3)] * 3) == [None] * 3
    with database.transaction(ANA) as tx:
        ended = work_on(tx, change)
        assert (ended.done, ended.skipped, ended.left, ended.status) == (6, 0, 0, "done")


@given(st.lists(st.sampled_from(["address", "total", "partial", "pause"]), max_size=3, unique=True), st.booleans())
@settings(max_examples=8)
def test_nothing_is_lost_or_doubled_by_a_migration(database: Database, given_to: list[str], immediate: bool) -> None:
    """What all subscriptions hold together is the same afterwards, and the new one's state is what the old one had."""
    with database.transaction(ANA) as tx:
        old, plan = make_subscription(tx, plan_id=make_plan(tx).id).id, make_plan(tx).id
        if "address" in given_to:
            subnet = make_subnet(tx, f"10.{old // 250 % 250}.{old % 250}.0/29").id
            assign_address(tx, subscription_id=old, subnet_id=subnet)
        for level in ("total", "partial"):
            if level in given_to:
                restrict(tx, old, level, invoice_id=4711 + len(level))
        if "pause" in given_to:
            pause(tx, subscription_id=old)
        before = holding_of(tx, old)
        new = start_migration(tx, subscription_id=old, plan_id=plan, immediate=immediate).id
        if not immediate:
            activate(tx, subscription_id=new)
        assert holding_of(tx, new) == before
        assert holding_of(tx, old) == Holding("CANCELLED", None, None, "", (), ())
