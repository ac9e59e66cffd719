"""Cycles at an emulated router: what the facts demand is there, proven and recorded; foreign rows stay as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from core.alarms import open_alarms
from core.outcomes import Applied, Retry
from core.runtime import Runtime
from provisioning.routeros.cycle import observing
from provisioning.routeros.models import RouterConvergence, RouterService
from provisioning.routeros.routers import change_router, end_maintenance, start_maintenance
from provisioning.routeros.services.commands import stop_serving
from tests.factories_cycle import Site, site
from tests.ticking import START, FakeClock


@pytest.fixture
def borda(runtime: Runtime, clock: FakeClock) -> Iterator[Site]:
    with site(runtime, clock) as made:
        yield made


def test_a_new_router_gets_its_rows_in_one_turn_and_then_nothing(borda: Site) -> None:
    assert borda.settle() == 1
    assert {row["name"] for row in borda.marked("/ppp/secret")} == {borda.login(key) for key in borda.ids}
    assert borda.planned() == []
    written = sum(count for path, count in borda.emulator.sentences.items() if path.endswith(("/add", "/set")))
    assert borda.check() == 1
    again = sum(count for path, count in borda.emulator.sentences.items() if path.endswith(("/add", "/set")))
    assert again == written
    assert borda.emulator.most_connections == 1
    standing = borda.standing()
    assert (standing.in_step, standing.services, standing.touched, standing.differing) == (True, 6, 0, 0)
    assert (standing.version, standing.identity, standing.full_at) == ("7.20.4", "borda-api-1", borda.clock.now)


ACCESS: list[Any] = [
    pytest.param({"ppp": 2, "dhcp": 2, "static": 2}, {}, "7.20.4", id="mixed, profile speed"),
    pytest.param({"dhcp": 2, "static": 2}, {"speed_by": "queue-simple"}, "7.20.4", id="simple queues"),
    pytest.param({"static": 2}, {"speed_by": "queue-tree"}, "7.20.4", id="queue trees"),
    pytest.param({"hotspot": 2}, {}, "7.20.4", id="hotspot"),
    pytest.param({"ppp": 2, "dhcp": 2}, {}, "6.49.18", id="RouterOS 6"),
    pytest.param({"static": 2}, {"garden": {"portal": "192.0.2.20", "allow": ["192.0.2.0/28"]}}, "7.20.4", id="garden"),
]


@pytest.mark.parametrize(("access", "router", "version"), ACCESS)
def test_every_way_of_serving_converges(
    runtime: Runtime, clock: FakeClock, access: dict[str, int], router: dict[str, Any], version: str
) -> None:
    with site(runtime, clock, access, version=version, **router) as made:
        made.emulator.by_hand("/ppp/secret/add", name="zeca", password="x")
        foreign = made.emulator.foreign_bytes()
        made.settle()
        assert made.planned() == []
        made.restrict(*made.ids[:1])
        assert made.planned() != []
        made.settle()
        assert made.planned() == []
        assert made.emulator.foreign_bytes() == foreign
        assert made.standing().in_step


def test_who_pays_is_seen_to_without_reading_the_router_in_whole(borda: Site) -> None:
    borda.settle()
    one = borda.ids[0]
    borda.restrict(one)
    borda.settle()
    full_at = borda.status().full_at
    borda.pay(one)
    borda.clock.advance(seconds=5)
    before = Counter(borda.emulator.sentences)
    assert borda.settle() == 1
    assert borda.status().full_at == full_at
    assert borda.record(one).differs_since is None
    reads = {path: borda.emulator.sentences[path] - before[path] for path in ("/ppp/secret/print", "/ip/route/print")}
    asked = {"/ppp/secret/print": 2 + 1, "/ip/route/print": 2}
    assert reads == asked, "before and after; and how many still are on the profile that it came from"
    assert borda.emulator.sentences["/ip/firewall/filter/print"] == before["/ip/firewall/filter/print"]
    borda.check()
    assert borda.planned() == []


def test_the_session_of_who_pays_begins_anew_with_the_right_speed(borda: Site) -> None:
    one = borda.ids[0]
    borda.restrict(one)
    borda.settle()
    login = borda.login(one)
    secret = next(row for row in borda.marked("/ppp/secret") if row["name"] == login)
    assert borda.emulator.dial(login, secret["password"]) is not None
    before = queue_of(borda, login)
    borda.settle()
    assert queue_of(borda, login) == before, "a session that is right is left alone"
    borda.pay(one)
    borda.settle()
    assert queue_of(borda, login) == "250000000/500000000" != before
    assert borda.record(one).why == ""


def queue_of(borda: Site, login: str) -> str:
    return next(row["max-limit"] for row in borda.emulator.rows("/queue/simple") if row["name"] == f"<pppoe-{login}>")


def test_a_session_that_the_router_will_not_end_is_told_and_ended_later(borda: Site) -> None:
    borda.settle()
    one = borda.ids[0]
    login = borda.login(one)
    secret = next(row for row in borda.marked("/ppp/secret") if row["name"] == login)
    borda.emulator.dial(login, secret["password"])
    borda.emulator.faults.trap("/ppp/active/remove", "failure: cannot end it")
    borda.restrict(one)
    outcome = borda.cycle().outcome
    assert isinstance(outcome, Retry)
    assert "refused" in borda.record(one).why
    borda.emulator.faults.heal()
    borda.settle()
    assert borda.record(one).why == ""


def test_an_unreachable_router_is_tried_later_and_told_after_five_times(borda: Site) -> None:
    borda.settle()
    borda.emulator.faults.refuse()
    borda.restrict(borda.ids[0])
    records = borda.record(borda.ids[0])
    for failures in range(1, 6):
        outcome = borda.cycle().outcome
        assert isinstance(outcome, Retry)
        assert borda.status().failures == failures
        assert isinstance(borda.cycle().outcome, Retry), "the breaker is open"
        assert borda.status().failures == failures
        borda.clock.now += outcome.after
    assert alarms(borda) == ["router-unreachable"]
    standing = borda.standing()
    assert (standing.in_step, standing.touched, standing.differs_since) == (False, 1, START)
    assert [why.startswith("router unreachable since 2026-03-02 12:00 UTC") for why in standing.reasons] == [True]
    assert borda.record(borda.ids[0]).observed_at == records.observed_at, "nothing is written for each"
    borda.emulator.faults.heal()
    borda.settle()
    assert (alarms(borda), borda.standing().in_step, borda.planned()) == ([], True, [])


def alarms(borda: Site) -> list[str]:
    with borda.runtime.database.reading() as tx:
        return [alarm.kind for alarm in open_alarms(tx)]


def test_in_maintenance_nothing_is_written_and_then_all_at_once(borda: Site) -> None:
    borda.settle()
    with borda.runtime.database.transaction() as tx:
        start_maintenance(tx, borda.router_id, note="firmware")
    borda.restrict(*borda.ids[:3])
    rows = borda.emulator.rows("/ppp/secret")
    assert isinstance(borda.cycle().outcome, Applied)
    assert borda.emulator.rows("/ppp/secret") == rows
    assert borda.record(borda.ids[0]).why.startswith("maintenance")
    assert not borda.standing().in_step
    with borda.runtime.database.transaction() as tx:
        end_maintenance(tx, borda.router_id)
    assert borda.settle() == 1
    assert borda.planned() == []
    assert borda.record(borda.ids[0]).why == ""


def test_a_router_that_is_away_in_maintenance_alarms_nobody(borda: Site) -> None:
    with borda.runtime.database.transaction() as tx:
        start_maintenance(tx, borda.router_id)
    borda.emulator.faults.refuse()
    for _ in range(6):
        outcome = borda.cycle().outcome
        assert isinstance(outcome, Retry)
        borda.clock.now += outcome.after
    assert alarms(borda) == []


def test_a_service_that_ends_leaves_neither_row_nor_record(borda: Site) -> None:
    borda.settle()
    one, login = borda.ids[0], borda.login(borda.ids[0])
    with borda.runtime.database.transaction() as tx:
        stop_serving(tx, router=borda.router_id, subscription_id=one)
    borda.settle()
    assert login not in {row["name"] for row in borda.emulator.rows("/ppp/secret")}
    with borda.runtime.database.reading() as tx:
        for table in (RouterService, RouterConvergence):
            mine = select(table).where(table.router_id == borda.router_id, table.subscription_id == one)
            assert tx.session.scalars(mine).all() == []


def test_what_the_router_refuses_is_said_and_the_rest_is_done(borda: Site) -> None:
    borda.emulator.by_hand("/ppp/secret/add", name=borda.login(borda.ids[0]), password="other")
    borda.settle()
    assert borda.login(borda.ids[0]) in borda.record(borda.ids[0]).why, "somebody else's row of this name is in the way"
    assert len(borda.marked("/ppp/secret")) == 5
    assert borda.standing().differing == 1
    reads = borda.emulator.sentences["/ppp/secret/print"]
    assert isinstance(borda.cycle().outcome, Applied)
    assert borda.emulator.sentences["/ppp/secret/print"] == reads, "a problem is not asked about over and over"


def test_a_full_disk_is_waited_for(borda: Site) -> None:
    borda.emulator.faults.no_space()
    assert isinstance(borda.cycle().outcome, Retry)
    assert "the router refused" in borda.record(borda.ids[0]).why
    borda.emulator.faults.heal()
    borda.settle()
    assert borda.planned() == []


def test_a_fact_that_changes_while_the_router_is_read_stays_touched(
    borda: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clearing compares: what was touched after the facts were read is looked at again."""
    borda.settle()
    borda.restrict(borda.ids[0])
    real = observing.read_router

    def and_then(*given: Any) -> Any:
        borda.clock.advance(seconds=1)
        borda.pay(borda.ids[0])
        monkeypatch.setattr("provisioning.routeros.cycle.turn.read_router", real)
        return real(*given)

    monkeypatch.setattr("provisioning.routeros.cycle.turn.read_router", and_then)
    borda.cycle()
    assert borda.standing().touched == 1
    borda.settle()
    assert borda.standing().touched == 0
    borda.check()
    assert borda.planned() == []


def test_a_change_of_the_router_s_own_facts_reads_it_in_whole(borda: Site) -> None:
    borda.settle()
    with borda.runtime.database.transaction() as tx:
        change_router(tx, borda.router_id, garden={"portal": "192.0.2.20", "allow": ["192.0.2.0/28"]})
    borda.settle()
    assert borda.marked("/ip/firewall/filter") != []
    assert borda.planned() == []


def test_removals_beyond_the_cap_are_held_until_approved(borda: Site) -> None:
    borda.settle()
    for number in range(12):
        borda.emulator.by_hand(
            "/ppp/secret/add", name=f"old{number}", password="x", comment=f"catraca:s{9000 + number}:secret"
        )
    borda.check()
    assert (borda.status().held, alarms(borda)) == (12, ["router-removals-held"])
    assert len(borda.marked("/ppp/secret")) == 18
    assert borda.standing().in_step is False
    borda.cycle(asked=True, approved=11)
    assert len(borda.marked("/ppp/secret")) == 18, "more than was approved"
    borda.cycle(asked=True, approved=12)
    assert (len(borda.marked("/ppp/secret")), alarms(borda), borda.status().held) == (6, [], 0)
