"""Reserved ranges are never given, and never laid over somebody's address."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.audit import AuditEntry
from core.database import Database
from core.errors import Conflict, InvalidInput, NotFound
from ipam.models import Subnet
from ipam.reserved import add_reserved_range, delete_reserved_range, reserved_ranges
from tests.factories_ipam import assign, make_subnet, race, release
from tests.ticking import FakeClock


def make(database: Database, *ranges: tuple[str, str, str], cidr: str = "10.0.0.0/28") -> Subnet:
    with database.transaction() as tx:
        subnet = make_subnet(tx, cidr)
        for first, last, purpose in ranges:
            add_reserved_range(tx, subnet_id=subnet.id, first=first, last=last, purpose=purpose)
    return subnet


def test_automatic_addresses_step_over_ranges(database: Database) -> None:
    subnet = make(
        database,
        ("10.0.0.4", "10.0.0.4", "camera"),
        ("10.0.0.0", "10.0.0.2", "routers"),
        ("10.0.0.5", "10.0.0.11", "switches"),
    )
    with database.transaction() as tx:
        assert [assign(tx, subnet, holder) for holder in (1, 2, 3)] == ["10.0.0.3", "10.0.0.12", "10.0.0.13"]
        assert [kept.purpose for kept in reserved_ranges(tx, subnet.id)] == ["routers", "camera", "switches"]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        pytest.param("10.0.0.4", "10.0.0.6", id="the-same"),
        pytest.param("10.0.0.2", "10.0.0.4", id="into-its-first"),
        pytest.param("10.0.0.6", "10.0.0.9", id="into-its-last"),
        pytest.param("10.0.0.5", "10.0.0.5", id="inside"),
        pytest.param("10.0.0.1", "10.0.0.14", id="around"),
    ],
)
def test_ranges_do_not_meet(database: Database, first: str, last: str) -> None:
    subnet = make(database, ("10.0.0.4", "10.0.0.6", "switches"))
    named = r"reserved range 10.0.0.4–10.0.0.6 \(switches\)"
    with pytest.raises(Conflict, match=named), database.transaction() as tx:
        add_reserved_range(tx, subnet_id=subnet.id, first=first, last=last)


def test_ranges_may_touch(database: Database) -> None:
    subnet = make(database, ("10.0.0.4", "10.0.0.6", ""), ("10.0.0.7", "10.0.0.8", ""), ("10.0.0.3", "10.0.0.3", ""))
    with database.reading() as tx:
        assert [str(kept.first) for kept in reserved_ranges(tx, subnet.id)] == ["10.0.0.3", "10.0.0.4", "10.0.0.7"]


def test_a_range_over_addresses_in_use_is_refused_naming_them(database: Database) -> None:
    subnet = make(database)
    with database.transaction() as tx:
        for holder in range(1, 9):
            assign(tx, subnet, holder)
    with pytest.raises(Conflict) as refused, database.transaction() as tx:
        add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.2", last="10.0.0.14")
    assert "10.0.0.2 (subscription 2), 10.0.0.3 (subscription 3)" in refused.value.detail
    assert refused.value.detail.endswith("10.0.0.6 (subscription 6) and more")
    named = refused.value.extras["addresses"]
    assert isinstance(named, list)
    assert named[0] == {"address": "10.0.0.2", "subscription_id": 2}
    with database.reading() as tx:
        assert not reserved_ranges(tx, subnet.id)


def test_an_address_in_quarantine_may_be_reserved_and_is_not_given_after_it(
    database: Database, clock: FakeClock
) -> None:
    subnet = make(database, cidr="10.0.0.0/30")
    with database.transaction() as tx:
        assign(tx, subnet, 1)
        assign(tx, subnet, 2)
        release(tx, 1, days=1)
        kept = add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.1", last="10.0.0.1")
    clock.advance(days=2)
    with pytest.raises(Conflict, match="no free address"), database.transaction() as tx:
        assign(tx, subnet, 3)
    with database.transaction() as tx:
        delete_reserved_range(tx, range_id=kept.id)
        assert assign(tx, subnet, 3) == "10.0.0.1"


def test_addresses_of_a_deleted_range_are_given_next(database: Database) -> None:
    subnet = make(database, ("10.0.0.1", "10.0.0.3", ""))
    with database.transaction() as tx:
        assert assign(tx, subnet, 1) == "10.0.0.4"
        assert assign(tx, subnet, 2, "10.0.0.6") == "10.0.0.6"
        delete_reserved_range(tx, range_id=reserved_ranges(tx, subnet.id)[0].id)
        given = [assign(tx, subnet, holder) for holder in range(3, 8)]
    assert given == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.5", "10.0.0.7"]


def test_a_deleted_range_over_the_network_address_does_not_set_that_free(database: Database) -> None:
    subnet = make(database, ("10.0.0.0", "10.0.0.3", ""))
    with database.transaction() as tx:
        delete_reserved_range(tx, range_id=reserved_ranges(tx, subnet.id)[0].id)
        assert assign(tx, subnet, 1) == "10.0.0.1"


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        pytest.param("10.0.0.9", "10.0.0.8", "last", id="wrong-way-round"),
        pytest.param("10.0.0.9", "10.0.0.16", "last", id="outside"),
        pytest.param("::1", "10.0.0.8", "first", id="another-family"),
    ],
)
def test_a_bad_range_is_refused(database: Database, first: str, last: str, field: str) -> None:
    subnet = make(database)
    with pytest.raises(InvalidInput) as refused, database.transaction() as tx:
        add_reserved_range(tx, subnet_id=subnet.id, first=first, last=last)
    assert refused.value.field == field


def test_unknown_things_are_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="no subnet 9"), database.transaction() as tx:
        add_reserved_range(tx, subnet_id=9, first="10.0.0.1", last="10.0.0.2")
    with pytest.raises(NotFound, match="no reserved range 9"), database.transaction() as tx:
        delete_reserved_range(tx, range_id=9)
    with pytest.raises(NotFound, match="no subnet 9"), database.reading() as tx:
        reserved_ranges(tx, 9)


def test_a_range_racing_with_assignments_never_covers_one(database: Database) -> None:
    subnet = make(database)

    def attempt(number: int) -> str:
        with database.transaction() as tx:
            if number % 4:
                return assign(tx, subnet, number)
            kept = add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.5", last="10.0.0.7")
            return str(kept.first)

    outcomes = race(12, attempt)
    reserved = [outcome for outcome in outcomes[::4] if isinstance(outcome, str)]
    given = {outcome for number, outcome in enumerate(outcomes) if number % 4 and isinstance(outcome, str)}
    assert len(given) == 9
    assert len(reserved) <= 1
    assert not (reserved and given & {"10.0.0.5", "10.0.0.6", "10.0.0.7"})


def test_ranges_are_audited(database: Database) -> None:
    subnet = make(database, ("10.0.0.4", "10.0.0.6", "switches"))
    with database.transaction() as tx:
        range_id = reserved_ranges(tx, subnet.id)[0].id
        delete_reserved_range(tx, range_id=range_id)
    with database.reading() as tx:
        mine = select(AuditEntry).where(AuditEntry.entity == "reserved_range").order_by(AuditEntry.id)
        entries = [(entry.action, entry.entity_id, entry.before, entry.after) for entry in tx.session.scalars(mine)]
    values = {"subnet_id": subnet.id, "first": "10.0.0.4", "last": "10.0.0.6", "purpose": "switches"}
    assert entries == [("add", str(range_id), None, values), ("delete", str(range_id), values, None)]
