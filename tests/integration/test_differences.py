"""The list of everything that does not provably run what it should, its pages and its counts; the histogram's page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.database import Database, Transaction
from core.runtime import Runtime
from provisioning.convergence.differences import Reason, Wanted, differences, tallies
from provisioning.latency.waits import prove
from provisioning.models import Divergence
from provisioning.routeros.models import Router, RouterConvergence, RouterService, RouterStatus
from radius.models import Session
from tests.factories import make_subscription, restrict
from tests.factories_api import Client
from tests.factories_proof import make_nas, make_online, make_service
from tests.factories_routers import make_router
from tests.ticking import FakeClock


def diverging(tx: Transaction, nas_id: int, session: Session, status: str) -> None:
    tx.session.add(
        Divergence(
            session_id=session.id, subscription_id=session.subscription_id, nas_id=nas_id, desired_fingerprint="x",
            since=tx.now, status=status, reason="no answer",
        )
    )  # fmt: skip


def differing(tx: Transaction, router: Router, subscription_id: int, why: str = "disk full") -> None:
    tx.session.add(
        RouterConvergence(router_id=router.id, subscription_id=subscription_id, differs_since=tx.now, why=why)
    )


class Network:
    """Two sessions; a router with rows that differ, one that is away, one in maintenance, one that is disabled."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        with database.transaction() as tx:
            self.nas = make_nas(tx)
            online = [make_online(tx, self.nas) for _ in range(2)]
            diverging(tx, self.nas.id, online[0][1], "failing")
            self.routers = [make_router(tx) for _ in range(4)]
            for router in self.routers:
                served = [make_subscription(tx) for _ in range(2)]
                services = [make_service(tx, router, subscription) for subscription in served]
                differing(tx, router, served[0].id)
                services[0].touched_at = services[1].touched_at = tx.now
            differing(tx, self.routers[0], 0, why="the walled garden is not in its place")
            self._stand(tx)
            self.online = [session.id for _, session in online]
        clock.advance(hours=1)
        with database.transaction() as tx:
            diverging(tx, self.nas.id, tx.session.get_one(Session, self.online[1]), "acknowledged")

    def _stand(self, tx: Transaction) -> None:
        _fine, away, resting, disabled = self.routers
        status = tx.session.get_one(RouterStatus, away.id)
        status.failures, status.trouble, status.trouble_since = 3, "it does not answer", tx.now
        resting.maintenance_since, resting.maintenance_note = tx.now, "new fibre"
        disabled.enabled = False
        tx.session.flush()


@pytest.fixture
def network(database: Database, clock: FakeClock) -> Network:
    return Network(database, clock)


def counts(tx: Transaction, wanted: Wanted) -> dict[str, int]:
    return {str(tally.reason): tally.count for tally in tallies(tx, wanted) if tally.count}


ALL = {"failing": 1, "acknowledged": 1, "router-rows": 2, "router-unreachable": 2, "router-maintenance": 2}


def test_every_reason_is_listed_and_counted(network: Network, database: Database) -> None:
    with database.reading() as tx:
        found = differences(tx, Wanted())
        assert [item.session_id for item in found[:2]] == network.online
        listed: dict[str, int] = {}
        for item in found:
            listed[item.reason] = listed.get(item.reason, 0) + 1
        assert listed == counts(tx, Wanted()) == ALL
        rows = [item for item in found if item.router_id == network.routers[0].id]
        assert [(item.subscription_id is None, item.words) for item in rows] == [
            (True, "the walled garden is not in its place"),
            (False, "disk full"),
        ]
        away = [item for item in found if item.router_id == network.routers[1].id]
        assert [item.words for item in away] == ["disk full", "it does not answer"]
        resting = [item for item in found if item.reason is Reason.MAINTENANCE]
        assert resting[-1].words == "new fibre"


def test_pages_go_on_where_they_ended(network: Network, database: Database) -> None:
    with database.reading() as tx:
        whole, paged, after = differences(tx, Wanted()), [], 0
        while page := differences(tx, Wanted(), after=after, limit=3):
            paged += page
            after = page[-1].place
        assert paged == whole


@pytest.mark.parametrize(
    ("narrow", "left"),
    [
        pytest.param(lambda net: {"nas_id": net.nas.id}, {"failing": 1, "acknowledged": 1}, id="a NAS"),
        pytest.param(lambda net: {"router_id": net.routers[1].id}, {"router-unreachable": 2}, id="a router"),
        pytest.param(lambda _net: {"reason": Reason.ROWS}, {"router-rows": 2}, id="a reason of routers"),
        pytest.param(lambda _net: {"reason": Reason.FAILING}, {"failing": 1}, id="a reason of sessions"),
        pytest.param(lambda _net: {"nas_id": 999_999}, {}, id="a NAS that there is not"),
    ],
)
def test_narrowing(network: Network, database: Database, narrow: Any, left: dict[str, int]) -> None:
    wanted = Wanted(**narrow(network))
    with database.reading() as tx:
        assert counts(tx, wanted) == left
        assert len(differences(tx, wanted)) == sum(left.values())


def test_what_differs_for_longer(network: Network, database: Database, clock: FakeClock) -> None:
    wanted = Wanted(since=clock.now - timedelta(minutes=1))
    with database.reading() as tx:
        older = {reason: count for reason, count in ALL.items() if reason != "acknowledged"}
        assert counts(tx, wanted) == older
        assert len(differences(tx, wanted)) == sum(older.values())
        oldest = {tally.oldest for tally in tallies(tx, wanted) if tally.count}
        assert oldest == {clock.now - timedelta(hours=1)}


def test_a_touched_service_of_a_router_that_answers_is_only_on_its_way(database: Database) -> None:
    with database.transaction() as tx:
        service = make_service(tx, make_router(tx), make_subscription(tx))
        tx.session.get_one(RouterService, (service.router_id, service.subscription_id)).touched_at = tx.now
        assert differences(tx, Wanted()) == []


def test_pages_of_the_api(runtime: Runtime, clock: FakeClock) -> None:
    network, client = Network(runtime.database, clock), Client(runtime)
    first = client.get("/convergence", limit=3).content
    rest = client.get("/convergence", limit=200, after=first["next"]).content
    assert len(first["items"]) == 3
    assert (len(rest["items"]), rest["next"]) == (sum(ALL.values()) - 3, None)
    assert client.get("/convergence/summary", router_id=network.routers[1].id).content["total"] == 2
    assert client.get("/convergence", reason="because").status == 422


def test_proofs_are_a_histogram_of_prometheus(runtime: Runtime, clock: FakeClock) -> None:
    with runtime.database.transaction() as tx:
        subscription, session = make_online(tx, make_nas(tx))
        restrict(tx, subscription.id)
        restrict(tx, make_subscription(tx).id)
    clock.advance(seconds=0.7)
    page = Client(runtime).call("GET", "/metrics").content
    assert 'catraca_proof_waits{kind="restricted"} 1.0' in page
    assert 'catraca_proof_uncounted_total{kind="restricted",reason="offline"} 1.0' in page
    assert 'catraca_proof_seconds_bucket{kind="restored",le="+Inf",path="router"} 0.0' in page
    with runtime.database.transaction() as tx:
        tx.session.get_one(Session, session.id).stopped_at = tx.now
        prove(tx, [subscription.id])
    client = Client(runtime)
    page = client.call("GET", "/metrics").content
    for line in (
        '_bucket{kind="restricted",le="0.5",path="radius"} 0.0',
        '_bucket{kind="restricted",le="1.0",path="radius"} 1.0',
        '_bucket{kind="restricted",le="+Inf",path="radius"} 1.0',
        '_count{kind="restricted",path="radius"} 1.0',
        '_sum{kind="restricted",path="radius"} 0.7',
    ):
        assert f"catraca_proof_seconds{line}" in page
    [found] = [item for item in client.get("/convergence/latency").content["items"] if item["count"]]
    assert (found["kind"], found["path"], found["p50"], found["sum_seconds"]) == ("restricted", "radius", 0.75, 0.7)
