"""Thirty-two requests at once: the database lets no address be given twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from core.database import Database
from core.errors import CatracaError, Conflict, NotAllowed, NotFound
from ipam.allocation import move_fixed_address, release_fixed_address
from ipam.lookup import fixed_address_of
from ipam.models import AddressTenure, GivenAddress, Subnet
from ipam.subnets import delete_subnet
from tests.factories_ipam import assign, make_subnet, race, release
from tests.ticking import START

RACERS = 32


def make(database: Database, cidr: str) -> Subnet:
    with database.transaction() as tx:
        return make_subnet(tx, cidr)


def assigner(database: Database, subnet: Subnet, address: str | None = None) -> Callable[[int], str]:
    """Gives subscription `number + 1` an address in a transaction of its own."""

    def attempt(number: int) -> str:
        with database.transaction() as tx:
            return assign(tx, subnet, number + 1, address)

    return attempt


def given_in(outcomes: list[str | CatracaError]) -> list[IPv4Address]:
    return sorted(IPv4Address(outcome) for outcome in outcomes if isinstance(outcome, str))


def held(database: Database) -> list[IPv4Address]:
    """Addresses that the database says are assigned, one entry for each holder in the open history too."""
    with database.reading() as tx:
        rows = select(GivenAddress.address).where(GivenAddress.state == "assigned").order_by(GivenAddress.address)
        tenures = select(AddressTenure.address).where(AddressTenure.until.is_(None)).order_by(AddressTenure.address)
        assigned, open_now = list(tx.session.scalars(rows)), list(tx.session.scalars(tenures))
    assert assigned == open_now
    return [IPv4Address(int(address)) for address in assigned]


def test_racing_requests_get_addresses_of_their_own(database: Database) -> None:
    subnet = make(database, "10.0.0.0/26")
    given = given_in(race(RACERS, assigner(database, subnet)))
    assert given == [IPv4Address(f"10.0.0.{octet}") for octet in range(1, RACERS + 1)]
    assert held(database) == given


def test_racing_for_too_few_gives_each_once_and_refuses_the_rest(database: Database) -> None:
    subnet = make(database, "10.0.0.0/28")
    outcomes = race(RACERS, assigner(database, subnet))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert given_in(outcomes) == held(database) == list(subnet.network)[1:-1]
    assert len(refused) == RACERS - 14
    assert all("14 assigned" in error.detail for error in refused)


def test_racing_for_returned_addresses_gives_each_once(database: Database) -> None:
    subnet = make(database, "10.0.0.0/26")
    with database.transaction() as tx:
        for holder in range(101, 141):
            assign(tx, subnet, holder)
        for holder in range(101, 141, 2):
            release(tx, holder, days=0)
    given = given_in(race(RACERS, assigner(database, subnet)))
    returned = [IPv4Address(f"10.0.0.{octet}") for octet in range(1, 41, 2)]
    assert given == returned + [IPv4Address(f"10.0.0.{octet}") for octet in range(41, 53)]
    assert len(held(database)) == 20 + RACERS


def test_racing_for_one_address_has_one_winner(database: Database) -> None:
    subnet = make(database, "10.0.0.0/26")
    outcomes = race(RACERS, assigner(database, subnet, "10.0.0.7"))
    assert given_in(outcomes) == held(database) == [IPv4Address("10.0.0.7")]
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == RACERS - 1


def test_one_subscription_racing_over_subnets_gets_one_address(database: Database) -> None:
    subnets = [make(database, f"10.0.{number}.0/29") for number in range(RACERS)]

    def attempt(number: int) -> str:
        with database.transaction() as tx:
            return assign(tx, subnets[number], 7)

    outcomes = race(RACERS, attempt)
    assert len(given_in(outcomes)) == len(held(database)) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == RACERS - 1


def test_racing_releases_take_effect_once(database: Database) -> None:
    subnet = make(database, "10.0.0.0/29")
    with database.transaction() as tx:
        assign(tx, subnet, 7)

    def attempt(_number: int) -> str:
        with database.transaction() as tx:
            return str(release_fixed_address(tx, subscription_id=7, quarantine_days=1).address)

    outcomes = race(RACERS, attempt)
    assert given_in(outcomes) == [IPv4Address("10.0.0.1")]
    assert sum(isinstance(outcome, NotFound) for outcome in outcomes) == RACERS - 1
    assert held(database) == []


def test_racing_moves_and_releases_leave_one_holder_or_none(database: Database) -> None:
    subnet = make(database, "10.0.0.0/29")
    with database.transaction() as tx:
        assign(tx, subnet, 1)

    def attempt(number: int) -> str:
        with database.transaction() as tx:
            if number % 2:
                return str(move_fixed_address(tx, from_subscription=1, to_subscription=100 + number).address)
            return str(release_fixed_address(tx, subscription_id=1, quarantine_days=1).address)

    outcomes = race(RACERS, attempt)
    moved = [outcome for number, outcome in enumerate(outcomes) if number % 2 and isinstance(outcome, str)]
    assert len(given_in(outcomes)) == 1
    assert len(held(database)) == len(moved)


def test_a_busy_subnet_stays_consistent(database: Database) -> None:
    subnet = make(database, "10.0.0.0/28")

    def attempt(number: int) -> str:
        with database.transaction() as tx:
            assign(tx, subnet, number + 1)
        with database.transaction() as tx:
            release_fixed_address(tx, subscription_id=number + 1, quarantine_days=0)
        with database.transaction() as tx:
            return assign(tx, subnet, number + 1)

    outcomes = race(RACERS, attempt)
    assert set(given_in(outcomes)) <= set(held(database))
    assert len(held(database)) == len(set(held(database))) <= 14
    assert Counter(type(outcome) for outcome in outcomes).keys() <= {str, Conflict}


def test_an_assignment_racing_with_the_end_of_its_subnet(database: Database) -> None:
    subnet = make(database, "10.0.0.0/29")

    def attempt(number: int) -> str:
        with database.transaction() as tx:
            if number % 2:
                return assign(tx, subnet, number)
            delete_subnet(tx, subnet_id=subnet.id)
            return "deleted"

    outcomes = race(8, attempt)
    deleted = "deleted" in outcomes
    assert all(isinstance(outcome, str | NotFound | NotAllowed) for outcome in outcomes)
    assert len(held(database)) == (0 if deleted else 4)


def test_a_row_that_is_taken_past_the_lock_is_not_taken_over(database: Database) -> None:
    """Another program gives a returned address without our lock, and commits while our claim waits for its row."""
    subnet = make(database, "10.0.0.0/32")
    with database.transaction() as tx:
        assign(tx, subnet, 1)
        release(tx, 1, days=0)
    with ThreadPoolExecutor(1) as threads:
        with database.transaction() as tx:
            by_hand = update(GivenAddress).values(state="assigned", subscription_id=50)
            tx.session.execute(by_hand, execution_options={"synchronize_session": False})
            ours = threads.submit(race, 1, assigner(database, subnet))
            if database.dialect == "postgresql":
                await_a_waiting_claim(database)
        assert isinstance(ours.result()[0], Conflict)
    with database.reading() as tx:
        assert fixed_address_of(tx, 50) == IPv4Address("10.0.0.0")
        assert fixed_address_of(tx, 1) is None


def await_a_waiting_claim(database: Database) -> None:
    """Return when a session of this database waits for another one's row."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while True:
        with database.reading() as tx:
            if tx.session.scalar(waiting):
                return


def insert_row(database: Database, **values: object) -> None:
    whole = {"family": 4, "state": "assigned", "subscription_id": 1, "since": START, "quarantined_until": None}
    with database.transaction() as tx:
        tx.session.execute(insert(GivenAddress).values(**(whole | values)))


@pytest.mark.parametrize(
    "second",
    [
        pytest.param({"address": "10.0.0.1", "subscription_id": 2}, id="one-address-twice"),
        pytest.param({"address": "10.0.0.2", "subscription_id": 1}, id="two-addresses-for-one"),
        pytest.param({"address": "10.0.0.2", "subscription_id": None}, id="assigned-to-nobody"),
        pytest.param({"address": "10.0.0.2", "subscription_id": 2, "state": "free"}, id="free-but-held"),
        pytest.param({"address": "10.0.0.2", "subscription_id": None, "state": "quarantined"}, id="endless-quarantine"),
        pytest.param({"address": "10.0.0.2", "subscription_id": None, "state": "lost"}, id="unknown-state"),
        pytest.param({"address": "10.0.0.2", "subscription_id": 2, "subnet_id": 999}, id="of-no-subnet"),
    ],
)
def test_the_database_itself_refuses(database: Database, second: dict[str, object]) -> None:
    subnet = make(database, "10.0.0.0/29")
    insert_row(database, address=IPv4Address("10.0.0.1"), subnet_id=subnet.id)
    values = {"subnet_id": subnet.id} | second | {"address": IPv4Address(str(second["address"]))}
    with pytest.raises(IntegrityError):
        insert_row(database, **values)
