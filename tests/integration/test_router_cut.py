"""Who comes to be suspended loses the connections that are open, at an emulated router; nobody else loses any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import IPv4Network
from typing import Any

import pytest

from core.outcomes import Applied
from core.runtime import Runtime
from lab.routeros.emulator import EmulatedRouter
from provisioning.routeros.connection import Connection, Target
from provisioning.routeros.cycle.cutting import cut
from provisioning.routeros.driver.session import connect
from provisioning.routeros.routers import change_router
from tests.factories_cycle import Site, site
from tests.factories_routers import API_PASSWORD
from tests.ticking import FakeClock

MENU = "/ip/firewall/connection"
READ, REMOVE = f"{MENU}/print", f"{MENU}/remove"
FOREIGN = ("10.0.0.7:5000", "192.0.2.9")


@pytest.fixture
def borda(runtime: Runtime, clock: FakeClock) -> Iterator[Site]:
    with site(runtime, clock, {"static": 3}) as made:
        made.settle()
        yield made


def address_of(borda: Site, subscription_id: int) -> str:
    mark = f"catraca:s{subscription_id}:queue"
    row = next(row for row in borda.marked("/queue/simple") if row["comment"].split()[0] == mark)
    return row["target"].removesuffix("/32")


def browse(borda: Site, each: int = 2) -> None:
    """Everybody has some connections open, over TCP and one by ICMP; so have others at this router."""
    homes = [address_of(borda, key) for key in borda.ids]
    sources = [f"{home}:{50_000 + port}" for home in homes for port in range(each)]
    borda.emulator.stock(MENU, [{"src-address": source, "dst-address": "203.0.113.5:443"} for source in sources])
    borda.emulator.stock(MENU, [{"src-address": source, "protocol": "icmp"} for source in (*homes, *FOREIGN)])


def sources(borda: Site) -> set[str]:
    return {row["src-address"] for row in borda.emulator.rows(MENU)}


def open_to(borda: Site) -> set[str]:
    return {source.partition(":")[0] for source in sources(borda)}


def asked(borda: Site) -> tuple[int, int]:
    return borda.emulator.sentences[READ], borda.emulator.sentences[REMOVE]


@pytest.mark.parametrize("version", ["7.20.4", "6.49.18"])
def test_who_is_suspended_loses_his_connections_and_nobody_else(
    runtime: Runtime, clock: FakeClock, version: str
) -> None:
    with site(runtime, clock, {"static": 2, "dhcp": 1}, version=version) as borda:
        borda.settle()
        browse(borda)
        homes = {key: address_of(borda, key) for key in borda.ids}
        foreign = borda.emulator.foreign_bytes()
        late = borda.ids[1:]
        borda.restrict(*late)
        assert borda.settle() == 1
        assert open_to(borda) == {homes[borda.ids[0]], "10.0.0.7", "192.0.2.9"}
        assert asked(borda) == (1, 1), "one read and one sentence, however many were suspended"
        assert (borda.emulator.foreign_bytes(), borda.planned()) == (foreign, [])
        borda.check()
        borda.pay(late[0])
        borda.settle()
        assert asked(borda) == (1, 1), "neither a check nor a payment looks at the connections"


def test_a_router_that_is_set_so_keeps_them(borda: Site) -> None:
    with borda.runtime.database.transaction() as tx:
        change_router(tx, borda.router_id, cut_connections=False)
    browse(borda)
    before = sources(borda)
    borda.restrict(borda.ids[0])
    borda.settle()
    assert (sources(borda), asked(borda)) == (before, (0, 0))


def target_of(emulator: EmulatedRouter) -> Target:
    return Target(emulator.host, emulator.port, "catraca", API_PASSWORD, timeout=5.0)


class Meanwhile:
    """A connection during whose read something happens at the router."""

    def __init__(self, connection: Connection, happens: Callable[[], object]) -> None:
        self.connection, self.happens, self.write = connection, happens, connection.write

    def read(self, *question: Any) -> list[dict[str, str]]:
        rows = self.connection.read(*question)
        self.happens()
        return rows


def test_many_go_in_batches_though_some_end_by_themselves() -> None:
    """A connection that ended between the read and the removal keeps no other of its batch."""
    with EmulatedRouter() as emulator, closing(connect(target_of(emulator))) as connection:
        emulator.stock(MENU, [{"src-address": f"100.64.0.{9 + port % 2}:{port}"} for port in range(240)])
        mine = [row[".id"] for row in emulator.rows(MENU) if row["src-address"].startswith("100.64.0.9:")]
        ended = ",".join((mine[3], mine[70], mine[71]))
        watched: Any = Meanwhile(connection, lambda: emulator.by_hand(f"{MENU}/remove", id=ended))
        cut(watched, [IPv4Network("100.64.0.9/32")], router="borda-1", seconds=60)
        left = [row["src-address"].partition(":")[0] for row in emulator.rows(MENU)]
        assert left == ["100.64.0.10"] * 120
        assert emulator.sentences[READ] == 1


def test_what_there_is_no_time_for_stays() -> None:
    with EmulatedRouter() as emulator, closing(connect(target_of(emulator))) as connection:
        emulator.stock(MENU, [{"src-address": "100.64.0.9"}])
        cut(connection, [IPv4Network("100.64.0.9/32")], router="borda-1", seconds=0)
        assert (len(emulator.rows(MENU)), emulator.sentences[REMOVE]) == (1, 0)


@pytest.mark.parametrize("verb", ["print", "remove"])
def test_a_router_that_refuses_is_in_step_all_the_same(borda: Site, verb: str) -> None:
    browse(borda)
    before = sources(borda)
    borda.emulator.faults.trap(f"{MENU}/{verb}", "not enough permissions (9)")
    borda.restrict(*borda.ids[:2])
    outcome = borda.cycle().outcome
    assert isinstance(outcome, Applied)
    assert (sources(borda), asked(borda)) == (before, (1, 0) if verb == "print" else (1, 1))
    assert (borda.record(borda.ids[0]).why, borda.standing().in_step, borda.status().failures) == ("", True, 0)


def test_a_connection_lost_over_it_leaves_the_turn_as_it_was(borda: Site) -> None:
    """The last sentences of a turn are the read of the connections and their removal; a second one is cut off there."""
    browse(borda)
    before = borda.emulator.sentences.total()
    borda.restrict(borda.ids[0])
    borda.settle()
    borda.emulator.faults.reset(after=borda.emulator.sentences.total() - before - 2)
    borda.restrict(borda.ids[1])
    outcome = borda.cycle().outcome
    assert isinstance(outcome, Applied)
    assert address_of(borda, borda.ids[1]) in open_to(borda)
    assert (borda.status().failures, borda.record(borda.ids[1]).why, borda.planned()) == (0, "", [])
