"""Commands on routers and services that meet: one is first; nobody is served twice, or by a router that is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from core.database import Database, Transaction
from core.errors import CatracaError, Conflict, NotAllowed, NotFound, Unavailable
from provisioning.cancellation import cancel
from provisioning.models import Subscription
from provisioning.moves.migration import start_migration
from provisioning.pauses import pause
from provisioning.routeros.models import Router, RouterService
from provisioning.routeros.routers import change_router, remove_router
from provisioning.routeros.services.commands import serve, serve_many, stop_serving
from provisioning.subscriptions import activate
from tests.factories import make_plan, make_subscription
from tests.factories_core import race
from tests.factories_routers import make_router, make_served

Command = Callable[[Transaction], object]


def at_once(database: Database, *commands: Command) -> list[CatracaError | None]:
    """Each in a thread and a transaction of its own; gives what each was refused with."""

    def attempt(number: int) -> CatracaError | None:
        try:
            with database.transaction() as tx:
                commands[number](tx)
        except CatracaError as error:
            return error
        return None

    return race(len(commands), attempt)


def test_one_of_several_gets_the_name(database: Database) -> None:
    ends = at_once(database, *[lambda tx: make_router(tx, name="borda-1")] * 4)
    assert sorted(type(end).__name__ for end in ends) == ["Conflict", "Conflict", "Conflict", "NoneType"]
    with database.reading() as tx:
        assert [row.name for row in tx.session.scalars(select(Router))] == ["borda-1"]


def test_many_are_served_once(database: Database) -> None:
    with database.transaction() as tx:
        router = make_router(tx)
        ids = [make_subscription(tx).id for _ in range(3)]

    def everybody(tx: Transaction) -> None:
        serve_many(tx, router=router.id, access="ppp", unplaced=True, expected=3)

    ends = at_once(database, everybody, everybody, everybody)
    assert [type(end) for end in ends if end is not None] == [Conflict, Conflict]
    with database.reading() as tx:
        assert list(tx.session.scalars(select(RouterService.subscription_id))) == ids


@pytest.mark.parametrize("turn", range(3))
def test_whatever_meets_the_end_is_sound(database: Database, turn: int) -> None:
    with database.transaction() as tx:
        router, other = make_router(tx, name="borda-1"), make_router(tx, name="borda-2")
        one, two = make_served(tx, router), make_served(tx, router)
        new = start_migration(tx, subscription_id=one.id, plan_id=make_plan(tx).id)
    commands: list[Command] = [
        lambda tx: activate(tx, subscription_id=new.id),
        lambda tx: serve_many(tx, router=other.id, access="static", subscription_ids=[one.id, two.id], expected=2),
        lambda tx: cancel(tx, subscription_id=two.id),
        lambda tx: serve(tx, router=router.id, subscription_id=new.id, access="static"),
        lambda tx: pause(tx, subscription_id=two.id),
        lambda tx: change_router(tx, router.id, reduced_list="late"),
        lambda tx: stop_serving(tx, router=router.id, subscription_id=two.id),
    ]
    commands = commands[turn:] + commands[:turn]
    ends = [end for end in at_once(database, *commands) if end is not None]
    assert {type(end) for end in ends} <= {Conflict, NotAllowed}, ends
    with database.reading() as tx:
        query = select(RouterService.router_id, RouterService.subscription_id, Subscription.cancelled_at)
        live = query.join(Subscription).where(RouterService.removed_at.is_(None))
        found = list(tx.session.execute(live))
        assert all(cancelled_at is None for _, _, cancelled_at in found)
        assert (router.id, new.id) in {(where, who) for where, who, _ in found}


def test_nobody_is_served_by_a_router_that_is_gone(database: Database) -> None:
    with database.transaction() as tx:
        router = make_router(tx)
        ids = [make_subscription(tx).id for _ in range(3)]

    def forget(tx: Transaction) -> None:
        remove_router(tx, router.id)

    def place(number: int) -> Command:
        return lambda tx: serve(tx, router=router.id, subscription_id=ids[number], access="ppp")

    ends = at_once(database, place(0), forget, place(1), place(2))
    assert {type(end) for end in ends if end is not None} <= {NotAllowed, NotFound}
    assert not any(isinstance(end, Unavailable) for end in ends)
    with database.reading() as tx:
        routers, served = tx.session.scalars(select(Router)).all(), tx.session.scalars(select(RouterService)).all()
        assert len(served) == (0 if not routers else 4 - sum(end is not None for end in ends))
