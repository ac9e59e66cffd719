"""PPP on the emulated router: who is let in, what a session makes, how it ends; many routers in one process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.routeros.emulator import EmulatedRouter
from lab.routeros.fleet import Fleet
from tests.factories_routeros import RawClient, bare_api


def router_with_ana(*, redials: bool = True, **profile: str) -> EmulatedRouter:
    """A router with one secret, ana / segredo, of a profile gold."""
    router = EmulatedRouter(redials=redials)
    router.by_hand("/ppp/profile/add", name="gold", **({"rate_limit": "10M/50M", "address_list": "vip"} | profile))
    router.by_hand("/ppp/secret/add", name="ana", password="segredo", profile="gold", remote_address="10.0.0.7")
    return router


def made(router: EmulatedRouter) -> list[tuple[str, ...]]:
    """Dynamic queues and list entries."""
    queues = [(row["name"], row["max-limit"]) for row in router.rows("/queue/simple") if row["dynamic"] == "true"]
    lists = router.rows("/ip/firewall/address-list")
    return [*queues, *((row["list"], row["address"]) for row in lists if row["dynamic"] == "true")]


def test_a_session_and_what_it_makes() -> None:
    with router_with_ana() as router:
        session = router.dial("ana", "segredo")
        assert session is not None
        assert (session["name"], session["address"], session["radius"]) == ("ana", "10.0.0.7", "false")
        assert made(router) == [("<pppoe-ana>", "10000000/50000000"), ("vip", "10.0.0.7")]
        assert "<pppoe-ana>" in [row["name"] for row in router.rows("/interface")]
        assert router.hang_up("ana") == 1
        assert (made(router), router.rows("/ppp/active")) == ([], [])


LET_IN = [
    ("as it should", {}, "segredo", "", True),
    ("wrong password", {}, "wrong", "", False),
    ("disabled", {"disabled": "yes"}, "segredo", "", False),
    ("bound to another", {"caller_id": "AA:BB:CC:00:00:01"}, "segredo", "AA:BB:CC:00:00:02", False),
    ("bound to this one", {"caller_id": "AA:BB:CC:00:00:01"}, "segredo", "aa:bb:cc:00:00:01", True),
    ("other name", {"name": "bia"}, "segredo", "", False),
]


@pytest.mark.parametrize(
    ("secret", "password", "caller", "let_in"), [row[1:] for row in LET_IN], ids=[row[0] for row in LET_IN]
)
def test_who_is_let_in(secret: dict[str, str], password: str, caller: str, let_in: bool) -> None:
    with router_with_ana() as router:
        if secret:
            router.by_hand("/ppp/secret/set", id="ana", **secret)
        assert (router.dial("ana", password, caller_id=caller) is not None) == let_in
        assert len(router.rows("/ppp/active")) == let_in


def test_only_one_session_where_the_profile_says_so() -> None:
    with router_with_ana(only_one="yes") as router:
        assert router.dial("ana", "segredo") is not None
        assert router.dial("ana", "segredo") is None


def test_several_sessions_have_names_of_their_own() -> None:
    with router_with_ana() as router:
        router.by_hand("/ppp/secret/set", id="ana", remote_address="pool1")
        addresses = [(router.dial("ana", "segredo") or {})["address"] for _ in range(2)]
        assert addresses == ["100.64.0.2", "100.64.0.3"]
        assert [row["name"] for row in router.rows("/queue/simple")] == ["<pppoe-ana>", "<pppoe-ana-1>"]


def test_a_live_session_keeps_what_it_got_until_it_dials_again() -> None:
    with router_with_ana() as router, bare_api(router) as api:
        router.dial("ana", "segredo")
        before = made(router)
        router.by_hand("/ppp/profile/set", id="gold", rate_limit="20M/90M", address_list="")
        assert made(router) == before
        old = router.rows("/ppp/active")[0][".id"]
        api.path("/ppp/active").remove(old)
        assert made(router) == [("<pppoe-ana>", "20000000/90000000")]
        assert [row[".id"] for row in router.rows("/ppp/active")] != [old]


def test_an_ended_session_stays_away_where_the_secret_no_longer_lets_it_in() -> None:
    with router_with_ana() as router:
        router.dial("ana", "segredo")
        router.by_hand("/ppp/secret/remove", id="ana")
        assert len(router.rows("/ppp/active")) == 1
        router.by_hand("/ppp/active/remove", id=router.rows("/ppp/active")[0][".id"])
        assert (router.rows("/ppp/active"), made(router)) == ([], [])


def test_subscribers_that_do_not_dial_again() -> None:
    with router_with_ana(redials=False) as router:
        router.dial("ana", "segredo")
        router.by_hand("/ppp/active/remove", id=router.rows("/ppp/active")[0][".id"])
        assert router.rows("/ppp/active") == []


def test_a_session_by_radius_needs_no_secret() -> None:
    with EmulatedRouter() as router:
        session = router.dial("bia", radius={"rate": "5M/10M", "address": "10.0.0.9", "address_list": "suspenso"})
        assert session is not None
        assert session["radius"] == "true"
        assert made(router) == [("<pppoe-bia>", "5000000/10000000"), ("suspenso", "10.0.0.9")]


def test_routes_come_and_go_with_the_session() -> None:
    with router_with_ana() as router:
        router.by_hand("/ppp/secret/set", id="ana", routes="203.0.113.0/29,203.0.113.8/29 10.0.0.7 1")
        router.dial("ana", "segredo")
        assert [(row["dst-address"], row["gateway"], row["dynamic"]) for row in router.rows("/ip/route")] == [
            ("10.0.0.7/32", "<pppoe-ana>", "true"),
            ("203.0.113.0/29", "10.0.0.7", "true"),
            ("203.0.113.8/29", "10.0.0.7", "true"),
        ]
        router.hang_up("ana")
        assert router.rows("/ip/route") == []


def test_bursts_and_more_of_a_rate_limit() -> None:
    with router_with_ana(rate_limit="10M/50M 20M/100M 8M/40M 8/8 5 1M/5M") as router:
        router.dial("ana", "segredo")
        queue = router.rows("/queue/simple")[0]
        names = ("max-limit", "burst-limit", "burst-threshold", "burst-time", "priority", "limit-at")
        assert [queue[name] for name in names] == [
            "10000000/50000000",
            "20000000/100000000",
            "8000000/40000000",
            "8s/8s",
            "5/5",
            "1000000/5000000",
        ]


def test_a_static_entry_of_a_list_stands_in_the_place_of_a_dynamic_one() -> None:
    with router_with_ana() as router:
        router.by_hand("/ip/firewall/address-list/add", list="vip", address="10.0.0.7")
        router.dial("ana", "segredo")
        assert [row["dynamic"] for row in router.rows("/ip/firewall/address-list")] == ["false"]


def test_dynamic_rows_are_not_for_change() -> None:
    with router_with_ana() as router:
        router.dial("ana", "segredo")
        queue = router.rows("/queue/simple")[0][".id"]
        with pytest.raises(ValueError, match="dynamic"):
            router.by_hand("/queue/simple/set", id=queue, max_limit="1M/1M")
        with pytest.raises(ValueError, match="dynamic"):
            router.by_hand("/queue/simple/remove", id=queue)


# DHCP


def test_a_client_without_a_lease_gets_a_dynamic_one_that_can_be_made_static() -> None:
    with EmulatedRouter() as router:
        lease = router.lease("aa:bb:cc:00:00:01", host_name="tv")
        assert lease is not None
        assert (lease["dynamic"], lease["status"], lease["host-name"]) == ("true", "bound", "tv")
        router.by_hand("/ip/dhcp-server/lease/make-static", id=lease[".id"])
        router.reboot()
        assert [(row[".id"], row["dynamic"]) for row in router.rows("/ip/dhcp-server/lease")] == [
            (lease[".id"], "false")
        ]


STATIC = [("free", {}, "bound"), ("disabled", {"disabled": "yes"}, None), ("blocked", {"block_access": "yes"}, None)]


@pytest.mark.parametrize(("words", "status"), [row[1:] for row in STATIC], ids=[row[0] for row in STATIC])
def test_a_client_with_a_static_lease(words: dict[str, str], status: str | None) -> None:
    with EmulatedRouter() as router:
        router.by_hand("/ip/dhcp-server/lease/add", address="10.0.0.5", mac_address="AA:BB:CC:00:00:01", **words)
        lease = router.lease("aa:bb:cc:00:00:01")
        assert (lease and (lease["status"], lease["active-address"])) == (status and (status, "10.0.0.5"))


# Many routers


ANSWERS = [
    ("rows", {"router": 1, "rows": "/ppp/profile"}, {"rows": 2}),
    ("several", {"router": [0, 1], "rows": "/ppp/secret"}, {"routers": [{"rows": 0}, {"rows": 0}]}),
    ("by hand", {"router": 0, "by_hand": "/ppp/secret/add", "words": {"name": "ana"}}, {"ret": "*1"}),
    ("stock", {"router": 0, "stock": "/ppp/secret", "with": [{"name": "x"}, {"name": "y"}]}, {"stocked": 2}),
    ("refused", {"router": 0, "by_hand": "/ppp/secret/add"}, {"error": "ValueError: missing =name="}),
    ("no such router", {"router": 7, "rows": "/ppp/secret"}, {"error": "IndexError: list index out of range"}),
    ("no such fault", {"router": 0, "fault": "flood"}, None),
]


@pytest.mark.parametrize(("told", "answer"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_a_fleet_is_told_by_json(told: dict[str, object], answer: dict[str, object] | None) -> None:
    with Fleet(2) as fleet:
        answered = json.loads(fleet.answer(json.dumps(told)))
        assert answered == answer if answer is not None else "error" in answered


def test_a_fleets_fault_meets_its_router_alone() -> None:
    with Fleet(2) as fleet:
        assert json.loads(fleet.answer('{"router": 1, "fault": "fatal", "message": "gone"}')) == {"done": True}
        with RawClient(fleet.routers[0]):
            stats = json.loads(fleet.answer('{"stats": true}'))
        with RawClient(fleet.routers[1], log_in=False) as client:
            assert client.ask("/login") == [["!fatal", "gone"]]
        assert (stats["connections_now"], stats["sentences"]) == ([1, 0], {"/login": 1})


def test_the_command_says_its_ports_and_answers_lines() -> None:
    command = [sys.executable, "-m", "lab.routeros", "--routers", "2", "--json"]
    told = '{"stats": true}\n\nnot json\n'
    root = Path(__file__).parents[2]
    done = subprocess.run(command, input=told, capture_output=True, text=True, timeout=60, check=True, cwd=root)
    ports, stats, wrong = map(json.loads, done.stdout.splitlines())
    assert (len(ports["ports"]), stats["routers"], list(wrong)) == (2, 2, ["error"])
