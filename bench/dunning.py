"""One dunning run over a big base: `python -m bench.dunning [--subscriptions N] [--postgres URL]`.

Makes subscriptions with plain inserts, a tenth of them late, then runs the guarded run as a routine does, by its jobs:
seconds until everything is decided and until everything is ordered, and the memory of the process at 25, 50 and 100 %.
A second run has to order nothing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, select, text

from api.assembly import load
from bench.machine import memory
from bench.results import Options, Row, Say, Step
from billing_bridge.calendar.days import company_today
from billing_bridge.dunning.approval import approve_run
from billing_bridge.dunning.work import CONTINUE, get_run, start_run
from billing_bridge.methods import add_billing_method
from billing_bridge.models import BillingAccount, DunningRun
from core.actor import Actor
from core.clock import system_clock
from core.database import Database, Transaction
from core.job_queue import Job
from core.jobs import run_job
from core.migrate import migrate
from core.runtime import Runtime
from core.secrets import Secret, open_keyring
from core.settings import Settings
from provisioning.models import Debt, Plan, Subscriber, Subscription
from provisioning.refresh import refresh

CHUNK = 1_000
LATE_EVERY = 10
ROUTINE = Actor("bench", "routine")


@dataclass
class Figures:
    """Seconds since the start, and octets of resident memory by percentage of what is ordered."""

    late: int = 0
    decided: float = 0.0
    ordered: float = 0.0
    second: float = 0.0
    again: int = 0
    resident: dict[int, int] = field(default_factory=dict)

    def told(self) -> str:
        memory_at = ", ".join(f"{size / 2**20:.0f} MiB at {share} %" for share, size in self.resident.items())
        return (
            f"{self.late} late: decided in {self.decided:.1f} s, ordered in {self.ordered:.1f} s; {memory_at}; "
            f"the second run took {self.second:.1f} s and ordered {self.again}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscriptions", type=int, default=100_000)
    parser.add_argument("--postgres", help="URL of an empty database; default: SQLite in a temporary directory")
    options = parser.parse_args()
    print(timed(options.subscriptions, options.postgres, print).told())


def measure(options: Options, say: Say) -> Step:
    subscriptions = 2_000 if options.quick else 100_000
    figures = timed(subscriptions, None, say)
    what = f"a dunning run over {subscriptions:,} subscriptions, a tenth late, in SQLite"
    return Step(rows=[Row(what, figures.told(), "", "python -m bench.dunning")])


def timed(subscriptions: int, url: str | None, say: Say) -> Figures:
    """Make the base, run twice."""
    load()
    with tempfile.TemporaryDirectory(prefix="catraca-bench-") as scratch:
        directory = Path(scratch)
        settings = Settings(data_dir=directory)
        keyring = open_keyring(directory / "keys")
        database = Database(url or f"sqlite:///{directory / 'bench.db'}", keyring, system_clock, settings)
        runtime = Runtime(settings, database, keyring, system_clock)
        migrate(database)
        populate(database, subscriptions, say)
        try:
            return _run_twice(runtime, say)
        finally:
            database.close()


def _run_twice(runtime: Runtime, say: Say) -> Figures:
    figures, begun = Figures(), time.perf_counter()
    run = _started(runtime)
    _work(runtime, run.id, lambda now: say(f"decided {now.planned} of {now.looked_at} looked at"))
    figures.decided, run = time.perf_counter() - begun, _read(runtime, run.id)
    figures.late = run.planned
    say(f"{run.status}: {run.planned} planned, the cap is {run.cap}")
    if run.status == "waiting":
        with runtime.database.transaction(Actor("ana", "api")) as tx:
            approve_run(tx, run.id, note="bench")

    def watch(now: DunningRun) -> None:
        for share in (25, 50, 100):
            if now.ordered >= now.planned * share / 100 and share not in figures.resident:
                figures.resident[share] = memory(os.getpid())["Rss"]
                say(f"ordered {now.ordered} of {now.planned}")

    _work(runtime, run.id, watch)
    figures.ordered = time.perf_counter() - begun
    begun = time.perf_counter()
    second = _started(runtime)
    _work(runtime, second.id, lambda _now: None)
    figures.second, figures.again = time.perf_counter() - begun, _read(runtime, second.id).ordered
    return figures


def _started(runtime: Runtime) -> DunningRun:
    with runtime.database.transaction(ROUTINE) as tx:
        return start_run(tx, origin="bench")


def _read(runtime: Runtime, run_id: int) -> DunningRun:
    with runtime.database.reading() as tx:
        return get_run(tx, run_id)


def _work(runtime: Runtime, run_id: int, watch: Callable[[DunningRun], None]) -> None:
    """Run the jobs of the run until there are none, as a worker would."""
    while True:
        with runtime.database.reading() as tx:
            query = select(Job.id).where(Job.kind == CONTINUE, Job.key == str(run_id), Job.status == "waiting")
            job_id = tx.session.scalar(query)
        watch(_read(runtime, run_id))
        if job_id is None:
            return
        run_job(runtime, job_id)


def populate(database: Database, subscriptions: int, say: Say) -> None:
    """The base, with access records of those who are late: replacing them is a part of what is measured."""
    with database.transaction() as tx:
        plan = Plan(name="Fibra", price_cents=9990, download_bps=5 * 10**8, upload_bps=10**8, created_at=tx.now)
        tx.session.add(plan)
        method = add_billing_method(tx, name="Boleto", minimum_open_cents=1000, held_weekdays=[], hold_holidays=False,
                                    hold_holiday_eves=False)  # fmt: skip
        plan_id, method_id = plan.id, method.id
    for start in range(1, subscriptions + 1, CHUNK):
        numbers = range(start, min(start + CHUNK, subscriptions + 1))
        with database.transaction() as tx:
            _insert(tx, numbers, plan_id, method_id)
            refresh(tx, [number for number in numbers if number % LATE_EVERY == 0])
    with database.transaction() as tx:
        tx.session.execute(text("ANALYZE"))  # as autovacuum will have done in any database that has lived a minute
    say(f"{subscriptions} subscriptions made")


def _insert(tx: Transaction, numbers: range, plan_id: int, method_id: int) -> None:
    now, session = tx.now, tx.session
    people = [
        {"id": n, "kind": "person", "name": f"S {n}", "document": f"{n:011d}", "created_at": now} for n in numbers
    ]
    session.execute(insert(Subscriber), people)
    same = {"plan_id": plan_id, "opened_at": now, "installed_at": now, "state": "ACTIVE", "state_since": now}
    rows = [
        {
            **same, "id": n, "subscriber_id": n, "login": f"user{n:06d}", "password": Secret(f"pass{n:06d}"),
            "desired_since": now,
        }
        for n in numbers
    ]  # fmt: skip
    session.execute(insert(Subscription), rows)
    accounts = [{"subscription_id": n, "billing_method_id": method_id, "due_day": 10, "since": now} for n in numbers]
    session.execute(insert(BillingAccount), accounts)
    today = company_today(now, tx.settings.timezone)
    debts = [
        {
            "subscription_id": n, "invoice_id": n, "open_cents": 9990, "updated_at": now,
            "due_on": today - timedelta(days=(20 if n % 20 else 40) if n % LATE_EVERY == 0 else -5),
        }
        for n in numbers
    ]  # fmt: skip
    session.execute(insert(Debt), debts)


if __name__ == "__main__":
    main()
