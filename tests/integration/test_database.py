"""Transactions: what is committed together, in which order, and who is woken when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from core.actor import Actor
from core.audit import AuditEntry
from core.database import SQLITE_BUSY_SECONDS, Database, Transaction
from core.errors import NotFound
from core.leases import Lease
from tests.factories_core import audit_of, note, race
from tests.factories_jobs import jobs_in
from tests.ticking import START, FakeClock

THREADS, ROUNDS = 16, 8


class Stop(Exception):
    """Ends a transaction's block early."""


def counter(database: Database, *, lock: bool = False) -> int:
    """Add one to a number that a row holds; gives the new one."""
    with database.transaction() as tx:
        query = select(Lease).where(Lease.name == "counter")
        row = tx.session.scalar(query.with_for_update() if lock else query)
        if row is None:
            row = Lease(name="counter", holder="0", until=tx.now)
            tx.session.add(row)
        row.holder = str(int(row.holder) + 1)
        return int(row.holder)


DURABLE: dict[str, dict[str, object]] = {
    "sqlite": {
        "PRAGMA journal_mode": "wal",
        "PRAGMA synchronous": 2,  # FULL
        "PRAGMA foreign_keys": 1,
        "PRAGMA busy_timeout": SQLITE_BUSY_SECONDS * 1000,
    },
    "postgresql": {"SHOW synchronous_commit": "on", "SHOW transaction_isolation": "read committed"},
}


def test_what_is_acknowledged_is_kept(database: Database) -> None:
    expected = DURABLE[database.dialect]
    for opened in (database.transaction(), database.reading(), database.transaction()):
        with opened as tx:
            assert {query: tx.session.scalar(text(query)) for query in expected} == expected


def test_a_transaction_tells_who_and_when(database: Database, clock: FakeClock) -> None:
    with database.transaction(Actor("ana", "api", "req-7")) as tx:
        clock.advance(hours=1)
        assert tx.now == START, "now does not move inside a transaction"
        note(tx, "thing", "1")
    entry = audit_of(database, "thing")[0]
    assert (entry.actor, entry.source, entry.request_id, entry.at) == ("ana", "api", "req-7", START)


@pytest.mark.parametrize("error", [Stop(), NotFound("thing", 1)], ids=["foreign", "our own"])
def test_an_error_undoes_everything(database: Database, error: Exception) -> None:
    woken: list[list[int]] = []
    steps: list[str] = []
    database.wake = woken.append

    def work() -> None:
        with database.transaction() as tx:
            note(tx, "thing", "1")
            tx.enqueue("test.kind", "1")
            tx.at_commit("step", lambda _tx: steps.append("ran"))
            tx.session.flush()
            raise error

    with pytest.raises(type(error)):
        work()
    assert (audit_of(database, "thing"), jobs_in(database), woken, steps) == ([], [], [], [])


def test_workers_are_woken_after_the_commit_and_only_for_what_is_due(database: Database) -> None:
    seen: list[list[str]] = []

    def wake(ids: list[int]) -> None:
        seen.append([f"{job.kind} {job.key}" for job in jobs_in(database) if job.id in ids])  # another connection

    database.wake = wake
    with database.transaction() as tx:
        tx.enqueue("test.later", due_at=tx.now + timedelta(seconds=1))
        tx.enqueue("test.now", "2")
        tx.enqueue("test.now", "1")
        tx.enqueue("test.past", due_at=tx.now - timedelta(days=1))
        tx.session.flush()
        assert seen == []
    assert seen == [["test.now 1", "test.now 2", "test.past "]]
    with database.transaction() as tx:
        note(tx, "thing", "1")
    assert len(seen) == 1, "nothing due, nobody woken"


def test_last_steps_run_once_by_name_after_all_else(database: Database) -> None:
    ran: list[str] = []

    def step(name: str) -> None:
        def run(inner: Transaction) -> None:
            jobs = inner.session.scalars(text("SELECT kind FROM job")).all()
            entries = inner.session.scalars(select(AuditEntry.entity_id).order_by(AuditEntry.id)).all()
            ran.append(f"{name}: {jobs} {entries}")
            note(inner, "of a step", name)

        tx.at_commit(name, run)

    with database.transaction() as tx:
        step("replica")
        step("zone")
        step("account")
        step("replica")
        tx.enqueue("test.kind")
        note(tx, "thing", "1")
        assert ran == []
    assert ran == [
        "account: ['test.kind'] ['1']",
        "replica: ['test.kind'] ['1', 'account']",
        "zone: ['test.kind'] ['1', 'account', 'replica']",
    ]
    assert [entry.entity_id for entry in audit_of(database, "of a step")] == ["account", "replica", "zone"]


def test_a_last_step_that_fails_undoes_everything(database: Database) -> None:
    woken: list[list[int]] = []
    database.wake = woken.append

    def fail(_tx: Transaction) -> None:
        raise Stop

    def work() -> None:
        with database.transaction() as tx:
            note(tx, "thing", "1")
            tx.enqueue("test.kind")
            tx.at_commit("step", fail)

    with pytest.raises(Stop):
        work()
    assert (audit_of(database, "thing"), jobs_in(database), woken) == ([], [], [])


def test_a_last_step_cannot_ask_for_what_would_be_lost(database: Database) -> None:
    with pytest.raises(RuntimeError, match="a job"), database.transaction() as tx:
        tx.at_commit("step", lambda inner: inner.enqueue("test.kind"))
    with pytest.raises(RuntimeError, match="'other'"), database.transaction() as tx:
        tx.at_commit("step", lambda inner: inner.at_commit("other", lambda _tx: None))
    assert jobs_in(database) == []


def test_reading_changes_nothing_and_its_rows_stay_readable(database: Database) -> None:
    counter(database)
    with database.reading() as tx:
        row = tx.session.scalars(select(Lease)).one()
        tx.session.execute(text("UPDATE lease SET holder = '99'"))
        note(tx, "thing", "1")
        tx.session.flush()
    assert inspect(row).detached
    assert row.holder == "1"
    assert counter(database) == 2
    assert audit_of(database, "thing") == []


def test_rows_of_a_transaction_stay_readable(database: Database) -> None:
    with database.transaction() as tx:
        row = Lease(name="x", holder="h", until=tx.now)
        tx.session.add(row)
    assert (row.name, row.holder, row.until) == ("x", "h", START)


def test_transactions_of_many_threads_lose_nothing(database: Database) -> None:
    counter(database)

    def work(number: int) -> list[int]:
        given = []
        for round_number in range(ROUNDS):
            given.append(counter(database, lock=True))
            with database.transaction() as tx:
                note(tx, "thing", f"{number}/{round_number}")
        return given

    numbers = [number for given in race(THREADS, work) for number in given]
    assert sorted(numbers) == list(range(2, 2 + THREADS * ROUNDS))
    assert len(audit_of(database, "thing")) == THREADS * ROUNDS


def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    counter(database)
    with database.transaction() as writing:
        writing.session.execute(text("UPDATE lease SET holder = '99'"))
        with database.reading() as tx:
            assert tx.session.scalar(select(Lease.holder)) == "1"


def test_a_broken_constraint_is_not_disguised(database: Database) -> None:
    counter(database)
    with pytest.raises(IntegrityError), database.transaction() as tx:
        tx.session.add(Lease(name="counter", holder="h", until=tx.now))


@pytest.mark.parametrize(
    "statement",
    ["SELEKT 1", "SELECT nothing FROM lease", "INSERT INTO lease (name) VALUES ('x')"],
    ids=["no SQL", "no such column", "a value is missing"],
)
def test_a_mistake_of_ours_is_not_disguised_as_an_outage(database: Database, statement: str) -> None:
    with pytest.raises(DBAPIError), database.transaction() as tx:
        tx.session.execute(text(statement))


def test_errors_do_not_repeat_the_values_of_a_statement(database: Database) -> None:
    with pytest.raises(DBAPIError) as error, database.transaction() as tx:
        tx.session.execute(text("SELECT nothing FROM lease WHERE name = :name"), {"name": "Kanarie9f3x"})
    assert "SELECT nothing" in str(error.value)
    assert "Kanarie9f3x" not in str(error.value)
