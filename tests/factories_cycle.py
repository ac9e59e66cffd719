"""A network of emulated routers with whom they serve, and cycles at them without any worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from core.outcomes import Applied
from core.runtime import Runtime
from lab.routeros.emulator import EmulatedRouter
from provisioning.debts import record_debt
from provisioning.models import Subscription
from provisioning.routeros.approval import look
from provisioning.routeros.cycle.turn import Cycle, run_cycle
from provisioning.routeros.models import RouterConvergence, RouterDrift, RouterStatus
from provisioning.routeros.router_standing import RouterStanding, standing_of
from provisioning.routeros.routers import get_router
from tests.factories import make_plan, restrict
from tests.factories_routers import make_homes, make_router, make_served
from tests.ticking import FakeClock

MOST_CYCLES = 8


@dataclass
class Site:
    """One emulated router, its row, and the subscriptions that it serves (each with a fixed address)."""

    runtime: Runtime
    clock: FakeClock
    emulator: EmulatedRouter
    router_id: int
    ids: list[int] = field(default_factory=list)

    def cycle(self, **how: Any) -> Cycle:
        """One turn, as the job would take it."""
        return run_cycle(self.runtime, self.router_id, **how)

    def settle(self) -> int:
        """Turn after turn, each when it is due, until nothing is left; gives how many it took."""
        for number in range(1, MOST_CYCLES + 1):
            outcome = self.cycle().outcome
            if isinstance(outcome, Applied):
                return number
            self.clock.now += outcome.after  # type: ignore[union-attr]
        raise AssertionError(f"not settled after {MOST_CYCLES} turns: {outcome}")

    def check(self, minutes: int = 16) -> int:
        """Let so much time go by that all of it is to be read again, and settle."""
        self.clock.advance(minutes=minutes)
        return self.settle()

    def planned(self) -> list[str]:
        """The words of what would be done now."""
        found = look(self.runtime, self.router_id)
        return [] if found.in_step else found.words

    def restrict(self, *ids: int) -> None:
        with self.runtime.database.transaction() as tx:
            for number, key in enumerate(ids):
                restrict(tx, key, invoice_id=1000 + number)

    def pay(self, subscription_id: int) -> None:
        """Settle what `restrict` made it owe."""
        with self.runtime.database.transaction() as tx:
            due_on = (tx.now - timedelta(days=30)).date()
            for number in range(len(self.ids)):
                owed = {"subscription_id": subscription_id, "invoice_id": 1000 + number}
                record_debt(tx, **owed, due_on=due_on, open_cents=0)

    def standing(self) -> RouterStanding:
        with self.runtime.database.reading() as tx:
            return standing_of(tx, [get_router(tx, self.router_id)])[self.router_id]

    def status(self) -> RouterStatus:
        with self.runtime.database.reading() as tx:
            return tx.session.get_one(RouterStatus, self.router_id)

    def record(self, subscription_id: int) -> RouterConvergence:
        with self.runtime.database.reading() as tx:
            return tx.session.get_one(RouterConvergence, (self.router_id, subscription_id))

    def drift(self) -> list[RouterDrift]:
        with self.runtime.database.reading() as tx:
            mine = select(RouterDrift).where(RouterDrift.router_id == self.router_id)
            return list(tx.session.scalars(mine.order_by(RouterDrift.id)))

    def login(self, subscription_id: int) -> str:
        with self.runtime.database.reading() as tx:
            return tx.session.get_one(Subscription, subscription_id).login or ""

    def marked(self, path: str) -> list[dict[str, str]]:
        """The rows of a menu that bear our mark."""
        return [row for row in self.emulator.rows(path) if row.get("comment", "").startswith("catraca:")]


@contextmanager
def site(
    runtime: Runtime, clock: FakeClock, access: dict[str, int] | None = None, *, version: str = "7.20.4", **router: Any
) -> Iterator[Site]:
    """A site that serves so many by each access (six by ppp); nothing has been done at its router yet."""
    with EmulatedRouter(version) as emulator:
        made = Site(runtime, clock, emulator, 0)
        add_to(made, access or {"ppp": 6}, **router)
        yield made


def add_to(made: Site, access: dict[str, int], **router: Any) -> None:
    """The router's row and its services."""
    address = {"address": made.emulator.host, "port": made.emulator.port, "timeout_seconds": 2}
    with made.runtime.database.transaction() as tx:
        row = make_router(tx, **{**address, "ppp_local_address": "10.255.0.1", **router})
        plan, homes = make_plan(tx).id, make_homes(tx, f"100.{64 + row.id % 64}.{row.id // 64 * 4}.0/22")
        made.router_id = row.id
        for kind, number in access.items():
            made.ids += [make_served(tx, row, kind, subnet=homes, plan_id=plan).id for _ in range(number)]
