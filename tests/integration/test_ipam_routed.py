"""Prefixes that are routed to subscriptions: what is refused, and that no two ever overlap."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.audit import AuditEntry
from core.database import Database
from core.errors import CatracaError, Conflict, InvalidInput, NotFound
from ipam.lookup import look_up_address
from ipam.models import ReservedRange, RoutedPrefix, Subnet
from ipam.reserved import add_reserved_range, delete_reserved_range, reserved_ranges
from ipam.routed import MOST_ROUTES, list_prefixes, withdraw_prefixes
from ipam.subnets import delete_subnet, set_gateway
from tests.factories_ipam import assign, make_subnet, open_subnet, race, release
from tests.factories_routed import route, routed_to, unroute

UNFIT: dict[str, tuple[str, str, str]] = {
    "host bits": ("route", "203.0.113.9/29", "network"),
    "no network": ("route", "house", "network"),
    "a zone": ("delegated", "fe80::%eth0/64", "network"),
    "everything": ("route", "0.0.0.0/0", "network"),
    "half of everything": ("route", "128.0.0.0/1", "network"),
    "half of the other everything": ("route", "2000::/3", "network"),
    "loopback": ("route", "127.0.0.0/24", "network"),
    "link-local": ("route", "fe80::/64", "network"),
    "multicast": ("route", "ff05::/64", "network"),
    "multicast of IPv4": ("route", "224.0.0.0/24", "network"),
    "a framed IPv4 network": ("framed", "203.0.113.8/29", "network"),
    "a delegated IPv4 network": ("delegated", "203.0.113.8/29", "network"),
    "a delegated prefix for a whole city": ("delegated", "2001:db8::/31", "network"),
    "a framed prefix for a whole city": ("framed", "2001:db8::/47", "network"),
    "an unknown purpose": ("gift", "203.0.113.8/29", "purpose"),
}


@pytest.mark.parametrize(("purpose", "network", "field"), UNFIT.values(), ids=UNFIT.keys())
def test_what_nobody_can_be_given(database: Database, purpose: str, network: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused, database.transaction() as tx:
        route(tx, 1, network, purpose)
    assert refused.value.field == field


def test_prefixes_are_told_by_family_and_address(database: Database) -> None:
    with database.transaction() as tx:
        route(tx, 1, "2001:db8:700::/56", "delegated")
        route(tx, 1, "203.0.113.16/29")
        route(tx, 1, "2001:db8:1:7::/64", "framed")
        route(tx, 1, "203.0.113.8/29")
        route(tx, 2, "203.0.113.0/29")
    assert routed_to(database, 1) == ["203.0.113.8/29", "203.0.113.16/29", "2001:db8:1:7::/64", "2001:db8:700::/56"]
    assert routed_to(database, 2) == ["203.0.113.0/29"]
    assert routed_to(database, 3) == []
    with database.reading() as tx:
        everything = list_prefixes(tx)
        assert [str(prefix.network) for prefix in everything][:2] == ["2001:db8:700::/56", "203.0.113.16/29"]
        assert [prefix.id for prefix in list_prefixes(tx, after=everything[2].id)] == [
            prefix.id for prefix in everything[3:]
        ]
        [found] = list_prefixes(tx, around=ip_address("203.0.113.15"))
        assert (str(found.network), found.subscription_id) == ("203.0.113.8/29", 1)
        assert list_prefixes(tx, around=ip_address("203.0.113.24")) == []


MEETING = {
    "the same": ("203.0.113.8/29", "203.0.113.8/29"),
    "around it": ("203.0.113.8/29", "203.0.113.0/24"),
    "inside it": ("203.0.113.0/24", "203.0.113.8/29"),
    "its last address": ("203.0.113.0/24", "203.0.113.255/32"),
    "IPv6, inside": ("2001:db8:700::/56", "2001:db8:700:ff::/64"),
    "IPv6, around": ("2001:db8:700:ff::/64", "2001:db8:700::/56"),
}


@pytest.mark.parametrize(("there", "wanted"), MEETING.values(), ids=MEETING.keys())
@pytest.mark.parametrize("holder", [1, 2], ids=["of oneself", "of another"])
def test_no_two_meet(database: Database, there: str, wanted: str, holder: int) -> None:
    with database.transaction() as tx:
        route(tx, holder, there)
    with pytest.raises(Conflict, match=f"routed to subscription {holder}") as refused, database.transaction() as tx:
        route(tx, 1, wanted)
    assert refused.value.extras["network"] == there
    with database.transaction() as tx:
        unroute(tx, holder, there)
        assert route(tx, 1, wanted) == wanted


def test_neighbours_do_not_meet(database: Database) -> None:
    with database.transaction() as tx:
        for network in ("203.0.113.8/29", "203.0.113.0/29", "203.0.113.16/28", "2001:db8::/56", "2001:db8:0:100::/56"):
            assert route(tx, 1, network) == network


@pytest.mark.parametrize("purpose", ["framed", "delegated"])
def test_there_is_one_framed_and_one_delegated(database: Database, purpose: str) -> None:
    with database.transaction() as tx:
        route(tx, 1, "2001:db8:1::/64", purpose)
    with pytest.raises(Conflict, match="withdraw it first"), database.transaction() as tx:
        route(tx, 1, "2001:db8:2::/64", purpose)
    with database.transaction() as tx:
        route(tx, 2, "2001:db8:2::/64", purpose)
        unroute(tx, 1, "2001:db8:1::/64")
        route(tx, 1, "2001:db8:3::/64", purpose)


def test_there_are_sixteen_routes_at_most(database: Database) -> None:
    with database.transaction() as tx:
        for number in range(MOST_ROUTES):
            route(tx, 1, f"198.51.100.{number}/32")
        route(tx, 1, "2001:db8:1::/64", "framed")
    with pytest.raises(Conflict, match="16 routes"), database.transaction() as tx:
        route(tx, 1, "198.51.100.200/32")


NOT_ITS = {"another's": "203.0.113.8/29", "another length": "203.0.113.0/30", "never given": "198.51.100.0/29"}


@pytest.mark.parametrize("network", NOT_ITS.values(), ids=NOT_ITS.keys())
def test_only_what_one_has_is_withdrawn(database: Database, network: str) -> None:
    with database.transaction() as tx:
        route(tx, 1, "203.0.113.0/29")
        route(tx, 2, "203.0.113.8/29")
    with pytest.raises(NotFound), database.transaction() as tx:
        unroute(tx, 1, network)


def test_all_that_one_has_is_withdrawn_at_once(database: Database) -> None:
    open_subnet(database, "203.0.113.0/24")
    with database.transaction() as tx:
        route(tx, 1, "203.0.113.8/29")
        route(tx, 1, "2001:db8:1::/64", "framed")
        route(tx, 2, "2001:db8:2::/64", "framed")
    with database.transaction() as tx:
        assert [str(prefix.network) for prefix in withdraw_prefixes(tx, subscription_id=1)] == [
            "203.0.113.8/29", "2001:db8:1::/64",
        ]  # fmt: skip
        assert withdraw_prefixes(tx, subscription_id=3) == ()
    assert (routed_to(database, 1), routed_to(database, 2)) == ([], ["2001:db8:2::/64"])
    with database.reading() as tx:
        assert tx.session.scalar(select(ReservedRange)) is None
        actions = select(AuditEntry.action).where(AuditEntry.entity == "routed_prefix").order_by(AuditEntry.id)
        assert list(tx.session.scalars(actions)) == ["give", "give", "give", "withdraw", "withdraw"]


def test_a_route_keeps_its_part_of_a_subnet_from_being_given(database: Database) -> None:
    subnet = open_subnet(database, "10.0.0.0/28")
    with database.transaction() as tx:
        route(tx, 1, "10.0.0.0/29")
        [kept] = reserved_ranges(tx, subnet.id)
        assert (str(kept.first), str(kept.last), kept.purpose) == ("10.0.0.0", "10.0.0.7", "routed to subscription 1")
        assert assign(tx, subnet, 2) == "10.0.0.8"
        with pytest.raises(Conflict, match="reserved"):
            assign(tx, subnet, 3, "10.0.0.3")
        assert look_up_address(tx, "10.0.0.3").standing.state == "reserved"
    with (
        pytest.raises(Conflict, match=re.escape("10.0.0.0/29 is routed to subscription 1")),
        database.transaction() as tx,
    ):
        delete_reserved_range(tx, range_id=kept.id)
    with database.transaction() as tx:
        unroute(tx, 1, "10.0.0.0/29")
        assert reserved_ranges(tx, subnet.id) == []
        assert assign(tx, subnet, 3) == "10.0.0.1"


def test_a_route_over_several_subnets_reserves_in_each(database: Database) -> None:
    with database.transaction() as tx:
        subnets = [make_subnet(tx, cidr) for cidr in ("10.0.0.0/29", "10.0.0.8/29", "10.0.0.16/28")]
        route(tx, 1, "10.0.0.0/28")
        assert [len(reserved_ranges(tx, subnet.id)) for subnet in subnets] == [1, 1, 0]
        unroute(tx, 1, "10.0.0.0/28")
        assert [len(reserved_ranges(tx, subnet.id)) for subnet in subnets] == [0, 0, 0]


def test_what_people_reserved_stays_reserved(database: Database) -> None:
    subnet = open_subnet(database, "10.0.0.0/28")
    with database.transaction() as tx:
        add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.0", last="10.0.0.9", purpose="customers' networks")
        route(tx, 1, "10.0.0.0/29")
        [kept] = reserved_ranges(tx, subnet.id)
    with pytest.raises(Conflict, match="is routed"), database.transaction() as tx:
        delete_reserved_range(tx, range_id=kept.id)
    with database.transaction() as tx:
        unroute(tx, 1, "10.0.0.0/29")
        assert [each.purpose for each in reserved_ranges(tx, subnet.id)] == ["customers' networks"]
        delete_reserved_range(tx, range_id=kept.id)


def test_a_route_takes_nobody_s_address(database: Database) -> None:
    subnet = open_subnet(database, "10.0.0.0/28")
    with database.transaction() as tx:
        assign(tx, subnet, 7, "10.0.0.9")
    with pytest.raises(Conflict, match=r"10\.0\.0\.9 .* is of subscription 7"), database.transaction() as tx:
        route(tx, 1, "10.0.0.8/29")
    with database.transaction() as tx:
        release(tx, 7)
    with pytest.raises(Conflict, match="quarantine"), database.transaction() as tx:
        route(tx, 1, "10.0.0.8/29")


def test_a_route_takes_no_gateway_and_no_gateway_a_route(database: Database) -> None:
    subnet = open_subnet(database, "10.0.0.0/28", gateway="10.0.0.1")
    with pytest.raises(Conflict, match=re.escape("10.0.0.1 is the gateway")), database.transaction() as tx:
        route(tx, 1, "10.0.0.0/29")
    with database.transaction() as tx:
        route(tx, 1, "10.0.0.8/29")
    with pytest.raises(Conflict, match=re.escape("10.0.0.8/29 is routed")), database.transaction() as tx:
        set_gateway(tx, subnet_id=subnet.id, gateway="10.0.0.9")


def test_no_subnet_is_laid_over_a_route(database: Database) -> None:
    with database.transaction() as tx:
        route(tx, 1, "10.0.0.8/29")
    for cidr in ("10.0.0.0/24", "10.0.0.8/30"):
        with (
            pytest.raises(Conflict, match=re.escape("10.0.0.8/29 is routed to subscription 1")),
            database.transaction() as tx,
        ):
            make_subnet(tx, cidr)
    with database.transaction() as tx:
        make_subnet(tx, "10.0.0.0/29")


def test_a_subnet_goes_and_the_route_stays(database: Database) -> None:
    subnet = open_subnet(database, "10.0.0.0/28")
    with database.transaction() as tx:
        route(tx, 1, "10.0.0.8/29")
        delete_subnet(tx, subnet_id=subnet.id)
    assert routed_to(database, 1) == ["10.0.0.8/29"]
    with database.transaction() as tx:
        unroute(tx, 1, "10.0.0.8/29")


def test_of_many_at_once_one_gets_it(database: Database) -> None:
    """Eight requests for networks that all meet each other."""
    wanted = [f"203.0.113.{8 * number}/29" if number else "203.0.113.0/26" for number in range(8)]

    def attempt(number: int) -> str:
        with database.transaction() as tx:
            return route(tx, number + 1, wanted[number])

    outcomes = race(8, attempt)
    assert all(isinstance(outcome, str | Conflict) for outcome in outcomes)
    assert_apart(database)
    given_away = {outcome for outcome in outcomes if isinstance(outcome, str)}
    assert given_away == {wanted[0]} or (given_away and wanted[0] not in given_away)


def test_a_route_and_an_address_race_for_one_place(database: Database) -> None:
    """Whoever comes second is refused; never do both have it."""
    for turn in range(4):
        base = 16 * turn
        subnet = open_subnet(database, f"10.0.0.{base}/28", name=f"turn {turn}")

        def attempt(number: int, base: int = base, subnet: Subnet = subnet) -> str:
            with database.transaction() as tx:
                if number:
                    return route(tx, 100 + base, f"10.0.0.{base + 8}/29")
                return assign(tx, subnet, 200 + base, f"10.0.0.{base + 9}")

        outcomes = race(2, attempt)
        assert [isinstance(outcome, CatracaError) for outcome in outcomes].count(True) == 1, outcomes


def assert_apart(database: Database) -> None:
    with database.reading() as tx:
        rows = tx.session.scalars(select(RoutedPrefix).order_by(RoutedPrefix.family, RoutedPrefix.first)).all()
        for one, following in pairwise(rows):
            assert one.family != following.family or int(one.last) < int(following.first)


networks = st.builds(
    lambda length, place: str(
        IPv4Network((int(IPv4Address("10.0.0.0")) + (place >> (32 - length) << (32 - length)), length))
    ),
    st.integers(24, 32),
    st.integers(0, 255),
)
steps = st.lists(st.tuples(st.booleans(), st.integers(1, 3), networks), max_size=30)


@settings(max_examples=30)
@given(steps)
def test_whatever_is_asked_for_prefixes_stay_apart(database: Database, steps: list[tuple[bool, int, str]]) -> None:
    """Against a model: a list of networks that refuses what `ipaddress` says overlaps."""
    model: dict[str, int] = {}
    with database.transaction() as tx:
        for holder in range(1, 4):
            withdraw_prefixes(tx, subscription_id=holder)
    for gives, holder, network in steps:
        wanted = ip_network(network)
        if gives:
            fits = not any(wanted.overlaps(ip_network(each)) for each in model)
            fits = fits and list(model.values()).count(holder) < MOST_ROUTES
        else:
            fits = model.get(network) == holder
        try:
            with database.transaction() as tx:
                route(tx, holder, network) if gives else unroute(tx, holder, network)
        except (Conflict, NotFound):
            assert not fits
            continue
        assert fits
        if gives:
            model[network] = holder
        else:
            del model[network]
    for holder in range(1, 4):
        mine = [network for network, its in model.items() if its == holder]
        assert routed_to(database, holder) == sorted(mine, key=lambda each: int(ip_network(each)[0]))
