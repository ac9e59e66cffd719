"""Who has what, who had it when, and how full it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_address

import pytest

from core.database import Database, Transaction
from core.errors import InvalidInput, NotFound
from ipam.allocation import move_fixed_address
from ipam.history import Tenure, history_of_address, history_of_subscription, holder_at
from ipam.listing import AddressLine, Only, list_addresses
from ipam.lookup import fixed_address_of, fixed_addresses_of, look_up_address
from ipam.models import Subnet
from ipam.reserved import add_reserved_range
from ipam.space import Utilisation
from ipam.subnets import list_subnets, set_gateway
from ipam.utilisation import look_up_subnet, utilisation_of
from tests.factories_ipam import assign, make_subnet, release
from tests.ticking import START, FakeClock

NEVER_GIVEN = "10.0.0.14"


@pytest.fixture
def subnet(database: Database) -> Subnet:
    """10.0.0.0/28: gateway .1, reserved .4–.6, .2 held by 2, .3 by 3, .9 by 9; .7 rests a day, .8 came back."""
    with database.transaction() as tx:
        subnet = make_subnet(tx, "10.0.0.0/28", name="Residencial", gateway="10.0.0.1")
        add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.4", last="10.0.0.6", purpose="switches")
        for octet in (2, 3, 7, 8, 9):
            assign(tx, subnet, octet, f"10.0.0.{octet}")
        release(tx, 7, days=1)
        release(tx, 8, days=0)
    return subnet


@pytest.mark.parametrize(
    ("address", "state", "holder", "former"),
    [
        pytest.param("10.0.0.0", "network", None, [], id="network"),
        pytest.param("10.0.0.1", "gateway", None, [], id="gateway"),
        pytest.param("10.0.0.2", "assigned", 2, [2], id="assigned"),
        pytest.param("10.0.0.5", "reserved", None, [], id="reserved"),
        pytest.param("10.0.0.7", "quarantined", None, [7], id="in-quarantine"),
        pytest.param("10.0.0.8", "free", None, [8], id="given-back"),
        pytest.param(NEVER_GIVEN, "free", None, [], id="never-given"),
        pytest.param("10.0.0.15", "broadcast", None, [], id="broadcast"),
        pytest.param("10.0.0.16", "unmanaged", None, [], id="in-no-subnet"),
    ],
)
def test_look_up_by_address(
    database: Database, subnet: Subnet, address: str, state: str, holder: int | None, former: list[int]
) -> None:
    with database.reading() as tx:
        report = look_up_address(tx, address)
        assert (report.standing.state, report.standing.subscription_id) == (state, holder)
        assert [tenure.subscription_id for tenure in report.history] == former
        assert (report.subnet.id if report.subnet else None) == (None if state == "unmanaged" else subnet.id)
        assert (report.reserved.purpose if report.reserved else None) == ("switches" if state == "reserved" else None)


def test_a_quarantine_is_over_at_its_instant_without_anybody_doing_anything(
    database: Database, subnet: Subnet, clock: FakeClock
) -> None:
    with database.reading() as tx:
        assert look_up_address(tx, "10.0.0.7").standing.quarantined_until == START + timedelta(days=1)
        assert look_up_subnet(tx, subnet.id).utilisation.quarantined == 1
    clock.advance(days=1)
    with database.reading() as tx:
        assert look_up_address(tx, "10.0.0.7").standing.state == "free"
        assert look_up_subnet(tx, subnet.id).utilisation.quarantined == 0
        assert list_addresses(tx, subnet.id, only="quarantined").lines == ()


def test_a_bad_address_is_refused(database: Database) -> None:
    with pytest.raises(InvalidInput, match="an IPv4 address"), database.reading() as tx:
        look_up_address(tx, "10.0.0")


def test_look_up_by_subscription(database: Database, subnet: Subnet) -> None:
    with database.reading() as tx:
        assert fixed_address_of(tx, 3) == IPv4Address("10.0.0.3")
        assert fixed_address_of(tx, 7) is None
        assert fixed_addresses_of(tx, [9, 3, 7, 1000, 3]) == {3: IPv4Address("10.0.0.3"), 9: IPv4Address("10.0.0.9")}


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        pytest.param([], [], id="nobody"),
        pytest.param([3], [3], id="one"),
        pytest.param([9, 2, 9], [2, 9], id="not-the-one-between"),
        pytest.param([2, 5_000_000, 9], [2, 9], id="far-apart"),
        pytest.param(range(40_000), [2, 3, 9], id="more-than-a-query-takes"),
        pytest.param(range(2, 4_000_000, 100), [2], id="more-than-a-query-takes-and-far-apart"),
    ],
)
def test_many_subscriptions_are_looked_up_at_once(
    database: Database, subnet: Subnet, ids: Sequence[int], found: list[int]
) -> None:
    with database.reading() as tx:
        assert sorted(fixed_addresses_of(tx, ids)) == found


@pytest.fixture
def passed_on(database: Database, clock: FakeClock) -> datetime:
    """10.0.0.1 is held by 1 from hour 0, moved to 2 at hour 1, released at hour 2, held by 3 from hour 4; hour 0."""
    with database.transaction() as tx:
        subnet = make_subnet(tx)
        assign(tx, subnet, 1)
    clock.advance(hours=1)
    with database.transaction() as tx:
        move_fixed_address(tx, from_subscription=1, to_subscription=2)
    clock.advance(hours=1)
    with database.transaction() as tx:
        release(tx, 2, days=0)
    clock.advance(hours=2)
    with database.transaction() as tx:
        assign(tx, subnet, 3)
    return START


@pytest.mark.parametrize(
    ("hours", "holder"),
    [
        pytest.param(-1, None, id="before-all"),
        pytest.param(0, 1, id="from-its-instant"),
        pytest.param(0.999, 1, id="until-just-before"),
        pytest.param(1, 2, id="moved"),
        pytest.param(2, None, id="released"),
        pytest.param(3.9, None, id="nobody-between"),
        pytest.param(4, 3, id="held-still"),
        pytest.param(4000, 3, id="held-in-the-future"),
    ],
)
def test_who_had_it_at_that_instant(database: Database, passed_on: datetime, hours: float, holder: int | None) -> None:
    with database.reading() as tx:
        tenure = holder_at(tx, "10.0.0.1", passed_on + timedelta(hours=hours))
        assert (tenure.subscription_id if tenure else None) == holder


def test_histories_are_newest_first_and_paged(database: Database, passed_on: datetime) -> None:
    with database.reading() as tx:
        whole = history_of_address(tx, "10.0.0.1")
        assert [tenure.subscription_id for tenure in whole] == [3, 2, 1]
        assert [tenure.until and (tenure.until - passed_on).seconds // 3600 for tenure in whole] == [None, 2, 1]
        page = history_of_address(tx, "10.0.0.1", limit=2)
        assert page + history_of_address(tx, "10.0.0.1", before=page[-1].id, limit=2) == whole
        mine: tuple[Tenure, ...] = history_of_subscription(tx, 2)
        assert mine == (whole[1],)
        with pytest.raises(InvalidInput, match="limit"):
            history_of_subscription(tx, 2, limit=0)


def test_what_began_and_ended_in_one_instant_was_held_by_nobody(database: Database) -> None:
    with database.transaction() as tx:
        subnet = make_subnet(tx)
        assign(tx, subnet, 1)
        move_fixed_address(tx, from_subscription=1, to_subscription=2)
        release(tx, 2, days=0)
        assert holder_at(tx, "10.0.0.1", tx.now) is None
        assign(tx, subnet, 3)
        found = holder_at(tx, "10.0.0.1", tx.now)
        assert found is not None
        assert found.subscription_id == 3


def test_look_up_by_subnet(database: Database, subnet: Subnet) -> None:
    with database.reading() as tx:
        report = look_up_subnet(tx, subnet.id)
        assert report.utilisation == Utilisation(total=13, assigned=3, quarantined=1, reserved=3)
        assert (report.utilisation.free, report.utilisation.percent) == (6, 53.8)
        assert [kept.purpose for kept in report.reserved] == ["switches"]
        with pytest.raises(NotFound, match="no subnet 99"):
            look_up_subnet(tx, 99)


def _octets(lines: Iterable[AddressLine], state: str) -> list[int]:
    return [int(line.address) & 0xFF for line in lines if line.standing.state == state]


def _agrees(tx: Transaction, subnet: Subnet) -> bool:
    """Whether the counts are what counting the listing line by line gives."""
    use = utilisation_of(tx, [subnet])[subnet.id]
    lines = list_addresses(tx, subnet.id, limit=1000).lines
    counted = {state: len(_octets(lines, state)) for state in ("assigned", "quarantined", "reserved", "free")}
    return counted == {
        "assigned": use.assigned,
        "quarantined": use.quarantined,
        "reserved": use.reserved,
        "free": use.free,
    }


def test_counts_agree_with_the_listing(database: Database, subnet: Subnet) -> None:
    with database.transaction() as tx:
        assert _agrees(tx, subnet)
        add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.7", last="10.0.0.7", purpose="was in quarantine")
        assert _agrees(tx, subnet)
        release(tx, 2)
        set_gateway(tx, subnet_id=subnet.id, gateway="10.0.0.2")
        assert _agrees(tx, subnet)
        add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.0", last="10.0.0.2", purpose="over the gateway")
        assert _agrees(tx, subnet)
        add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.14", last="10.0.0.15", purpose="over the broadcast")
        assert _agrees(tx, subnet)


def test_many_subnets_are_counted_at_once(database: Database, subnet: Subnet) -> None:
    with database.transaction() as tx:
        other = make_subnet(tx, "10.1.0.0/30")
        assign(tx, other, 100)
    with database.reading() as tx:
        uses = utilisation_of(tx, list_subnets(tx))
        assert uses == {subnet.id: Utilisation(13, 3, 1, 3), other.id: Utilisation(2, 1, 0, 0)}
        assert utilisation_of(tx, []) == {}


@pytest.mark.parametrize("limit", [1, 3, 5, 16, 100])
def test_pages_show_every_address_once(database: Database, subnet: Subnet, limit: int) -> None:
    lines: list[AddressLine] = []
    with database.reading() as tx:
        page = list_addresses(tx, subnet.id, limit=limit)
        lines += page.lines
        while page.after is not None:
            assert len(page.lines) == limit
            page = list_addresses(tx, subnet.id, after=page.after, limit=limit)
            lines += page.lines
    assert [line.address for line in lines] == list(subnet.network)
    assert _octets(lines, "assigned") == [2, 3, 9]
    assert _octets(lines, "reserved") == [4, 5, 6]
    assert _octets(lines, "free") == [8, 10, 11, 12, 13, 14]


@pytest.mark.parametrize(
    ("only", "limit", "pages"),
    [
        pytest.param("assigned", 2, [[2, 3], [9]], id="assigned"),
        pytest.param("assigned", 3, [[2, 3, 9]], id="assigned-on-a-full-page"),
        pytest.param("quarantined", 100, [[7]], id="in-quarantine"),
    ],
)
def test_pages_of_one_state(database: Database, subnet: Subnet, only: Only, limit: int, pages: list[list[int]]) -> None:
    with database.reading() as tx:
        page = list_addresses(tx, subnet.id, only=only, limit=limit)
        shown = [_octets(page.lines, only)]
        while page.after is not None:
            page = list_addresses(tx, subnet.id, only=only, after=page.after, limit=limit)
            shown.append(_octets(page.lines, only))
    assert shown == pages


def test_a_page_of_one_state_shows_no_other(database: Database, subnet: Subnet) -> None:
    with database.transaction() as tx:
        add_reserved_range(tx, subnet_id=subnet.id, first="10.0.0.7", last="10.0.0.7", purpose="was in quarantine")
        assert list_addresses(tx, subnet.id, only="quarantined").lines == ()
        assert _octets(list_addresses(tx, subnet.id).lines, "reserved") == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("after", "count"),
    [
        pytest.param("9.0.0.0", 16, id="from-before-the-subnet"),
        pytest.param("10.0.0.14", 1, id="the-last-address"),
        pytest.param("10.0.0.15", 0, id="behind-the-last"),
        pytest.param("11.0.0.0", 0, id="from-behind-the-subnet"),
    ],
)
def test_a_page_begins_behind_any_address(database: Database, subnet: Subnet, after: str, count: int) -> None:
    with database.reading() as tx:
        page = list_addresses(tx, subnet.id, after=ip_address(after))
        assert (len(page.lines), page.after) == (count, None)


def test_a_bad_page_is_refused(database: Database, subnet: Subnet) -> None:
    with database.reading() as tx:
        with pytest.raises(InvalidInput, match="after"):
            list_addresses(tx, subnet.id, after=ip_address("::1"))
        with pytest.raises(InvalidInput, match="limit"):
            list_addresses(tx, subnet.id, limit=1001)
        with pytest.raises(NotFound, match="no subnet 4711"):
            list_addresses(tx, 4711)
