"""What the facts of a subscription demand of a router, by access and by the router's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from provisioning.facts import ServiceState
from provisioning.routeros.desired.facts import Garden
from provisioning.routeros.desired.state import RouterRules, Served, desired, menus_of
from provisioning.routeros.mark import comment_of, kept_of, key_of, subscription_of
from provisioning.routeros.rows import Access, DesiredRow, Menu, SpeedBy
from radius.policy import Denial, Grant, Policy
from tests.factories_desired import EVERYTHING, GARDEN, PAUSED, SUSPENDED, grant, policy, rules, served

FIXED = "198.51.100.7"
MAC = "00:00:5E:00:53:01"
SIMPLE, TREE, NONE = rules(SpeedBy.SIMPLE_QUEUE), rules(SpeedBy.QUEUE_TREE), rules(SpeedBy.NONE)
LATE = ServiceState.SUSPENDED


def late(address: str = "", routes: tuple[str, ...] = ()) -> Grant:
    return grant(policy(256_000, 256_000, SUSPENDED), address, routes)


CASES = {
    "ppp has a profile and a secret": (served(), rules(), ["secret"]),
    "ppp with a simple queue": (served(answer=grant(address=FIXED)), SIMPLE, ["secret", "queue"]),
    "ppp with a tree": (
        served(answer=grant(address=FIXED)),
        TREE,
        ["secret", "mark-up", "queue-up", "mark-down", "queue-down"],
    ),
    "nobody owns the speed": (served(answer=grant(address=FIXED)), NONE, ["secret"]),
    "no limit, no queue": (served(answer=grant(policy(None, None), FIXED)), SIMPLE, ["secret"]),
    "a suspended ppp subscriber is closed in by the profile": (served(state=LATE), rules(), ["secret"]),
    "with a queue, by an entry": (
        served(state=LATE, answer=late(FIXED)),
        SIMPLE,
        ["secret", "queue", f"list:{SUSPENDED}:{FIXED}"],
    ),
    "dhcp has a lease and always a queue": (
        served(access=Access.DHCP, answer=grant(address=FIXED), mac=MAC),
        rules(),
        ["queue", "lease"],
    ),
    "static has a queue": (served(access=Access.STATIC, answer=grant(address=FIXED)), rules(), ["queue"]),
    "hotspot has a binding": (
        served(access=Access.HOTSPOT, answer=grant(address=FIXED), mac=MAC),
        rules(),
        ["queue", "binding"],
    ),
    "routed networks of dhcp": (
        served(access=Access.DHCP, answer=grant(address=FIXED, routes=["203.0.113.16/28"]), mac=MAC),
        NONE,
        ["lease", "route:203.0.113.16/28"],
    ),
    "routed networks are in the lists too": (
        served(access=Access.STATIC, answer=late(FIXED, ("203.0.113.16/28",)), state=LATE),
        NONE,
        [f"list:{SUSPENDED}:{FIXED}", f"list:{SUSPENDED}:203.0.113.16/28", "route:203.0.113.16/28"],
    ),
    "a prefix bound to its client": (
        served(answer=grant(delegated="2001:db8:7::/48"), duid="00:03:00:01:aa"),
        rules(dhcpv6_server="pd"),
        ["secret", "ipv6"],
    ),
    "radius gives everything": (served(access=Access.RADIUS), rules(), []),
    "who is denied has nothing": (served(answer=Denial("cancelled")), rules(), []),
    "who was taken from the router has nothing": (served(removed=True), rules(), []),
    "only what is ours": (
        served(access=Access.DHCP, answer=late(FIXED), state=LATE, mac=MAC),
        rules(manages={"leases"}),
        ["lease"],
    ),
}


@pytest.mark.parametrize(("one", "held_by", "expected"), CASES.values(), ids=CASES)
def test_which_rows_a_subscription_needs(one: Served, held_by: RouterRules, expected: list[str]) -> None:
    found = desired([one], held_by)
    assert [row.key for row in found.rows if row.subscription_id] == [f"s42:{role}" for role in expected]
    assert found.problems == ()
    assert found.served == {42}


PROBLEMS = {
    "ppp without a login": (served(login=""), rules(), "login and a password"),
    "a queue without an address": (served(), SIMPLE, "a queue needs a fixed address"),
    "a list without an address": (served(warned=True, state=LATE), rules(warned_list="warned"), "warned needs a fixed"),
    "dhcp without a MAC address": (served(access=Access.DHCP, answer=grant(address=FIXED)), NONE, "MAC address and"),
    "hotspot without either": (served(access=Access.HOTSPOT), NONE, "MAC address or"),
    "a prefix without a DUID": (served(answer=grant(delegated="2001:db8::/48")), rules(dhcpv6_server="pd"), "DUID"),
    "an IPv6 route without PPP": (
        served(access=Access.STATIC, answer=grant(address=FIXED, routes=["2001:db8::/48"])),
        NONE,
        "2001:db8::/48 cannot be routed",
    ),
    "a route without an address": (
        served(access=Access.STATIC, answer=grant(routes=["203.0.113.16/28"])),
        NONE,
        "the route to 203.0.113.16/28 needs",
    ),
    "a route to everybody": (served(answer=grant(routes=["0.0.0.0/0"])), NONE, "0.0.0.0/0 is everybody's"),
    "nobody's address": (served(answer=grant(address="0.0.0.0")), NONE, "0.0.0.0 is everybody's or nobody's"),
}


@pytest.mark.parametrize(("one", "held_by", "words"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_cannot_be_held_is_a_problem_in_words(one: Served, held_by: RouterRules, words: str) -> None:
    found = desired([one], held_by)
    assert [(problem.subscription_id, words in problem.words) for problem in found.problems] == [(42, True)]
    assert "0.0.0.0/0" not in str([dict(row.fields) for row in found.rows])


def _row(key: str, one: Served, held_by: RouterRules) -> Mapping[str, str]:
    rows = {row.key: row for row in desired([one], held_by).rows}
    return rows[key].fields


def _profile(one: Served, held_by: RouterRules) -> Mapping[str, str]:
    [row] = [row for row in desired([one], held_by).rows if row.menu is Menu.PPP_PROFILE]
    assert row.key == f"profile:{row.fields['name']}"
    return row.fields


def test_the_fields_of_a_secret() -> None:
    own = grant(policy(), FIXED, ["203.0.113.16/28", "2001:db8:7::/48"], framed="2001:db8:1::/64")
    one = served(answer=own, bound_mac="00:00:5e:00:53:0a")
    assert _row("s42:secret", one, rules()) == {
        "name": "user42",
        "password": "secret42",
        "service": "pppoe",
        "profile": _profile(one, rules())["name"],
        "remote-address": FIXED,
        "remote-ipv6-prefix": "2001:db8:1::/64",
        "routes": "203.0.113.16/28",
        "ipv6-routes": "2001:db8:7::/48",
        "caller-id": "00:00:5E:00:53:0A",
        "disabled": "no",
    }


def test_upload_comes_before_download_as_the_router_sees_it() -> None:
    assert _profile(served(), rules())["rate-limit"] == "250M/500M"
    queue = _row("s42:queue", served(answer=grant(address=FIXED)), SIMPLE)
    assert (queue["max-limit"], queue["target"]) == ("250000000/500000000", f"{FIXED}/32")
    assert _row("s42:queue-up", served(answer=grant(address=FIXED)), TREE)["max-limit"] == "250000000"
    assert _row("s42:mark-up", served(answer=grant(address=FIXED)), TREE)["src-address"] == FIXED


@pytest.mark.parametrize(
    ("one", "held_by", "expected"),
    [
        pytest.param(served(), rules(), {"address-list": "", "only-one": "yes"}, id="active"),
        pytest.param(served(session_limit=0), rules(), {"only-one": "no"}, id="any number of sessions"),
        pytest.param(
            served(state=LATE), rules(), {"address-list": SUSPENDED, "rate-limit": "256k/256k"}, id="suspended"
        ),
        pytest.param(
            served(state=ServiceState.REDUCED), rules(reduced_list="slow"), {"address-list": "slow"}, id="reduced"
        ),
        pytest.param(served(warned=True), rules(warned_list="warned"), {"address-list": "warned"}, id="warned"),
        pytest.param(served(answer=late()), SIMPLE, {"address-list": SUSPENDED, "rate-limit": ""}, id="no address"),
        pytest.param(served(answer=late(FIXED)), SIMPLE, {"address-list": ""}, id="an entry instead"),
        pytest.param(
            served(answer=grant(policy(pool="pool-a"))), rules(), {"remote-address": "pool-a"}, id="from a pool"
        ),
        pytest.param(
            served(answer=grant(policy(pool="pool-a"), FIXED)), rules(), {"remote-address": ""}, id="pool not needed"
        ),
        pytest.param(
            served(answer=grant(policy(delegated_ipv6_pool="pd"), delegated="2001:db8::/48")),
            rules(),
            {"dhcpv6-pd-pool": "pd"},
            id="the pool gives the prefix",
        ),
        pytest.param(
            served(), rules(ppp_local_address="10.0.0.1"), {"local-address": "10.0.0.1"}, id="the router's own address"
        ),
        pytest.param(served(answer=grant(policy(None, 5_000))), rules(), {"rate-limit": "5k/0"}, id="one way only"),
    ],
)
def test_the_profile_says_what_the_policy_says(one: Served, held_by: RouterRules, expected: Mapping[str, str]) -> None:
    found = _profile(one, held_by)
    assert {name: found[name] for name in expected} == expected


def test_one_profile_for_alike_policies_and_another_name_for_any_difference() -> None:
    every = [served(1), served(2), served(3, answer=grant(policy(pool="a"))), served(4, session_limit=2)]
    rows = [row for row in desired(every, rules()).rows if row.menu is Menu.PPP_PROFILE]
    names = [row.fields["name"] for row in rows]
    assert len(set(names)) == len(names) == 3
    assert all(name.startswith("catraca-500M-250M-") for name in names)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ServiceState.ACTIVE, "bypassed"),
        (ServiceState.REDUCED, "bypassed"),
        (ServiceState.SUSPENDED, "blocked"),
        (ServiceState.PAUSED, "blocked"),
    ],
)
def test_a_hotspot_binding_lets_pass_or_blocks(state: ServiceState, expected: str) -> None:
    one = served(access=Access.HOTSPOT, state=state, answer=grant(address=FIXED), mac=MAC.lower())
    found = _row("s42:binding", one, NONE)
    assert (found["type"], found["mac-address"], found["server"]) == (expected, MAC, "all")


@pytest.mark.parametrize(
    ("one", "held_by", "expected"),
    [
        pytest.param(served(), rules(), (True, "250000000/500000000", set()), id="the profile's limit"),
        pytest.param(served(), SIMPLE, (True, "0/0", set()), id="no queue beside ours"),
        pytest.param(served(), NONE, (True, None, set()), id="nobody's to judge"),
        pytest.param(served(state=LATE), rules(), (True, "256000/256000", {SUSPENDED}), id="suspended"),
        pytest.param(served(removed=True), rules(), (False, None, set()), id="taken away"),
        pytest.param(served(answer=Denial("cancelled")), rules(), (False, None, set()), id="denied"),
    ],
)
def test_what_a_session_has_to_show(one: Served, held_by: RouterRules, expected: tuple[Any, ...]) -> None:
    [session] = desired([one], held_by).sessions
    assert (session.allowed, session.max_limit, set(session.address_lists)) == expected
    assert session.login == "user42"


def test_a_login_that_was_handed_on_may_live() -> None:
    heir, gone = served(3, login="maria"), served(1, login="maria", removed=True)
    for everybody in ([heir, gone], [gone, heir]):
        [session] = desired(everybody, rules()).sessions
        assert (session.subscription_id, session.allowed) == (3, True)


def test_the_garden_closes_in_both_lists_and_leaves_the_portal_open() -> None:
    rows = desired([], rules(garden=GARDEN)).rows
    told = [(row.key, _short(row)) for row in rows]
    assert told == [
        ("garden:allow:192.0.2.20", "catraca-allowed 192.0.2.20"),
        ("garden:allow:192.0.2.0/28", "catraca-allowed 192.0.2.0/28"),
        ("garden:allow:pix.bank.example", "catraca-allowed pix.bank.example"),
        ("garden:filter:01", f"accept {SUSPENDED} udp 53"),
        ("garden:filter:02", f"accept {SUSPENDED} tcp 53"),
        ("garden:filter:03", f"accept {SUSPENDED} catraca-allowed"),
        ("garden:filter:04", f"drop {SUSPENDED}"),
        ("garden:filter:05", f"accept {PAUSED} udp 53"),
        ("garden:filter:06", f"accept {PAUSED} tcp 53"),
        ("garden:filter:07", f"accept {PAUSED} catraca-allowed"),
        ("garden:filter:08", f"drop {PAUSED}"),
        ("garden:nat:01", f"dst-nat {SUSPENDED} !catraca-allowed tcp 80 192.0.2.20 80"),
        ("garden:nat:02", f"dst-nat {PAUSED} !catraca-allowed tcp 80 192.0.2.20 80"),
    ]


def _short(row: DesiredRow) -> str:
    names = (
        "list", "address", "action", "src-address-list", "dst-address-list", "protocol", "dst-port",
        "to-addresses", "to-ports",
    )  # fmt: skip
    return " ".join(row.fields[name] for name in names if row.fields.get(name))


def test_a_garden_leaves_no_door_for_everybody() -> None:
    found = desired([], rules(garden=Garden("192.0.2.20", allow=("0.0.0.0/0",))))
    assert "0.0.0.0/0" not in [row.fields.get("address") for row in found.rows]
    assert ["0.0.0.0/0" in problem.words for problem in found.problems] == [True]
    stored = {"portal": "192.0.2.20", "portal_port": 8080, "allow": ["a.example"], "dns": False}
    assert Garden.of(stored) == Garden("192.0.2.20", 8080, ("a.example",), False)
    assert Garden.of(None) is None


@pytest.mark.parametrize(
    ("comment", "key", "kept"),
    [
        ("catraca:s42:secret", "s42:secret", ""),
        ("catraca:s42:secret João, 2º andar", "s42:secret", "João, 2º andar"),
        ("catraca:s42:list:em%20atraso:198.51.100.7", "s42:list:em atraso:198.51.100.7", ""),
        ("Catraca:s42:secret", None, "Catraca:s42:secret"),
        ("see catraca:s42:secret", None, "see catraca:s42:secret"),
        ("catracas", None, "catracas"),
        ("catraca:", None, ""),
        ("", None, ""),
    ],
)
def test_the_mark_is_the_first_word(comment: str, key: str | None, kept: str) -> None:
    assert (key_of(comment), kept_of(comment)) == (key, kept)
    if key:
        assert comment_of(key, kept) == comment


@pytest.mark.parametrize(
    ("key", "number"),
    [
        ("s42:secret", 42), ("s42:list:a:b", 42), ("profile:s42", None), ("garden:filter:01", None),
        ("s42", None), ("s:x", None), ("s042:x", None), ("x42:y", None), ("s٤:x", None),
    ],
)  # fmt: skip
def test_whose_a_key_is(key: str, number: int | None) -> None:
    assert subscription_of(key) == number


def test_the_menus_that_are_read() -> None:
    assert menus_of(rules(manages=EVERYTHING)) == set(Menu)
    assert menus_of(rules(manages=())) == {Menu.FILTER, Menu.NAT, Menu.ADDRESS_LIST}
    assert Menu.PPP_SECRET not in menus_of(rules(manages={"queues"}))


def test_no_policy_is_without_a_name() -> None:
    assert _profile(served(answer=grant(Policy())), rules())["name"].startswith("catraca-max-max-")
