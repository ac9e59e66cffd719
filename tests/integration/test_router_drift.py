"""Rows that somebody changed at the router: found, named after whom the log tells, repaired or only reported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.runtime import Runtime
from provisioning.routeros.routers import change_router
from tests.factories_api import Client
from tests.factories_cycle import Site, site
from tests.ticking import FakeClock

SUBSCRIBERS = 12


@pytest.fixture
def borda(runtime: Runtime, clock: FakeClock) -> Iterator[Site]:
    with site(runtime, clock, {"ppp": SUBSCRIBERS // 2, "static": SUBSCRIBERS // 2}) as made:
        made.emulator.by_hand("/ppp/secret/add", name="zeca", password="theirs")
        made.emulator.by_hand("/ip/firewall/address-list/add", list="vip", address="192.0.2.77")
        made.settle()
        yield made


def meddle(borda: Site, *, copies: bool = True) -> int:
    """Change, remove and copy rows of ours by hand, about one in twenty; gives how many."""
    secrets, queues = borda.marked("/ppp/secret"), borda.marked("/queue/simple")
    borda.emulator.by_hand("/ppp/secret/set", id=secrets[0][".id"], profile="default")
    borda.emulator.by_hand("/ppp/secret/remove", id=secrets[1][".id"])
    borda.emulator.by_hand("/queue/simple/set", id=queues[0][".id"], max_limit="1G/1G")
    copy = {"name": "copy", "target": "192.0.2.66", "comment": queues[1]["comment"]}
    if copies:
        borda.emulator.by_hand("/queue/simple/add", **copy)
    return 3 + copies


def test_what_was_changed_by_hand_is_found_named_and_repaired_in_one_turn(borda: Site) -> None:
    foreign = borda.emulator.foreign_bytes()
    number = meddle(borda)
    assert borda.check() == 1
    rows = borda.drift()
    assert [(row.menu, row.kind) for row in sorted(rows, key=lambda row: (row.menu, row.kind))] == [
        ("/ppp/secret", "changed"), ("/ppp/secret", "removed"),
        ("/queue/simple", "added"), ("/queue/simple", "changed"),
    ]  # fmt: skip
    assert {row.status for row in rows} == {"repaired"}
    assert all("admin" in row.who for row in rows), [row.who for row in rows]
    changed = next(row for row in rows if (row.menu, row.kind) == ("/ppp/secret", "changed"))
    assert changed.details["profile"][1] == "default"
    assert len(rows) == number
    assert borda.planned() == []
    assert borda.emulator.foreign_bytes() == foreign


def test_a_changed_password_is_found_and_never_shown(borda: Site) -> None:
    secret = borda.marked("/ppp/secret")[0]
    borda.emulator.by_hand("/ppp/secret/set", id=secret[".id"], password="Kanarie9f3x")
    borda.check()
    (row,) = borda.drift()
    assert row.details == {"password": ["•••", "•••"]}
    assert next(one for one in borda.marked("/ppp/secret") if one["name"] == secret["name"]) == secret


def test_where_drift_is_only_reported_it_stays_until_the_facts_change(borda: Site, runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        change_router(tx, borda.router_id, drift="report")
    borda.settle()
    number = meddle(borda, copies=False)
    shown = borda.emulator.rows("/ppp/secret"), borda.emulator.rows("/queue/simple")
    assert borda.check() == 1
    assert borda.check() == 1
    assert (borda.emulator.rows("/ppp/secret"), borda.emulator.rows("/queue/simple")) == shown
    rows = borda.drift()
    assert ({row.status for row in rows}, len(rows)) == ({"open"}, number)
    whose = sorted({row.subscription_id for row in rows if row.subscription_id})
    assert all(borda.record(key).why.startswith("drift reported") for key in whose)
    borda.restrict(*whose)
    borda.settle()
    assert borda.planned() == []
    borda.check()
    assert {row.status for row in borda.drift()} == {"gone"}


def test_what_somebody_puts_back_is_over(borda: Site, runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        change_router(tx, borda.router_id, drift="report")
    borda.settle()
    queue = borda.marked("/queue/simple")[0]
    borda.emulator.by_hand("/queue/simple/set", id=queue[".id"], max_limit="1G/1G")
    borda.check()
    assert [row.status for row in borda.drift()] == ["open"]
    borda.emulator.by_hand("/queue/simple/set", id=queue[".id"], max_limit=queue["max-limit"])
    borda.check()
    assert [row.status for row in borda.drift()] == ["gone"]
    assert borda.standing().in_step


def test_our_own_delay_is_no_drift(borda: Site) -> None:
    borda.emulator.faults.refuse()
    borda.restrict(*borda.ids[:5])
    borda.cycle()
    borda.emulator.faults.heal()
    borda.check()
    assert borda.drift() == []


def test_a_profile_that_a_payment_leaves_behind_is_no_drift(borda: Site) -> None:
    borda.restrict(borda.ids[0])
    borda.settle()
    borda.emulator.faults.trap("/ppp/profile/remove", "failure: not now")
    borda.pay(borda.ids[0])
    borda.settle()
    assert borda.planned() != []
    borda.emulator.faults.heal()
    borda.check()
    assert (borda.planned(), borda.drift()) == ([], [])


def test_drift_is_listed_with_filters(borda: Site, runtime: Runtime) -> None:
    meddle(borda)
    borda.check()
    client = Client(runtime)
    name = borda.standing().name
    every = client.get("/router-drift").content["items"]
    assert len(every) == 4
    assert {row["router_name"] for row in every} == {name}
    one = every[0]["subscription_id"]
    assert {row["subscription_id"] for row in client.get("/router-drift", subscription_id=one).content["items"]} == {
        one
    }
    assert client.get("/router-drift", status="open").content["items"] == []
    assert len(client.get("/router-drift", name=name, status="repaired").content["items"]) == 4
    assert client.get("/router-drift", name="another").content["items"] == []
