"""Fixed addresses: which one is given, which never, moved on, and what a refusal says."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from sqlalchemy import func, select

from core.actor import Actor
from core.audit import AuditEntry
from core.database import Database, Transaction
from core.errors import Conflict, InvalidInput, NotFound
from ipam.allocation import (
    FixedAddress,
    assign_fixed_address,
    fixed_address_of,
    move_fixed_address,
    release_fixed_address,
)
from ipam.lookup import fixed_address
from ipam.models import GivenAddress, Subnet
from ipam.reserved import add_reserved_range
from ipam.subnets import get_subnet
from ipam.vacancy import next_free_address
from tests.factories_ipam import assign, fill, make_subnet, open_subnet, release
from tests.ticking import START, FakeClock


@pytest.mark.parametrize(
    ("cidr", "gateway", "given"),
    [
        pytest.param("10.0.0.0/29", None, ["1", "2", "3", "4", "5", "6"], id="all-hosts"),
        pytest.param("10.0.0.0/29", "10.0.0.1", ["2", "3", "4", "5", "6"], id="gateway-first"),
        pytest.param("10.0.0.0/29", "10.0.0.3", ["1", "2", "4", "5", "6"], id="gateway-amid"),
        pytest.param("10.0.0.0/29", "10.0.0.6", ["1", "2", "3", "4", "5"], id="gateway-last"),
        pytest.param("10.0.0.0/30", None, ["1", "2"], id="two-hosts"),
        pytest.param("10.0.0.0/31", None, ["0", "1"], id="point-to-point"),
        pytest.param("10.0.0.0/31", "10.0.0.0", ["1"], id="point-to-point-with-gateway"),
        pytest.param("10.0.0.8/32", None, ["8"], id="one-host"),
        pytest.param("10.0.0.8/32", "10.0.0.8", [], id="nothing-but-a-gateway"),
    ],
)
def test_the_lowest_first_and_then_no_more(
    database: Database, cidr: str, gateway: str | None, given: list[str]
) -> None:
    subnet = open_subnet(database, cidr, gateway)
    assert fill(database, subnet, *range(1, len(given) + 1)) == [f"10.0.0.{octet}" for octet in given]
    with pytest.raises(Conflict, match="no free address"), database.transaction() as tx:
        assign(tx, subnet, 99)


def test_a_given_address_comes_with_what_a_router_needs(database: Database) -> None:
    subnet = open_subnet(database, gateway="10.0.0.1")
    with database.transaction() as tx:
        given = assign_fixed_address(tx, subscription_id=7, subnet_id=subnet.id)
    expected = FixedAddress(
        subscription_id=7, address=IPv4Address("10.0.0.2"), prefix_length=29, gateway=IPv4Address("10.0.0.1"),
        subnet_id=subnet.id, subnet_name="Residencial", since=START,
    )  # fmt: skip
    assert given == expected
    with database.reading() as tx:
        assert fixed_address(tx, 7) == expected


def test_the_preview_is_what_is_given_next(database: Database, clock: FakeClock) -> None:
    subnet = open_subnet(database, "10.0.0.0/30")
    for holder, expected in ((1, "10.0.0.1"), (2, "10.0.0.2"), (3, None)):
        with database.reading() as tx:
            preview = next_free_address(tx, subnet.id)
        assert (str(preview) if preview else None) == expected
        if expected:
            assert fill(database, subnet, holder) == [expected]
    with database.transaction() as tx:
        release(tx, 2, days=1)
    for days, expected in ((0.5, None), (0.5, "10.0.0.2")):
        clock.advance(days=days)
        with database.reading() as tx:
            preview = next_free_address(tx, subnet.id)
        assert (str(preview) if preview else None) == expected


def test_addresses_asked_for_by_name_are_stepped_over(database: Database) -> None:
    subnet = open_subnet(database, "10.0.0.0/24")
    with database.transaction() as tx:
        for octet in range(2, 150):
            assign(tx, subnet, octet, f"10.0.0.{octet}")
    assert fill(database, subnet, 201, 202, 203) == ["10.0.0.1", "10.0.0.150", "10.0.0.151"]


@pytest.mark.parametrize(
    ("address", "detail", "state"),
    [
        pytest.param("10.0.0.0", "is the network address", "network", id="network"),
        pytest.param("10.0.0.15", "is the broadcast address", "broadcast", id="broadcast"),
        pytest.param("10.0.0.1", "is the gateway address", "gateway", id="gateway"),
        pytest.param("10.0.0.5", "is reserved", "reserved", id="reserved"),
        pytest.param("10.0.0.9", "fixed address of subscription 9", "assigned", id="assigned"),
        pytest.param(
            "10.0.0.10",
            "in quarantine until 2026-04-01T12:00:00+00:00; subscription 10 had it",
            "quarantined",
            id="in-quarantine",
        ),
    ],
)
def test_a_named_address_that_cannot_be_given_says_why(
    database: Database, address: str, detail: str, state: str
) -> None:
    subnet = open_subnet(database, "10.0.0.0/28", "10.0.0.1")
    with database.transaction() as tx:
        add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.4", last="10.0.0.6")
        assign(tx, subnet, 9, "10.0.0.9")
        assign(tx, subnet, 10, "10.0.0.10")
        release(tx, 10)
    with pytest.raises(Conflict, match=detail.replace("+", r"\+")) as refused, database.transaction() as tx:
        assign(tx, subnet, 20, address)
    assert refused.value.extras["state"] == state


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        pytest.param("10.0.1.1", r"an address of the subnet Residencial \(10.0.0.0/29\)", id="of-another-network"),
        pytest.param("10.0.0.300", "an IPv4 address", id="unreadable"),
        pytest.param("2001:db8::7", "an IPv4 address", id="another-family"),
    ],
)
def test_a_bad_address_is_refused(database: Database, address: str, rule: str) -> None:
    subnet = open_subnet(database)
    with pytest.raises(InvalidInput, match=rule) as refused, database.transaction() as tx:
        assign(tx, subnet, 1, address)
    assert refused.value.field == "address"


def test_a_subscription_has_one_fixed_address(database: Database) -> None:
    subnet = open_subnet(database)
    fill(database, subnet, 7)
    with database.transaction() as tx:
        elsewhere = make_subnet(tx, "10.1.0.0/24")
    for wanted in (subnet, elsewhere):
        named = "subscription 7 has the fixed address 10.0.0.1"
        with pytest.raises(Conflict, match=named) as refused, database.transaction() as tx:
            assign(tx, wanted, 7)
        assert refused.value.extras == {"address": "10.0.0.1", "subnet_id": subnet.id}


def test_a_moved_address_goes_on_without_rest(database: Database, clock: FakeClock) -> None:
    subnet = open_subnet(database)
    fill(database, subnet, 1)
    later = clock.advance(hours=1)
    with database.transaction() as tx:
        moved = move_fixed_address(tx, from_subscription=1, to_subscription=2)
    assert (str(moved.address), moved.subscription_id, moved.since) == ("10.0.0.1", 2, later)
    with database.reading() as tx:
        assert fixed_address(tx, 2) == moved
        assert fixed_address_of(tx, 1) is None
    assert fill(database, subnet, 1) == ["10.0.0.2"]


def test_a_move_is_refused_when_it_cannot_be(database: Database) -> None:
    subnet = open_subnet(database)
    fill(database, subnet, 1, 2)
    with pytest.raises(Conflict, match="subscription 2 has the fixed address"), database.transaction() as tx:
        move_fixed_address(tx, from_subscription=1, to_subscription=2)
    with pytest.raises(NotFound, match="fixed address of subscription 3"), database.transaction() as tx:
        move_fixed_address(tx, from_subscription=3, to_subscription=4)
    with pytest.raises(InvalidInput, match="another subscription"), database.transaction() as tx:
        move_fixed_address(tx, from_subscription=1, to_subscription=1)


def test_nothing_to_release_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="fixed address of subscription 5"), database.transaction() as tx:
        release_fixed_address(tx, subscription_id=5, quarantine_days=30)
    with pytest.raises(InvalidInput, match="quarantine_days"), database.transaction() as tx:
        release_fixed_address(tx, subscription_id=5, quarantine_days=-1)
    with pytest.raises(NotFound, match="no subnet 9"), database.transaction() as tx:
        assign_fixed_address(tx, subscription_id=5, subnet_id=9)


def _release_and_assign(tx: Transaction, subnet: Subnet) -> None:
    release(tx, 1, days=3)
    assign(tx, subnet, 2)


def test_a_refusal_leaves_nothing_behind(database: Database) -> None:
    subnet = open_subnet(database, "10.0.0.0/32")
    fill(database, subnet, 1)
    with pytest.raises(Conflict), database.transaction() as tx:
        _release_and_assign(tx, subnet)
    with database.reading() as tx:
        assert fixed_address_of(tx, 1) == IPv4Address("10.0.0.0")


def test_a_large_subnet_costs_a_row_for_each_given_address_only(database: Database) -> None:
    subnet = open_subnet(database, "10.0.0.0/8")
    fill(database, subnet, 1, 2)
    with database.reading() as tx:
        assert tx.session.scalar(select(func.count()).select_from(GivenAddress)) == 2
        assert str(get_subnet(tx, subnet.id).high_water) == "10.0.0.2"


def test_every_change_is_audited_with_its_author(database: Database) -> None:
    subnet = open_subnet(database)
    with database.transaction(Actor("ana", "api", "r-1")) as tx:
        assign(tx, subnet, 1)
        move_fixed_address(tx, from_subscription=1, to_subscription=2)
        release(tx, 2, days=1)
    with database.reading() as tx:
        mine = select(AuditEntry).where(AuditEntry.entity == "address").order_by(AuditEntry.id)
        entries = [(entry.action, entry.entity_id, entry.before, entry.after) for entry in tx.session.scalars(mine)]
        assert {entry.actor for entry in tx.session.scalars(mine)} == {"ana"}
    rest = {"state": "quarantined", "quarantined_until": "2026-03-03T12:00:00+00:00"}
    assert entries == [
        ("assign", "10.0.0.1", None, {"subscription_id": 1, "subnet_id": subnet.id}),
        ("move", "10.0.0.1", {"subscription_id": 1}, {"subscription_id": 2}),
        ("release", "10.0.0.1", {"subscription_id": 2}, rest),
    ]
