"""Payments against a run that is about to suspend the same people: nobody who paid stays suspended.

PostgreSQL: threads. SQLite has one writer, so there the steps are interleaved by chance, with crashes among them. The
number of races is that of CATRACA_RACES.
"""

from __future__ import annotations

import os
import random
from contextlib import suppress

import pytest
from sqlalchemy import select

from billing_bridge.dunning.work import continue_run, start_run
from billing_bridge.payments import receive
from core.database import Database
from provisioning.models import Debt, RestrictionOrderRow, Subscription
from radius import replica
from radius.policy import Denial, Grant
from radius.records import login_key, unpack
from tests.factories_core import race
from tests.factories_dunning import ROUTINE, late_in, run_of, step

RACES = int(os.environ.get("CATRACA_RACES", "100"))
TOGETHER = 25
ROUNDS = range(max(1, RACES // TOGETHER))


class Crashed(Exception):
    pass


@pytest.fixture
def uncapped(database: Database) -> Database:
    database.settings.suspension_cap_minimum = 10**6
    return database


def invoices_of(database: Database, ids: list[int]) -> dict[int, int]:
    """Subscription → its one invoice."""
    with database.reading() as tx:
        rows = tx.session.execute(select(Debt.subscription_id, Debt.invoice_id).where(Debt.subscription_id.in_(ids)))
        return {row.subscription_id: row.invoice_id for row in rows}


def pay(database: Database, invoice_id: int) -> None:
    with database.transaction() as tx:
        receive(tx, invoice_id=invoice_id)


def states_of(database: Database, ids: list[int]) -> dict[int, set[object]]:
    """What is said of each: its state, how many orders live, the address list that RADIUS would answer with."""
    with database.reading() as tx:
        entries = {key: value for _, key, value in replica.changes_since(tx, 0) if value is not None}
        query = select(RestrictionOrderRow.subscription_id).where(RestrictionOrderRow.lapsed_at.is_(None))
        live = list(tx.session.scalars(query))
        found: dict[int, set[object]] = {}
        for row in tx.session.scalars(select(Subscription).where(Subscription.id.in_(ids))):
            assert row.login is not None
            answer = unpack(login_key(row.login.encode()), entries, tx.keyring.unseal).spans[0].answer
            found[row.id] = {row.state, live.count(row.id), listed(answer)}
        return found


def listed(answer: Grant | Denial) -> str:
    return answer.policy.address_list if isinstance(answer, Grant) else answer.reason


ACTIVE: set[object] = {"ACTIVE", 0, ""}
SUSPENDED: set[object] = {"SUSPENDED", 1, "catraca-suspended"}


def check(database: Database, paid: list[int], unpaid: list[int]) -> None:
    found = states_of(database, [*paid, *unpaid])
    assert {key: found[key] for key in paid} == dict.fromkeys(paid, ACTIVE)
    assert {key: found[key] for key in unpaid} == dict.fromkeys(unpaid, SUSPENDED)


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
def test_in_threads(uncapped: Database) -> None:
    for number in ROUNDS:
        one_round_in_threads(uncapped, random.Random(number))


def one_round_in_threads(database: Database, chance: random.Random) -> None:
    ids = late_in(database, TOGETHER + 2)
    paid, unpaid = ids[:TOGETHER], ids[TOGETHER:]
    invoices = invoices_of(database, paid)
    payments = [invoices[key] for key in chance.sample(paid, len(paid))]
    size = chance.choice([1, 3, 30])
    with database.transaction(ROUTINE) as tx:
        run_id = start_run(tx, chunk=size, planning=chance.choice([2, 9])).id

    def work(worker: int) -> None:
        if worker < 2:
            while step(database, run_id, size).status in ("planning", "running"):
                pass
            return
        for invoice in payments[worker % 2 :: 2]:
            pay(database, invoice)

    race(4, work)
    check(database, paid, unpaid)


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
def test_interleaved_by_chance(uncapped: Database) -> None:
    for number in ROUNDS:
        one_round_by_chance(uncapped, random.Random(number))


def one_round_by_chance(database: Database, chance: random.Random) -> None:
    ids = late_in(database, TOGETHER + 2)
    paid, unpaid = ids[:TOGETHER], ids[TOGETHER:]
    invoices = invoices_of(database, paid)
    payments = [invoices[key] for key in chance.sample(paid, len(paid))]
    with database.transaction(ROUTINE) as tx:
        run_id = start_run(tx, chunk=1, planning=3).id
    while payments or run_of(database, run_id).status in ("planning", "running"):
        draw = chance.random()
        if payments and draw < 0.5:
            pay(database, payments.pop())
        elif draw < 0.6:
            with suppress(Crashed):
                die_in_a_step(database, run_id)
        else:
            step(database, run_id, chance.choice([1, 2, 5]))
    check(database, paid, unpaid)


def die_in_a_step(database: Database, run_id: int) -> None:
    with database.transaction(ROUTINE) as tx:
        continue_run(tx, run_id, chunk=3, planning=3)
        raise Crashed
