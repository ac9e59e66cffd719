"""How long a released address rests, when it is given again, and what an exhausted subnet says about it."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import Conflict
from ipam.allocation import Released, release_fixed_address
from ipam.models import GivenAddress
from ipam.reserved import add_reserved_range
from ipam.subnets import set_gateway, set_quarantine
from tests.factories_ipam import assign, fill, open_subnet, release
from tests.ticking import START, FakeClock


@pytest.mark.parametrize(
    ("own_days", "asked_days", "rest"),
    [
        pytest.param(None, 30, timedelta(days=30), id="the-company's"),
        pytest.param(3, 30, timedelta(days=3), id="the-subnet's-own"),
        pytest.param(0, 30, None, id="the-subnet-has-none"),
        pytest.param(None, 0, None, id="the-company-has-none"),
    ],
)
def test_a_released_address_rests(
    database: Database, clock: FakeClock, own_days: int | None, asked_days: int, rest: timedelta | None
) -> None:
    subnet = open_subnet(database, "10.0.0.0/32")
    fill(database, subnet, 1)
    with database.transaction() as tx:
        set_quarantine(tx, subnet_id=subnet.id, quarantine_days=own_days)
        released = release_fixed_address(tx, subscription_id=1, quarantine_days=asked_days)
    assert released == Released(IPv4Address("10.0.0.0"), subnet.id, START + rest if rest else None)
    if rest:
        clock.now = START + rest - timedelta(microseconds=1)
        with pytest.raises(Conflict), database.transaction() as tx:
            assign(tx, subnet, 2)
        with pytest.raises(Conflict), database.transaction() as tx:
            assign(tx, subnet, 2, "10.0.0.0")
        clock.now = START + rest
    assert fill(database, subnet, 2) == ["10.0.0.0"]


def test_an_ended_quarantine_may_be_asked_for_by_name(database: Database, clock: FakeClock) -> None:
    subnet = open_subnet(database)
    fill(database, subnet, 1, 2)
    with database.transaction() as tx:
        release(tx, 2, days=1)
    clock.advance(days=1)
    with database.transaction() as tx:
        assert assign(tx, subnet, 3, "10.0.0.2") == "10.0.0.2"


def test_returned_and_never_given_addresses_are_one_row_to_choose_from(database: Database, clock: FakeClock) -> None:
    subnet = open_subnet(database, "10.0.0.0/28")
    fill(database, subnet, 1, 2, 3)
    with database.transaction() as tx:
        assign(tx, subnet, 9, "10.0.0.9")
        release(tx, 9, days=0)
        release(tx, 2, days=1)
        release(tx, 3, days=2)
    assert fill(database, subnet, 4) == ["10.0.0.4"]
    clock.advance(days=2)
    assert fill(database, subnet, 5, 6, 7) == ["10.0.0.2", "10.0.0.3", "10.0.0.5"]


def test_ended_quarantines_are_filed_as_free_by_the_next_search(database: Database, clock: FakeClock) -> None:
    subnet = open_subnet(database)
    fill(database, subnet, 1, 2, 3, 4)
    with database.transaction() as tx:
        for holder, days in ((1, 1), (2, 1), (3, 2)):
            release(tx, holder, days=days)
    clock.advance(days=1)
    fill(database, subnet, 5)
    with database.reading() as tx:
        rows = tx.session.execute(select(GivenAddress.state, GivenAddress.since).order_by(GivenAddress.address)).all()
    now, before = START + timedelta(days=1), START
    assert [tuple(row) for row in rows] == [
        ("assigned", now), ("free", now), ("quarantined", before), ("assigned", before)
    ]  # fmt: skip


def test_an_exhausted_subnet_says_when_the_next_quarantine_ends(database: Database, clock: FakeClock) -> None:
    subnet = open_subnet(database, gateway="10.0.0.1")
    with database.transaction() as tx:
        add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.6", last="10.0.0.7")
    fill(database, subnet, 2, 3, 4, 5)
    with pytest.raises(Conflict, match="none is in quarantine: choose another subnet"), database.transaction() as tx:
        assign(tx, subnet, 6)
    with database.transaction() as tx:
        release(tx, 3, days=9)
        release(tx, 4, days=5)
    with pytest.raises(Conflict) as refused, database.transaction() as tx:
        assign(tx, subnet, 6)
    assert refused.value.detail == (
        "the subnet Residencial (10.0.0.0/29) has no free address"
        " (2 assigned, 2 in quarantine, 1 reserved of 5 usable);"
        " the next quarantine ends at 2026-03-07T12:00:00+00:00"
    )
    assert refused.value.extras == {"subnet_id": subnet.id, "next_free_at": "2026-03-07T12:00:00+00:00"}
    clock.advance(days=5)
    assert fill(database, subnet, 6) == ["10.0.0.4"]


def test_the_end_that_is_promised_is_of_an_address_that_may_be_given(database: Database) -> None:
    subnet = open_subnet(database, "10.0.0.0/29")
    fill(database, subnet, 1, 2, 3, 4, 5, 6)
    with database.transaction() as tx:
        for holder in (1, 2, 3):
            release(tx, holder, days=holder)
        add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.1", last="10.0.0.1")
        set_gateway(tx, subnet_id=subnet.id, gateway="10.0.0.2")
    with pytest.raises(Conflict, match="ends at 2026-03-05") as refused, database.transaction() as tx:
        assign(tx, subnet, 7)
    assert "3 assigned, 1 in quarantine, 1 reserved of 5 usable" in refused.value.detail
