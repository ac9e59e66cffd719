"""What changes the emulated router's rows, what it refuses and how, and the order of its rules."""

from __future__ import annotations

import pytest

from lab.routeros.emulator import EmulatedRouter
from tests.factories_routeros import bare_api, refused, stocked

# Writing

TAKEN = "failure: secret with the same name already exists"
STRANGE = "no such command or directory ({}), no such command prefix"
TRAPS = [
    ("name taken", "/ppp/secret/add", {"name": "ana"}, TAKEN),
    ("rename to a taken one", "/ppp/secret/set", {".id": "bia", "name": "ana"}, TAKEN),
    ("no such profile", "/ppp/secret/add", {"name": "x", "profile": "y"}, "input does not match any value of profile"),
    ("no such item", "/ppp/secret/set", {".id": "*99", "comment": "x"}, "no such item"),
    ("one of several is missing", "/ppp/secret/remove", {"numbers": "*1,*99"}, "no such item"),
    ("no item said", "/ppp/secret/set", {"comment": "x"}, "missing =.id="),
    ("unknown parameter", "/ppp/secret/add", {"name": "x", "colour": "red"}, "unknown parameter colour"),
    ("read only", "/queue/simple/add", {"target": "10.0.0.1", "dynamic": "yes"}, "unknown parameter dynamic"),
    ("no name", "/ppp/secret/set", {".id": "*1", "name": ""}, "invalid value for argument name"),
    (
        "no name by unset",
        "/ppp/secret/unset",
        {".id": "*1", "value-name": "name"},
        "invalid value for argument value-name",
    ),
    ("needed", "/queue/simple/add", {"name": "x"}, "missing =target="),
    ("no such verb", "/ppp/secret/dance", {}, "no such command"),
    ("no such menu", "/caps-man/interface/print", {}, STRANGE.format("caps-man")),
    ("no such submenu", "/ppp/secrets/print", {}, STRANGE.format("secrets")),
    ("no order there", "/ppp/secret/add", {"name": "x", "place-before": "*1"}, "unknown parameter place-before"),
    ("built in", "/ppp/profile/remove", {".id": "default"}, "failure: can not remove builtin"),
    ("sessions are not added", "/ppp/active/add", {"name": "x"}, "no such command"),
    ("connections are not added", "/ip/firewall/connection/add", {"src-address": "10.0.0.1"}, "no such command"),
    ("priority", "/queue/simple/add", {"target": "::1", "priority": "9"}, "value of priority out of range (1..8)"),
]


@pytest.mark.parametrize(("command", "words", "message"), [row[1:] for row in TRAPS], ids=[row[0] for row in TRAPS])
def test_refused_in_routeros_words_and_nothing_changes(command: str, words: dict[str, str], message: str) -> None:
    with stocked() as router, bare_api(router) as api:
        before = router.foreign_bytes(), router.rows("/ppp/secret")
        assert refused(lambda: list(api(command, **words))) == message
        assert (router.foreign_bytes(), router.rows("/ppp/secret")) == before


LISTED = {"list": "x", "address": "10.0.0.1"}
LEASE = {"address": "10.0.0.1", "mac-address": "aa:bb:cc:00:00:01"}
QUEUE = {"name": "q", "target": "10.0.0.1"}
MAC_2 = "aa:bb:cc:00:00:02"
TWICE = [
    ("same list and address", "/ip/firewall/address-list", LISTED, {"address": "10.0.0.1/32"}, True),
    ("other list", "/ip/firewall/address-list", LISTED, {"list": "y"}, False),
    ("disabled list entry", "/ip/firewall/address-list", LISTED, {"disabled": "yes"}, False),
    ("lease's address", "/ip/dhcp-server/lease", LEASE, {"mac-address": MAC_2}, True),
    ("lease's MAC", "/ip/dhcp-server/lease", LEASE, {"address": "10.0.0.2", "server": "dhcp1"}, True),
    ("another lease", "/ip/dhcp-server/lease", LEASE, {"address": "10.0.0.2", "mac-address": MAC_2}, False),
    ("queue's name", "/queue/simple", QUEUE, {"target": "10.0.0.2"}, True),
    ("queue's target", "/queue/simple", QUEUE, {"name": "r"}, False),
    ("firewall rules", "/ip/firewall/filter", {"chain": "forward", "action": "drop"}, {}, False),
]


@pytest.mark.parametrize(
    ("path", "first", "changes", "clashes"), [row[1:] for row in TWICE], ids=[row[0] for row in TWICE]
)
def test_what_is_unique(path: str, first: dict[str, str], changes: dict[str, str], clashes: bool) -> None:
    with EmulatedRouter() as router:
        router.by_hand(f"{path}/add", **first)
        if clashes:
            with pytest.raises(ValueError, match="failure: already have"):
                router.by_hand(f"{path}/add", **{**first, **changes})
        else:
            router.by_hand(f"{path}/add", **{**first, **changes})
        assert len(router.rows(path)) == 2 - clashes


def test_set_of_many_by_numbers_names_and_ids() -> None:
    with stocked() as router, bare_api(router) as api:
        tuple(api("/ppp/secret/set", numbers="*1,bia,*4", service="pppoe", comment="x"))
        assert [(row["service"], row.get("comment")) for row in router.rows("/ppp/secret")] == [
            ("pppoe", "x"),
            ("pppoe", "x"),
            ("pppoe", None),
            ("pppoe", "x"),
        ]


UNSETS = [
    ("the command", "unset", {".id": "dora", "value-name": "remote-address"}),
    ("with its mark", "set", {".id": "dora", "!remote-address": ""}),
    ("an empty value", "set", {".id": "dora", "remote-address": ""}),
]


@pytest.mark.parametrize(("verb", "words"), [row[1:] for row in UNSETS], ids=[row[0] for row in UNSETS])
def test_unset(verb: str, words: dict[str, str]) -> None:
    with stocked() as router, bare_api(router) as api:
        tuple(api(f"/ppp/secret/{verb}", **words))
        assert "remote-address" not in router.rows("/ppp/secret")[3]


def test_enable_disable_and_comment() -> None:
    with stocked() as router:
        router.by_hand("/ppp/secret/enable", numbers="dora")
        router.by_hand("/ppp/secret/disable", numbers="ana,bia")
        router.by_hand("/ppp/secret/comment", numbers="ana,bia", comment="férias")
        assert [(row["disabled"], row.get("comment")) for row in router.rows("/ppp/secret")] == [
            ("true", "férias"),
            ("true", "férias"),
            ("false", None),
            ("false", None),
        ]


def test_ids_are_hexadecimal_and_never_used_again() -> None:
    with EmulatedRouter() as router:
        ids = [router.by_hand("/queue/tree/add", name=f"q{count}", parent="global") for count in range(10)]
        assert ids[-1] == "*A"
        router.by_hand("/queue/tree/remove", id="*A")
        assert router.by_hand("/queue/tree/add", name="again", parent="global") == "*B"


def test_names_are_followed_when_rows_are_renamed_and_shown_as_ids_when_they_are_gone() -> None:
    with stocked() as router:
        router.by_hand("/ppp/profile/set", id="gold", name="ouro")
        renamed = [row["profile"] for row in router.rows("/ppp/secret")]
        router.by_hand("/ppp/profile/remove", id="ouro")
        assert renamed == ["ouro", "default", "ouro", "default"]
        assert [row["profile"] for row in router.rows("/ppp/secret")] == ["*1", "default", "*1", "default"]


def test_a_lease_for_all_servers_shows_none() -> None:
    with EmulatedRouter() as router:
        router.by_hand("/ip/dhcp-server/lease/add", address="10.0.0.1", mac_address="aabbcc000001", server="all")
        assert "server" not in router.rows("/ip/dhcp-server/lease")[0]


@pytest.mark.parametrize(("version", "shown"), [("6.49.18", {"disabled": "false", "log": "false"}), ("7.20.4", {})])
def test_a_rule_shows_what_was_said_of_it(version: str, shown: dict[str, str]) -> None:
    with EmulatedRouter(version) as router:
        router.by_hand("/ip/firewall/filter/add", chain="forward", action="drop")
        row = router.rows("/ip/firewall/filter")[0]
        assert {name: row[name] for name in ("disabled", "log") if name in row} == shown


@pytest.mark.parametrize("path", ["/ip/firewall/address-list", "/ipv6/firewall/address-list"])
def test_a_listed_name_has_its_address_beside_it(path: str) -> None:
    with EmulatedRouter() as router:
        name = router.by_hand(f"{path}/add", list="catraca-allowed", address="pix.bank.example")
        first = router.rows(path)
        assert [(row["dynamic"], row.get("comment")) for row in first] == [
            ("false", None),
            ("true", "pix.bank.example"),
        ]
        router.reboot()
        assert [row["address"] for row in router.rows(path)] == [row["address"] for row in first]
        router.by_hand(f"{path}/set", id=name, list="other")
        assert [row["list"] for row in router.rows(path)] == ["other", "other"]
        router.by_hand(f"{path}/disable", id=name)
        assert len(router.rows(path)) == 1
        router.by_hand(f"{path}/enable", id=name)
        router.by_hand(f"{path}/remove", id=name)
        assert router.rows(path) == []


# Order


def rules(router: EmulatedRouter) -> str:
    return " ".join(row["comment"] for row in router.rows("/ip/firewall/filter") if row["dynamic"] == "false")


def ruled() -> EmulatedRouter:
    """Four rules, a to d, as *1 to *4."""
    router = EmulatedRouter()
    for comment in "abcd":
        router.by_hand("/ip/firewall/filter/add", chain="forward", comment=comment)
    return router


MOVES = [
    ("one before another", {"numbers": "*4", "destination": "*2"}, "a d b c"),
    ("down", {"numbers": "*1", "destination": "*3"}, "b a c d"),
    ("several in the order given", {"numbers": "*4,*3", "destination": "*1"}, "d c a b"),
    ("to the end", {"numbers": "*1"}, "b c d a"),
    ("to what is not there: the end", {"numbers": "*1", "destination": "*FF"}, "b c d a"),
    ("by places from 0", {"numbers": "0", "destination": "2"}, "b a c d"),
    ("by .id", {".id": "*2", "destination": "*1"}, "b a c d"),
]


@pytest.mark.parametrize(("words", "order"), [row[1:] for row in MOVES], ids=[row[0] for row in MOVES])
def test_move(words: dict[str, str], order: str) -> None:
    with ruled() as router:
        router.by_hand("/ip/firewall/filter/move", **words)
        assert rules(router) == order
        assert sorted(row[".id"] for row in router.rows("/ip/firewall/filter")) == ["*1", "*2", "*3", "*4"]


def test_place_before() -> None:
    with ruled() as router:
        router.by_hand("/ip/firewall/filter/add", chain="forward", comment="e", place_before="*2")
        assert rules(router) == "a e b c d"
        with pytest.raises(ValueError, match="no such item"):
            router.by_hand("/ip/firewall/filter/add", chain="forward", place_before="*77")


def test_fasttrack_puts_a_counter_rule_on_top_that_nobody_moves() -> None:
    with ruled() as router:
        fasttrack = router.by_hand(
            "/ip/firewall/filter/add", chain="forward", action="fasttrack-connection", comment="f"
        )
        top = router.rows("/ip/firewall/filter")[0]
        assert (top["dynamic"], top["action"]) == ("true", "passthrough")
        for words in ({"numbers": top[".id"]}, {"numbers": "*1", "destination": top[".id"]}):
            with pytest.raises(ValueError, match="cannot move builtin"):
                router.by_hand("/ip/firewall/filter/move", **words)
        router.by_hand("/ip/firewall/filter/remove", id=fasttrack)
        assert [row["dynamic"] for row in router.rows("/ip/firewall/filter")] == ["false"] * 4
