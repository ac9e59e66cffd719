"""From a fact to its proof: when waits begin, which observer ends them, what is counted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from core.database import Database, Transaction
from core.jobs import run_periodic
from core.runtime import Runtime
from provisioning.cancellation import cancel
from provisioning.convergence.steps import forget_converged
from provisioning.latency import jobs as latency_jobs  # noqa: F401 - its import registers the schedule
from provisioning.latency.buckets import BOUNDS, bucket_of
from provisioning.latency.waits import prove
from provisioning.models import Subscription
from provisioning.pauses import pause
from provisioning.routeros.models import RouterConvergence, RouterService
from radius.models import Session
from tests.factories import ANA, make_subscription, restrict
from tests.factories_proof import connect, counted, make_nas, make_online, make_service, pay, seconds_of, waits
from tests.factories_routers import make_router
from tests.ticking import FakeClock


def looked_at(database: Database, nas_id: int) -> None:
    """As convergence does whenever it has looked at a NAS."""
    with database.transaction() as tx:
        forget_converged(tx, nas_id, [])


def runs_now(tx: Transaction, session: Session) -> None:
    """Accounting shows the present policy."""
    row = tx.session.get_one(Session, session.id)
    wanted = tx.session.get_one(Subscription, row.subscription_id).desired_fingerprint
    row.granted_fingerprint, row.acked_fingerprint = wanted, ""


def test_a_session_that_runs_its_policy_proves_the_change(database: Database, clock: FakeClock) -> None:
    with database.transaction(ANA) as tx:
        nas = make_nas(tx)
        subscription, session = make_online(tx, nas)
        restrict(tx, subscription.id)
    assert waits(database) == {subscription.id: "restricted"}
    clock.advance(seconds=0.7)
    looked_at(database, nas.id)
    assert counted(database) == {}, "the session runs the old policy"
    with database.transaction() as tx:
        runs_now(tx, session)
    looked_at(database, nas.id)
    assert counted(database) == {("restricted", "radius", bucket_of(0.7)): 1}
    assert seconds_of(database, "restricted", "radius") == pytest.approx(0.7)
    assert waits(database) == {}
    looked_at(database, nas.id)
    assert sum(counted(database).values()) == 1


def test_a_restriction_is_there_with_the_end_of_the_session_and_service_with_the_next_one(
    database: Database, clock: FakeClock
) -> None:
    with database.transaction(ANA) as tx:
        nas = make_nas(tx)
        subscription, session = make_online(tx, nas)
        restrict(tx, subscription.id)
    with database.transaction() as tx:
        tx.session.get_one(Session, session.id).stopped_at = tx.now
    looked_at(database, nas.id)
    assert counted(database) == {("restricted", "radius", 0): 1}
    with database.transaction(ANA) as tx:
        limited = connect(tx, tx.session.get_one(Subscription, subscription.id), nas)
        pay(tx, subscription.id)
    clock.advance(seconds=1)
    with database.transaction() as tx:
        tx.session.get_one(Session, limited.id).stopped_at = tx.now
    looked_at(database, nas.id)
    assert waits(database) == {subscription.id: "restored"}, "nobody is back yet"
    clock.advance(seconds=7)
    with database.transaction() as tx:
        connect(tx, tx.session.get_one(Subscription, subscription.id), nas)
    looked_at(database, nas.id)
    assert counted(database)["restored", "radius", bucket_of(8.0)] == 1


def test_the_router_proves_what_it_serves(database: Database, clock: FakeClock) -> None:
    with database.transaction(ANA) as tx:
        subscription = make_subscription(tx)
        make_service(tx, make_router(tx), subscription)
    with database.transaction(ANA) as tx:
        restrict(tx, subscription.id)
    assert waits(database) == {subscription.id: "restricted"}
    clock.advance(seconds=0.2)
    with database.transaction() as tx:
        prove(tx, [subscription.id], path="router")
    assert waits(database) == {subscription.id: "restricted"}, "its facts are touched yet"
    with database.transaction() as tx:
        prove(tx, [subscription.id], path="router")  # said before it is written: the same
        tx.session.query(RouterService).update({"touched_at": None})
    assert counted(database) == {("restricted", "router", bucket_of(0.2)): 1}


def differing(tx: Transaction, subscription: Subscription, session: Session, service: RouterService) -> None:
    runs_now(tx, session)
    service.touched_at = None
    key = service.router_id, subscription.id
    tx.session.add(RouterConvergence(router_id=key[0], subscription_id=key[1], differs_since=tx.now, why="no space"))


def session_late(tx: Transaction, _subscription: Subscription, _session: Session, service: RouterService) -> None:
    service.touched_at = None


def router_late(tx: Transaction, _subscription: Subscription, session: Session, _service: RouterService) -> None:
    runs_now(tx, session)


@pytest.mark.parametrize(
    "half",
    [
        pytest.param(session_late, id="the session is not through"),
        pytest.param(router_late, id="the router is not through"),
        pytest.param(differing, id="the router shows something else"),
    ],
)
def test_of_two_observers_the_slowest_counts(
    database: Database, half: Callable[[Transaction, Subscription, Session, RouterService], None]
) -> None:
    with database.transaction(ANA) as tx:
        subscription, session = make_online(tx, make_nas(tx))
        service = make_service(tx, make_router(tx), subscription)
    with database.transaction(ANA) as tx:
        restrict(tx, subscription.id)
    with database.transaction() as tx:
        half(
            tx,
            subscription,
            session,
            tx.session.get_one(RouterService, (service.router_id, subscription.id)),
        )
        prove(tx, [subscription.id], path="router")
    assert counted(database) == {}
    with database.transaction() as tx:
        runs_now(tx, session)
        tx.session.query(RouterService).update({"touched_at": None})
        tx.session.query(RouterConvergence).update({"differs_since": None})
        prove(tx, [subscription.id])
    assert sum(counted(database).values()) == 1


def test_where_radius_gives_everything_the_router_is_not_waited_for(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription, session = make_online(tx, make_nas(tx))
        make_service(tx, make_router(tx), subscription, "radius")
    with database.transaction(ANA) as tx:
        restrict(tx, subscription.id)
        runs_now(tx, session)
        prove(tx, [subscription.id])
    assert counted(database) == {("restricted", "radius", 0): 1}


def test_nobody_connected_and_nothing_to_change_is_counted_apart(database: Database) -> None:
    with database.transaction(ANA) as tx:
        for _ in range(3):
            restrict(tx, make_subscription(tx).id)
    assert waits(database) == {}
    assert counted(database) == {("restricted", "offline", 0): 3}


def test_a_newer_change_takes_the_place_of_the_one_before(database: Database, clock: FakeClock) -> None:
    with database.transaction(ANA) as tx:
        nas = make_nas(tx)
        subscription, _session = make_online(tx, nas)
        restrict(tx, subscription.id)
    clock.advance(seconds=100)
    with database.transaction(ANA) as tx:
        pay(tx, subscription.id)
    assert waits(database) == {subscription.id: "restored"}
    looked_at(database, nas.id)
    assert counted(database) == {("restored", "radius", 0): 1}, "it never ran anything else"


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        pytest.param(lambda tx, key: pause(tx, subscription_id=key), ["restricted"], id="pause"),
        pytest.param(lambda tx, key: cancel(tx, subscription_id=key), [], id="cancelled: nothing is waited for"),
    ],
)
def test_other_changes(database: Database, change: Callable[[Transaction, int], object], kinds: list[str]) -> None:
    with database.transaction(ANA) as tx:
        subscription, _session = make_online(tx, make_nas(tx))
        restrict(tx, subscription.id, "partial")
    with database.transaction(ANA) as tx:
        change(tx, subscription.id)
    assert list(waits(database).values()) == kinds


def test_waits_that_no_proof_ends(runtime: Runtime, clock: FakeClock) -> None:
    """A minute later what was overlooked is found; who does not come back, or is never proven, is given up."""
    database = runtime.database
    with database.transaction(ANA) as tx:
        nas = make_nas(tx)
        overlooked, found = make_online(tx, nas)
        away, gone = make_online(tx, nas)
        stuck, _old = make_online(tx, nas)
        restrict(tx, away.id)
        runs_now(tx, gone)
    with database.transaction(ANA) as tx:
        restrict(tx, overlooked.id)
        runs_now(tx, found)
        pay(tx, away.id)
        tx.session.get_one(Session, gone.id).stopped_at = tx.now
        restrict(tx, stuck.id)
    clock.advance(minutes=2)
    run_periodic(runtime, "proofs")
    assert counted(database) == {("restricted", "radius", bucket_of(120)): 1}
    assert waits(database) == {away.id: "restored", stuck.id: "restricted"}
    clock.advance(minutes=9)
    run_periodic(runtime, "proofs")
    assert counted(database)["restored", "offline", 0] == 1
    clock.advance(days=1)
    run_periodic(runtime, "proofs")
    assert counted(database)["restricted", "unproven", 0] == 1
    assert waits(database) == {}


def test_many_proofs_of_one_transaction_are_one_row_a_bucket(database: Database, clock: FakeClock) -> None:
    with database.transaction(ANA) as tx:
        nas = make_nas(tx)
        plan_id = make_subscription(tx).plan_id
        online = [make_online(tx, nas, plan_id=plan_id) for _ in range(5)]
        for subscription, session in online[:3]:
            restrict(tx, subscription.id)
            runs_now(tx, session)
    clock.advance(seconds=timedelta(hours=2).total_seconds())
    with database.transaction(ANA) as tx:
        for subscription, session in online[3:]:
            restrict(tx, subscription.id)
            runs_now(tx, session)
    looked_at(database, nas.id)
    assert counted(database) == {("restricted", "radius", len(BOUNDS)): 3, ("restricted", "radius", 0): 2}


def test_proofs_of_many_at_once_are_each_counted_once(database: Database) -> None:
    """Two observers tell of everybody at the same time, and nobody is lost, counted twice or waited for in a ring."""
    with database.transaction(ANA) as tx:
        nas = make_nas(tx)
        plan_id = make_subscription(tx).plan_id
        online = [make_online(tx, nas, plan_id=plan_id) for _ in range(12)]
        for subscription, session in online:
            restrict(tx, subscription.id)
            runs_now(tx, session)
    ids = [subscription.id for subscription, _ in online]

    def observe(number: int) -> None:
        with database.transaction() as tx:
            prove(tx, ids if number % 2 else ids[::-1][number:])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(observe, range(8)))
    looked_at(database, nas.id)
    assert counted(database) == {("restricted", "radius", 0): len(ids)}
