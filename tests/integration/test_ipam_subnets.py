"""Subnets: never two over one another, whoever adds them at the same time; described, moved, deleted when empty."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from sqlalchemy import func, select

from core.audit import AuditEntry
from core.database import Database, Transaction
from core.errors import CatracaError, Conflict, InvalidInput, NotAllowed, NotFound
from ipam.folders import add_folder
from ipam.history import history_of_address
from ipam.models import GivenAddress, Subnet
from ipam.reserved import add_reserved_range
from ipam.subnets import (
    add_subnet,
    delete_subnet,
    list_subnets,
    move_subnet,
    rename_subnet,
    set_gateway,
    set_quarantine,
    subnet_around,
)
from tests.factories_ipam import assign, make_folder, make_subnet, race, release
from tests.ticking import FakeClock


def test_a_subnet_stands_as_it_was_written(database: Database) -> None:
    with database.transaction() as tx:
        folder = make_folder(tx)
        subnet_id = add_subnet(
            tx, folder_id=folder.id, name=" PPPoE  1 ", cidr="10.8.0.0/22", gateway="10.8.3.254", quarantine_days=7
        ).id
    with database.reading() as tx:
        subnet = tx.session.get_one(Subnet, subnet_id)
        assert (subnet.label, subnet.folder_id, subnet.quarantine_days) == ("PPPoE 1 (10.8.0.0/22)", folder.id, 7)
        assert (str(subnet.last), str(subnet.gateway)) == ("10.8.3.255", "10.8.3.254")


@pytest.mark.parametrize(
    "cidr",
    [
        pytest.param("10.0.4.0/22", id="the-same"),
        pytest.param("10.0.0.0/16", id="around"),
        pytest.param("10.0.6.0/24", id="inside"),
        pytest.param("10.0.4.0/32", id="its-first-address"),
        pytest.param("10.0.7.255/32", id="its-last-address"),
    ],
)
def test_an_overlap_is_refused_naming_the_other(database: Database, cidr: str) -> None:
    with database.transaction() as tx:
        make_subnet(tx, "10.0.2.0/23")
        make_subnet(tx, "10.1.0.0/16")
        there = make_subnet(tx, "10.0.4.0/22", name="Residencial")
    named = r"overlaps the subnet Residencial \(10.0.4.0/22\)"
    with pytest.raises(Conflict, match=named) as refused, database.transaction() as tx:
        add_subnet(tx, folder_id=there.folder_id, name="new", cidr=cidr)
    assert refused.value.extras == {"subnet_id": there.id, "name": "Residencial", "cidr": "10.0.4.0/22"}


@pytest.mark.parametrize("cidr", ["10.0.2.0/23", "10.0.8.0/21", "10.0.3.255/32", "10.0.8.0/32"])
def test_a_neighbour_does_not_overlap(database: Database, cidr: str) -> None:
    with database.transaction() as tx:
        make_subnet(tx, "10.0.4.0/22")
        assert make_subnet(tx, cidr).cidr == cidr


def test_of_racing_overlaps_one_is_made(database: Database) -> None:
    with database.transaction() as tx:
        folder_id = make_folder(tx).id

    def attempt(number: int) -> str:
        with database.transaction() as tx:
            return add_subnet(tx, folder_id=folder_id, name=str(number), cidr=f"10.0.0.0/{16 + number}").cidr

    outcomes = race(12, attempt)
    made = [outcome for outcome in outcomes if isinstance(outcome, str)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert (len(made), len(refused)) == (1, 11)
    assert all(error.extras["cidr"] == made[0] for error in refused)


@pytest.mark.parametrize(
    ("given", "error", "field"),
    [
        pytest.param({"name": ""}, InvalidInput, "name", id="no-name"),
        pytest.param({"cidr": "10.0.0.1/24"}, InvalidInput, "cidr", id="host-bits"),
        pytest.param({"gateway": "10.0.1.1"}, InvalidInput, "gateway", id="gateway-outside"),
        pytest.param({"gateway": "2001:db8::1"}, InvalidInput, "gateway", id="gateway-of-another-family"),
        pytest.param({"quarantine_days": -1}, InvalidInput, "quarantine_days", id="negative-quarantine"),
        pytest.param({"folder_id": 999}, NotFound, None, id="no-such-folder"),
    ],
)
def test_a_bad_subnet_is_refused(
    database: Database, given: dict[str, object], error: type[CatracaError], field: str | None
) -> None:
    with database.transaction() as tx:
        folder_id = make_folder(tx).id
    values: dict[str, object] = {"folder_id": folder_id, "name": "x", "cidr": "10.0.0.0/24"} | given
    with pytest.raises(error) as refused, database.transaction() as tx:
        add_subnet(tx, **values)  # type: ignore[arg-type]
    assert getattr(refused.value, "field", None) == field
    with database.reading() as tx:
        assert tx.session.scalar(select(func.count()).select_from(Subnet)) == 0


def test_a_name_is_unique_in_its_folder(database: Database) -> None:
    with database.transaction() as tx:
        there = make_subnet(tx, "10.0.0.0/24", name="PPPoE")
        other = make_subnet(tx, "10.0.1.0/24", name="IPoE")
        elsewhere = add_folder(tx, name="Norte").id
        add_subnet(tx, folder_id=elsewhere, name="PPPoE", cidr="10.0.2.0/24")
    attempts: tuple[Callable[[Transaction], Subnet], ...] = (
        lambda tx: add_subnet(tx, folder_id=there.folder_id, name="PPPoE", cidr="10.9.0.0/24"),
        lambda tx: rename_subnet(tx, subnet_id=other.id, name="PPPoE"),
    )
    for attempt in attempts:
        with pytest.raises(Conflict, match=r"named PPPoE \(10.0.0.0/24\)"), database.transaction() as tx:
            attempt(tx)
    with pytest.raises(Conflict, match=r"named PPPoE \(10.0.2.0/24\)"), database.transaction() as tx:
        move_subnet(tx, subnet_id=there.id, folder_id=elsewhere)


@pytest.mark.parametrize(
    ("address", "cidr"),
    [
        pytest.param("10.0.3.255", None, id="before-all"),
        pytest.param("10.0.4.0", "10.0.4.0/24", id="first"),
        pytest.param("10.0.4.255", "10.0.4.0/24", id="last"),
        pytest.param("10.0.5.0", None, id="between"),
        pytest.param("10.0.6.77", "10.0.6.0/23", id="inside"),
        pytest.param("10.0.8.0", None, id="behind-all"),
        pytest.param("::10.0.4.0", None, id="another-family"),
    ],
)
def test_the_subnet_around_an_address(database: Database, address: str, cidr: str | None) -> None:
    with database.transaction() as tx:
        make_subnet(tx, "10.0.4.0/24")
        make_subnet(tx, "10.0.6.0/23")
        found = subnet_around(tx, ip_address(address))
        assert (found.cidr if found else None) == cidr


def test_subnets_are_listed_by_address_page_by_page(database: Database) -> None:
    networks = [f"{first}.0.0.0/24" for first in (9, 10, 100)]
    with database.transaction() as tx:
        for cidr in reversed(networks):
            make_subnet(tx, cidr)
        norte = add_folder(tx, name="Norte").id
        add_subnet(tx, folder_id=norte, name="x", cidr="20.0.0.0/24")
    with database.reading() as tx:
        first = list_subnets(tx, limit=3)
        assert [subnet.cidr for subnet in first] == ["9.0.0.0/24", "10.0.0.0/24", "20.0.0.0/24"]
        assert [subnet.cidr for subnet in list_subnets(tx, after=first[-1].first)] == ["100.0.0.0/24"]
        assert [subnet.cidr for subnet in list_subnets(tx, folder_id=norte)] == ["20.0.0.0/24"]
        with pytest.raises(NotFound):
            list_subnets(tx, folder_id=999)


def test_changes_are_audited_and_a_change_to_the_same_is_none(database: Database) -> None:
    with database.transaction() as tx:
        subnet = make_subnet(tx, "10.0.0.0/29", name="A")
        first, norte = subnet.folder_id, add_folder(tx, name="Norte").id
        for _twice in range(2):
            rename_subnet(tx, subnet_id=subnet.id, name="B")
            move_subnet(tx, subnet_id=subnet.id, folder_id=norte)
            set_gateway(tx, subnet_id=subnet.id, gateway="10.0.0.1")
            set_quarantine(tx, subnet_id=subnet.id, quarantine_days=3)
        delete_subnet(tx, subnet_id=subnet.id)
    with database.reading() as tx:
        mine = select(AuditEntry).where(AuditEntry.entity == "subnet").order_by(AuditEntry.id)
        entries = [(entry.action, entry.before, entry.after) for entry in tx.session.scalars(mine)]
    created = {"folder_id": first, "name": "A", "cidr": "10.0.0.0/29", "gateway": None, "quarantine_days": None}
    changes = {"folder_id": norte, "name": "B", "gateway": "10.0.0.1", "quarantine_days": 3}
    assert entries == [
        ("add", None, created),
        ("rename", {"name": "A"}, {"name": "B"}),
        ("move", {"folder_id": first}, {"folder_id": norte}),
        ("set-gateway", {"gateway": None}, {"gateway": "10.0.0.1"}),
        ("set-quarantine", {"quarantine_days": None}, {"quarantine_days": 3}),
        ("delete", created | changes, None),
    ]


def test_a_gateway_in_use_is_refused_naming_the_holder(database: Database) -> None:
    with database.transaction() as tx:
        subnet = make_subnet(tx)
        assign(tx, subnet, 7, "10.0.0.3")
    with pytest.raises(Conflict, match=r"be the gateway: 10.0.0.3 \(subscription 7\)"), database.transaction() as tx:
        set_gateway(tx, subnet_id=subnet.id, gateway="10.0.0.3")


def test_a_former_gateway_is_given_and_the_new_one_is_not(database: Database) -> None:
    with database.transaction() as tx:
        subnet = make_subnet(tx, gateway="10.0.0.1")
        assert assign(tx, subnet, 1) == "10.0.0.2"
        set_gateway(tx, subnet_id=subnet.id, gateway="10.0.0.3")
    with database.transaction() as tx:
        assert [assign(tx, subnet, holder) for holder in (2, 3)] == ["10.0.0.1", "10.0.0.4"]


def test_a_returned_address_that_became_the_gateway_is_not_given(database: Database) -> None:
    with database.transaction() as tx:
        subnet = make_subnet(tx)
        assert [assign(tx, subnet, holder) for holder in (1, 2)] == ["10.0.0.1", "10.0.0.2"]
        release(tx, 1, days=0)
        set_gateway(tx, subnet_id=subnet.id, gateway="10.0.0.1")
        assert assign(tx, subnet, 3) == "10.0.0.3"
        set_gateway(tx, subnet_id=subnet.id, gateway=None)
        assert assign(tx, subnet, 4) == "10.0.0.1"


def test_only_an_empty_subnet_is_deleted_and_its_history_stays(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        subnet = make_subnet(tx)
        add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.5", last="10.0.0.6")
        assign(tx, subnet, 7)
    with pytest.raises(NotAllowed, match=r"10.0.0.1 \(assigned\)"), database.transaction() as tx:
        delete_subnet(tx, subnet_id=subnet.id)
    with database.transaction() as tx:
        release(tx, 7, days=2)
    with pytest.raises(NotAllowed, match=r"10.0.0.1 \(quarantined\)"), database.transaction() as tx:
        delete_subnet(tx, subnet_id=subnet.id)
    clock.advance(days=2)
    with database.transaction() as tx:
        delete_subnet(tx, subnet_id=subnet.id)
    with database.transaction() as tx:
        assert tx.session.get(Subnet, subnet.id) is None
        assert tx.session.scalar(select(func.count()).select_from(GivenAddress)) == 0
        assert [tenure.subscription_id for tenure in history_of_address(tx, "10.0.0.1")] == [7]
        assert assign(tx, make_subnet(tx), 8) == "10.0.0.1"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(lambda tx: rename_subnet(tx, subnet_id=9, name="x"), id="rename"),
        pytest.param(lambda tx: move_subnet(tx, subnet_id=9, folder_id=1), id="move"),
        pytest.param(lambda tx: set_gateway(tx, subnet_id=9, gateway=None), id="gateway"),
        pytest.param(lambda tx: set_quarantine(tx, subnet_id=9, quarantine_days=1), id="quarantine"),
        pytest.param(lambda tx: delete_subnet(tx, subnet_id=9), id="delete"),
    ],
)
def test_an_unknown_subnet_is_not_found(database: Database, command: Callable[[Transaction], object]) -> None:
    with pytest.raises(NotFound, match="no subnet 9"), database.transaction() as tx:
        command(tx)
