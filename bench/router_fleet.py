"""A fleet of routers that the product fills: how long each takes, with and without bad ones among them.

`python -m bench.router_fleet [--routers N] [--subscribers N]`. The product is started as a user starts it, on a SQLite
database in which every router serves its subscribers over PPP and none of them has a row yet. A router has converged
when nothing that it serves is waiting for its proof any more.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from sqlalchemy import insert, select, text, update

from api.assembly import load
from bench.results import Options, Row, Say, Step
from bench.router_lab import LOGIN, PASSWORD, RouterLab
from core.database import Database, Transaction
from core.migrate import migrate
from core.runtime import Runtime
from core.secrets import Secret
from core.settings import Settings
from lab.product import StartedProduct
from provisioning.models import Plan, Subscriber, Subscription
from provisioning.routeros.models import RouterService
from provisioning.routeros.routers import add_router
from provisioning.routeros.touch import CONVERGE

FAULTS = ("hang", "reset", "slow", "refuse", "no_space")
PATIENCE = 600.0


@dataclass
class Fleet:
    """Seconds that each router took, by its place; `healed` those of the bad ones, since they were healed."""

    good: dict[int, float] = field(default_factory=dict)
    healed: dict[int, float] = field(default_factory=dict)
    most_connections: int = 0

    def p95(self, places: Sequence[int]) -> float:
        return quantiles([self.good[place] for place in places], n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routers", type=int, default=100)
    parser.add_argument("--subscribers", type=int, default=1_000)
    parser.add_argument("--bad", type=int, default=10)
    given = parser.parse_args()
    for row in rows(given.routers, given.subscribers, given.bad, print):
        print(f"{row.what}: {row.figure}")


def measure(options: Options, say: Say) -> Step:
    routers, subscribers, bad = (20, 50, 2) if options.quick else (100, 1_000, 10)
    return Step(rows=rows(routers, subscribers, bad, say))


def rows(routers: int, subscribers: int, bad: int, say: Say) -> list[Row]:
    """The fleet without faults, then with `bad` routers of every kind of fault, which heal in the end."""
    command = "python -m bench.router_fleet"
    without, beside = filled(routers, subscribers, 0, say), filled(routers, subscribers, bad, say)
    places = range(bad, routers)
    calm, rough = without.p95(places), beside.p95(places)
    what = f"{routers} routers with {subscribers:,} PPP subscribers each, filled from nothing, SQLite, embedded"
    figure = f"p95 of the other {len(places)}: {calm:.1f} s, with {bad} bad ones {rough:.1f} s ({rough / calm:.2f} ×)"
    healed = max(beside.healed.values(), default=0.0)
    figure += f"; the bad ones {healed:.1f} s after they healed; at most {beside.most_connections} connection a router"
    return [Row(what, figure, "at most 1.2 ×, 1 connection", command)]


def filled(routers: int, subscribers: int, bad: int, say: Say) -> Fleet:
    """Fill a new fleet; the first `bad` routers err until the others have converged."""
    with RouterLab(routers) as lab, _provider(lab.ports, subscribers) as (directory, database):
        for place in range(bad):
            lab.tell(router=place, fault=FAULTS[place % len(FAULTS)])
        with StartedProduct(directory, {"CATRACA_ROUTER_THREADS": "200"}):
            fleet, begun = Fleet(), time.monotonic()
            _ask(database, routers)
            fleet.good = _await(database, range(bad, routers), begun, say)
            begun = time.monotonic()
            for place in range(bad):
                lab.tell(router=place, heal=True)
            fleet.healed = _await(database, range(bad), begun, say)
        fleet.most_connections = max(lab.tell(stats=True)["most_connections"])
    return fleet


def _await(database: Database, places: Sequence[int], begun: float, say: Say) -> dict[int, float]:
    """Seconds until each of the routers has proven all that it serves."""
    found: dict[int, float] = {}
    while len(found) < len(places):
        if time.monotonic() > begun + PATIENCE:
            raise RuntimeError(f"{len(places) - len(found)} routers do not converge")
        time.sleep(0.25)
        waiting = select(RouterService.router_id).where(RouterService.touched_at.is_not(None)).distinct()
        with database.reading() as tx:
            open_places = {router_id - 1 for router_id in tx.session.scalars(waiting)}
        fresh = [place for place in places if place not in found and place not in open_places]
        found |= dict.fromkeys(fresh, time.monotonic() - begun)
        if fresh:
            say(f"{len(found)} of {len(places)} routers after {time.monotonic() - begun:.1f} s")
    return found


def _ask(database: Database, routers: int) -> None:
    with database.transaction() as tx:
        tx.session.execute(update(RouterService).values(touched_at=tx.now))
        for router_id in range(1, routers + 1):
            tx.enqueue(CONVERGE, str(router_id))


@contextmanager
def _provider(ports: Sequence[int], subscribers: int) -> Iterator[tuple[Path, Database]]:
    load()
    with tempfile.TemporaryDirectory(prefix="catraca-bench-") as scratch:
        directory = Path(scratch)
        database = Runtime.open(Settings(data_dir=directory)).database
        migrate(database)
        _populate(database, ports, subscribers)
        try:
            yield directory, database
        finally:
            database.close()


def _populate(database: Database, ports: Sequence[int], subscribers: int) -> None:
    with database.transaction() as tx:
        plan = Plan(name="Fibra", price_cents=9990, download_bps=5 * 10**8, upload_bps=10**8, created_at=tx.now)
        tx.session.add(plan)
        for place, port in enumerate(ports):
            add_router(
                tx, name=f"torre-{place}", address="127.0.0.1", port=port, tls="off", login=LOGIN,
                password=Secret(PASSWORD), timeout_seconds=5, writes_per_second=0,
            )  # fmt: skip
        tx.session.flush()
        plan_id = plan.id
    for place in range(len(ports)):
        with database.transaction() as tx:
            first = place * subscribers + 1
            _insert(tx, place + 1, range(first, first + subscribers), plan_id)
    with database.transaction() as tx:
        tx.session.execute(text("ANALYZE"))  # as autovacuum will have done in any database that has lived a minute


def _insert(tx: Transaction, router_id: int, numbers: range, plan_id: int) -> None:
    now, session = tx.now, tx.session
    people = [
        {"id": n, "kind": "person", "name": f"S {n}", "document": f"{n:011d}", "created_at": now} for n in numbers
    ]
    session.execute(insert(Subscriber), people)
    same = {"plan_id": plan_id, "opened_at": now, "installed_at": now, "state": "ACTIVE", "state_since": now}
    same["desired_since"] = now
    subscriptions = [
        {**same, "id": n, "subscriber_id": n, "login": f"user{n:06d}", "password": Secret(f"pass{n:06d}")}
        for n in numbers
    ]
    session.execute(insert(Subscription), subscriptions)
    services = [{"router_id": router_id, "subscription_id": n, "access": "ppp", "created_at": now} for n in numbers]
    session.execute(insert(RouterService), services)


if __name__ == "__main__":
    main()
