"""Plans carried out over the real protocol: what was planned is what the router shows then, whatever its release."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import pytest

from lab.routeros.emulator import EmulatedRouter
from provisioning.facts import ServiceState
from provisioning.routeros.commands import commands
from provisioning.routeros.connection import Connection, Done, Read, ReadRefused, Target
from provisioning.routeros.desired.state import RouterRules, Served, desired, menus_of
from provisioning.routeros.driver.session import connect
from provisioning.routeros.fingerprints import desired_fingerprints, observed_fingerprints
from provisioning.routeros.plan.smallest import plan
from provisioning.routeros.queries import address_queries, queries, rows_found, whole_reads
from provisioning.routeros.rows import Access, Desired, Menu, Observed, ObservedRow, Plan, SpeedBy
from tests.factories_desired import GARDEN, SUSPENDED, grant, policy, rules, served

BEFORE = [
    served(1, answer=grant(policy(5_000_000, 5_000_000)), bound_mac="00:00:5e:00:53:01"),
    served(2, answer=grant(policy(), "198.51.100.2", ["203.0.113.32/28"], framed="2001:db8:2::/64")),
    served(3, Access.DHCP, grant(policy(), "198.51.100.3", ["203.0.113.64/28"]), mac="00:00:5e:00:53:03"),
    served(4, Access.HOTSPOT, grant(policy(), "198.51.100.4"), mac="00:00:5e:00:53:04"),
    served(5, Access.HOTSPOT, grant(policy(None, None)), mac="00:00:5e:00:53:05"),
    served(6, Access.STATIC, grant(policy(address_list=SUSPENDED), "198.51.100.6"), ServiceState.SUSPENDED),
    served(7, login="joão"),
]
AFTER = [
    served(1, state=ServiceState.SUSPENDED),
    served(2, answer=grant(policy())),
    served(3, Access.DHCP, grant(policy(1_500_000, None), "198.51.100.33"), mac="00:00:5e:00:53:33"),
    served(4, Access.HOTSPOT, grant(policy(), "198.51.100.4"), ServiceState.PAUSED),
    served(6, Access.STATIC, grant(policy(), "198.51.100.6")),
    served(7, removed=True),
]


@contextmanager
def talking(version: str = "7.20.4") -> Iterator[tuple[EmulatedRouter, Connection]]:
    with EmulatedRouter(version=version) as router:
        target = Target(router.host, router.port, "catraca", "catraca-secret")
        with closing(connect(target)) as connection:
            yield router, connection


def answered(connection: Connection, reads: Sequence[Read]) -> tuple[ObservedRow, ...]:
    found = []
    for read, answer in zip(reads, connection.read_many(reads), strict=True):
        assert not isinstance(answer, ReadRefused), read
        found.append((read, answer))
    return rows_found(found, connection.version)


def read_all(connection: Connection, wanted: Desired, held_by: RouterRules) -> Observed:
    menus = menus_of(held_by)
    return Observed(answered(connection, whole_reads(wanted, menus, connection.version)), menus)


def read_one(connection: Connection, wanted: Desired, held_by: RouterRules) -> Observed:
    menus = menus_of(held_by) - {Menu.FILTER, Menu.NAT}
    first = answered(connection, queries(wanted, menus, connection.version))
    lists = answered(connection, address_queries(first, connection.version))
    rows = {(row.menu, row.id): row for row in (*first, *lists)}
    return Observed(tuple(rows.values()), menus, wanted.served)


def carry_out(connection: Connection, made: Plan) -> None:
    for stage in made.stages:
        sent = commands(stage, connection.version)
        results = connection.write([each.command for each in sent])
        assert all(isinstance(result, Done) for result in results), results


@pytest.mark.parametrize("version", ["6.49.18", "7.20.4"])
@pytest.mark.parametrize("speed_by", SpeedBy)
def test_the_router_shows_what_was_planned(version: str, speed_by: SpeedBy) -> None:
    held_by = rules(speed_by, garden=GARDEN)
    with talking(version) as (router, connection):
        router.by_hand("/ip/firewall/filter/add", chain="forward", action="accept", comment="theirs")
        router.by_hand("/ip/firewall/address-list/add", list="blocked", address="203.0.113.200")
        theirs = router.foreign_bytes()
        for world in (BEFORE, AFTER, BEFORE):
            wanted = desired(world, held_by)
            carry_out(connection, plan(wanted, read_all(connection, wanted, held_by)))
            observed = read_all(connection, wanted, held_by)
            assert not plan(wanted, observed)
            assert observed_fingerprints(wanted, observed) == desired_fingerprints(wanted)
            _each_alone(connection, world, held_by)
        assert router.foreign_bytes() == theirs


def _each_alone(connection: Connection, world: list[Served], held_by: RouterRules) -> None:
    for one in world:
        wanted = desired([one], held_by)
        assert not plan(wanted, read_one(connection, wanted, held_by)), one.subscription_id


def test_a_payment_reads_and_changes_one_subscriber_alone() -> None:
    held_by = rules(garden=GARDEN)
    others = [served(number) for number in range(1, 40)]
    late, paid = served(42, state=ServiceState.SUSPENDED), served(42)
    with talking() as (router, connection):
        wanted = desired([*others, late], held_by)
        carry_out(connection, plan(wanted, read_all(connection, wanted, held_by)))
        [secret] = [row for row in router.rows("/ppp/secret") if row["name"] == "user42"]
        router.by_hand("/ppp/secret/set", numbers=secret[".id"], comment=f"{secret['comment']} maria, apto 3")
        router.dial("user42", "secret42")
        wanted = desired([paid], held_by)
        observed = read_one(connection, wanted, held_by)
        assert len(observed.rows) < 8
        carry_out(connection, plan(wanted, observed))
        [secret] = [row for row in router.rows("/ppp/secret") if row["name"] == "user42"]
        assert secret["comment"].endswith(" maria, apto 3")
        assert secret["profile"].startswith("catraca-500M-250M")
        [queue] = [row for row in router.rows("/queue/simple") if row["name"] == "<pppoe-user42>"]
        assert queue["max-limit"] == "250000000/500000000"


def test_what_others_have_by_the_thousand_is_not_read() -> None:
    held_by = rules()
    with talking() as (router, connection):
        for number in range(50):
            router.by_hand("/ip/firewall/address-list/add", list="blocked", address=f"203.0.113.{number}")
            router.by_hand("/ip/route/add", **{"dst-address": f"192.0.2.{number}/32", "gateway": "10.0.0.1"})
        router.by_hand("/ip/firewall/address-list/add", list=SUSPENDED, address="198.51.100.6")
        wanted = desired([BEFORE[5], served(8)], held_by)
        observed = read_all(connection, wanted, held_by)
        assert [row.name for row in observed.rows if row.menu in (Menu.ADDRESS_LIST, Menu.ROUTE)] == ["198.51.100.6"]
        assert ["adopt it" in problem.words for problem in plan(wanted, observed).problems] == [True]


def test_a_rule_of_the_garden_that_was_moved_goes_back_to_its_place() -> None:
    held_by = rules(garden=GARDEN)
    wanted = desired([], held_by)
    with talking() as (router, connection):
        router.by_hand("/ip/firewall/filter/add", chain="forward", action="fasttrack-connection", comment="theirs")
        carry_out(connection, plan(wanted, read_all(connection, wanted, held_by)))
        rows = router.rows("/ip/firewall/filter")
        as_planned = [row["comment"] for row in rows]
        ids = {row["comment"]: row[".id"] for row in rows}
        router.by_hand("/ip/firewall/filter/move", numbers=ids["catraca:garden:filter:03"])
        router.by_hand("/ip/firewall/filter/remove", numbers=ids["catraca:garden:filter:01"])
        made = plan(wanted, read_all(connection, wanted, held_by))
        assert len(made.steps) == 2
        carry_out(connection, made)
        assert [row["comment"] for row in router.rows("/ip/firewall/filter")] == as_planned
        assert as_planned[-1] == "theirs"
