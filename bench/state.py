"""Evaluate every subscription from its facts: `python -m bench.state [--subscribers N] [--database URL]`.

Makes subscriptions with plain inserts (a tenth under an order, some on trust, with a custom speed or paused), then
times reading the facts of all of them and evaluating state and next change.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, text

from bench.results import Options, Row, Say, Step
from core.clock import system_clock
from core.database import Database, Transaction
from core.migrate import migrate
from core.secrets import Secret, open_keyring
from provisioning.fact_store import load_known, rules_from
from provisioning.models import (
    PauseRow,
    Plan,
    RestrictionOrderRow,
    SpeedOverrideRow,
    Subscriber,
    Subscription,
    TrustUnblockRow,
)
from provisioning.service_state import next_change_at, service_state

CHUNK = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=100_000)
    parser.add_argument("--database", help="URL of an empty database; default: SQLite in a temporary directory")
    options = parser.parse_args()
    seconds, states = timed(options.subscribers, options.database)
    shown = ", ".join(f"{state} {count}" for state, count in sorted(states.items()))
    print(f"{options.subscribers} subscriptions evaluated from facts in {seconds:.2f} s ({shown})")


def measure(options: Options, say: Say) -> Step:
    subscribers = 2_000 if options.quick else 100_000
    seconds, _ = timed(subscribers)
    what = f"state and next change of {subscribers:,} subscriptions, from their facts in SQLite"
    return Step(rows=[Row(what, f"{seconds:.1f} s", "", "python -m bench.state")])


def timed(subscribers: int, url: str | None = None) -> tuple[float, Counter[str]]:
    """Seconds, and how many subscriptions are in which state."""
    with tempfile.TemporaryDirectory(prefix="catraca-bench-") as scratch:
        directory = Path(scratch)
        database = Database(
            url or f"sqlite:///{directory / 'bench.db'}", open_keyring(directory / "keys"), system_clock
        )
        migrate(database)
        populate(database, subscribers)
        begun = time.perf_counter()
        states = evaluate(database, subscribers)
        seconds = time.perf_counter() - begun
        database.close()
    return seconds, states


def evaluate(database: Database, subscribers: int) -> Counter[str]:
    """State and next change of every subscription, from the facts alone."""
    states: Counter[str] = Counter()
    with database.reading() as tx:
        rules = rules_from(tx.settings)
        for start in range(1, subscribers + 1, CHUNK):
            for known in load_known(tx, range(start, start + CHUNK)):
                states[service_state(known.facts, rules, tx.now).state.value] += 1
                next_change_at(known.facts, rules, tx.now)
    return states


def populate(database: Database, subscribers: int) -> None:
    """`subscribers` subscriptions, without access records: they are not what is measured."""
    with database.transaction() as tx:
        tx.session.add(
            Plan(name="Fibra", price_cents=9990, download_bps=5 * 10**8, upload_bps=10**8, created_at=tx.now)
        )
    for start in range(1, subscribers + 1, CHUNK):
        with database.transaction() as tx:
            _insert(tx, range(start, min(start + CHUNK, subscribers + 1)))
    with database.transaction() as tx:
        tx.session.execute(text("ANALYZE"))  # as autovacuum will have done in any database that has lived a minute


def _insert(tx: Transaction, numbers: range) -> None:
    now, session = tx.now, tx.session
    people = [
        {"id": n, "kind": "person", "name": f"S {n}", "document": f"{n:011d}", "created_at": now} for n in numbers
    ]
    session.execute(insert(Subscriber), people)
    same = {"plan_id": 1, "opened_at": now, "installed_at": now, "state": "ACTIVE", "state_since": now}
    rows = [
        {
            **same, "id": n, "subscriber_id": n, "login": f"user{n:06d}", "password": Secret(f"pass{n:06d}"),
            "desired_since": now,
        }
        for n in numbers
    ]  # fmt: skip
    session.execute(insert(Subscription), rows)
    orders = [
        {
            "subscription_id": n, "level": "total" if n % 20 else "partial", "since": now, "invoice_ids": [n],
            "ordered_by": "bench",
        }
        for n in numbers if n % 10 == 0
    ]  # fmt: skip
    later = now + timedelta(days=2)
    trusts = [
        {"subscription_id": n, "since": now, "until": later, "note": "x", "granted_by": "bench"}
        for n in numbers
        if n % 50 == 0
    ]
    pauses = [{"subscription_id": n, "since": now, "until": later} for n in numbers if n % 70 == 0]
    speeds = [
        {"subscription_id": n, "since": now, "until": later, "download_bps": 10**7, "upload_bps": 10**7}
        for n in numbers
        if n % 30 == 0
    ]
    tables = ((RestrictionOrderRow, orders), (TrustUnblockRow, trusts), (PauseRow, pauses), (SpeedOverrideRow, speeds))
    for table, facts in tables:
        if facts:
            session.execute(insert(table), facts)


if __name__ == "__main__":
    main()
