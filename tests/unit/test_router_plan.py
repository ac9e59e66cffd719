"""Plans of a router, on a router that exists on paper only: the smallest steps, in their order, within the guard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioning.facts import ServiceState
from provisioning.routeros.commands import TooWide, commands
from provisioning.routeros.desired.state import Served, desired
from provisioning.routeros.plan.smallest import default_removal_cap, plan
from provisioning.routeros.queries import address_queries, queries, rows_found
from provisioning.routeros.rows import (
    Access,
    Add,
    Change,
    DesiredRow,
    EndSession,
    Menu,
    Move,
    Observed,
    ObservedRow,
    Remove,
    SpeedBy,
)
from radius.policy import Denial
from tests.factories_desired import (
    GARDEN,
    PAUSED,
    SUSPENDED,
    V6,
    V7,
    PaperRouter,
    grant,
    plan_for,
    policy,
    rules,
    served,
    settled,
)

FIXED = "198.51.100.7"
MAC = "00:00:5E:00:53:01"


def test_a_new_subscriber_gets_profile_then_secret_and_then_nothing_is_left() -> None:
    router, wanted = PaperRouter(), desired([served()], rules())
    made = plan_for(router, wanted)
    assert [[step.row.menu for step in stage if isinstance(step, Add)] for stage in made.stages] == [
        [Menu.PPP_PROFILE],
        [Menu.PPP_SECRET],
    ]
    router.apply(made)
    assert not plan_for(router, wanted)


def test_a_payment_changes_one_field_of_one_row() -> None:
    others = [served(number) for number in range(1, 6)]
    late = served(42, state=ServiceState.SUSPENDED)
    router = settled([*others, late])
    made = plan_for(router, desired([*others, served(42)], rules()))
    changed = [step for step in made.steps if isinstance(step, Change)]
    assert [(step.row.key, list(step.fields)) for step in changed] == [("s42:secret", ["profile"])]
    assert [step.row.menu for step in made.steps if isinstance(step, Remove)] == [Menu.PPP_PROFILE]
    assert len(made.steps) == 2


def test_a_password_alone_is_changed() -> None:
    router = settled([served()])
    made = plan_for(router, desired([served(password="another")], rules()))
    [step] = made.steps
    assert isinstance(step, Change)
    assert dict(step.fields) == {"password": "another"}


def test_a_field_that_loses_its_value_is_unset() -> None:
    router = settled([served(answer=grant(address=FIXED))])
    router.apply(plan_for(router, desired([served()], rules())))
    assert "remote-address" not in router.by_key(Menu.PPP_SECRET, "s42:secret")
    assert "/ppp/secret/unset" in [sent.path for sent in router.sent]


def test_peoples_words_behind_the_mark_and_fields_that_are_not_ours_stay() -> None:
    router = settled([served()])
    row = router.by_key(Menu.PPP_SECRET, "s42:secret")
    row["comment"] += " João, 2º andar"
    row["limit-bytes-in"] = "7"
    router.apply(plan_for(router, desired([served(password="another")], rules())))
    assert row["comment"] == "catraca:s42:secret João, 2º andar"
    assert row["limit-bytes-in"] == "7"


def test_a_login_that_goes_to_another_subscription_is_one_change_of_its_row() -> None:
    router = settled([served(1, login="maria"), served(2)])
    heir = served(3, login="maria")
    gone = served(1, login="maria", answer=Denial("cancelled"))
    made = plan_for(router, desired([gone, served(2), heir], rules()))
    [step] = made.steps
    assert isinstance(step, Change)
    assert dict(step.fields) == {"password": "secret3", "comment": "catraca:s3:secret"}


def test_two_subscriptions_may_swap_their_logins_and_their_leases() -> None:
    one, two = served(1, login="ana"), served(2, login="bia")
    swapped = [replace(one, login="bia"), replace(two, login="ana")]
    router = settled([one, two])
    router.apply(plan_for(router, desired(swapped, rules())))
    assert not plan_for(router, desired(swapped, rules()))
    here = grant(address="198.51.100.1"), grant(address="198.51.100.2")
    macs = "00:00:5E:00:53:01", "00:00:5E:00:53:02"
    leases = [served(n, Access.DHCP, here[n], mac=macs[n], login="") for n in (0, 1)]
    crossed = [replace(leases[n], mac=macs[1 - n]) for n in (0, 1)]
    router = settled([replace(one, subscription_id=n + 1) for n, one in enumerate(leases)])
    wanted = desired([replace(one, subscription_id=n + 1) for n, one in enumerate(crossed)], rules())
    router.apply(plan_for(router, wanted))
    assert not plan_for(router, wanted)


def test_logins_that_move_on_in_a_row_rename_and_remove_nothing() -> None:
    router = settled([served(1, login="ana"), served(2, login="bia")])
    wanted = desired([served(1, login="bia"), served(2, login="clara")], rules())
    made = plan_for(router, wanted, cap=0)
    assert {type(step) for step in made.steps} == {Change}
    router.apply(made)
    assert not plan_for(router, wanted)


@pytest.mark.parametrize(
    ("menu", "row", "one"),
    [
        pytest.param(Menu.PPP_SECRET, {"name": "user42"}, served(), id="secret of the same name"),
        pytest.param(
            Menu.DHCP_LEASE,
            {"address": "198.51.100.99", "mac_address": MAC.lower()},
            served(access=Access.DHCP, answer=grant(address=FIXED), mac=MAC),
            id="lease of the same MAC address",
        ),
        pytest.param(
            Menu.DHCP_LEASE,
            {"address": FIXED, "mac_address": "00:00:5E:00:53:99"},
            served(access=Access.DHCP, answer=grant(address=FIXED), mac=MAC),
            id="lease of the same address",
        ),
        pytest.param(
            Menu.SIMPLE_QUEUE,
            {"name": "user42", "target": "203.0.113.1/32"},
            served(access=Access.STATIC, answer=grant(address=FIXED)),
            id="queue of the same name",
        ),
        pytest.param(
            Menu.SIMPLE_QUEUE,
            {"name": "maria's house", "target": FIXED},
            served(access=Access.STATIC, answer=grant(address=FIXED)),
            id="queue of the same target",
        ),
        pytest.param(
            Menu.ADDRESS_LIST,
            {"list": SUSPENDED, "address": FIXED},
            served(access=Access.STATIC, answer=grant(policy(None, None, SUSPENDED), FIXED)),
            id="entry of the same list and address",
        ),
    ],
)
def test_a_row_that_is_not_ours_is_a_problem_and_never_touched(menu: Menu, row: dict[str, str], one: Served) -> None:
    router = PaperRouter()
    router.put(menu, **row)
    before = router.foreign()
    made = plan_for(router, desired([one], rules()))
    assert [problem.subscription_id for problem in made.problems] == [42]
    assert "adopt it" in made.problems[0].words
    assert not [step for step in made.steps if isinstance(step, Add) and step.row.menu is menu]
    router.apply(made)
    assert router.foreign() == before


def test_a_queue_that_radius_makes_is_the_only_owner() -> None:
    router = PaperRouter()
    router.put(Menu.PPP_ACTIVE, name="user42", service="pppoe", address=FIXED, radius="yes")
    router.put(Menu.SIMPLE_QUEUE, name="<pppoe-user42>", target="<pppoe-user42>", dynamic="yes", max_limit="1M/1M")
    simple = rules(SpeedBy.SIMPLE_QUEUE)
    made = plan_for(router, desired([served(answer=grant(address=FIXED))], simple), simple)
    assert Menu.SIMPLE_QUEUE not in {step.row.menu for step in made.steps if isinstance(step, Add)}
    assert [(one.subscription_id, "one of the two may own" in one.words) for one in made.problems] == [(42, True)]


def test_the_queue_of_our_own_profile_is_no_other_owner() -> None:
    router = settled([served(answer=grant(address=FIXED))])
    router.put(Menu.PPP_ACTIVE, name="user42", service="pppoe", address=FIXED)
    router.put(Menu.SIMPLE_QUEUE, name="<pppoe-user42>", target="<pppoe-user42>", dynamic="yes", max_limit="250M/500M")
    simple = rules(SpeedBy.SIMPLE_QUEUE)
    made = plan_for(router, desired([served(answer=grant(address=FIXED))], simple), simple)
    assert [step.row.key for step in made.steps if isinstance(step, Add)][-1] == "s42:queue"
    assert [step.reason for step in made.steps if isinstance(step, EndSession)] == ["speed"]


def test_rows_of_a_denied_or_removed_subscription_go_freely_and_orphans_within_the_guard() -> None:
    everybody = [served(number) for number in range(1, 41)]
    router = settled(everybody)
    away = [served(number, answer=Denial("cancelled")) for number in range(1, 21)]
    away += [served(number, removed=True) for number in range(21, 41)]
    freely = plan_for(router, desired(away, rules()), cap=0)
    assert len([step for step in freely.steps if isinstance(step, Remove) and step.row.menu is Menu.PPP_SECRET]) == 40
    assert not freely.held
    unknown = desired(everybody[:29], rules())
    beyond = plan_for(router, unknown, cap=10)
    assert len(beyond.held) == 11
    assert not beyond.steps
    within = plan_for(router, unknown, cap=11)
    assert [step.orphan for step in within.steps if isinstance(step, Remove)] == [True] * 11
    assert not within.held


def test_taking_somebody_out_of_a_list_is_never_held() -> None:
    late = grant(policy(address_list=SUSPENDED), FIXED)
    router = settled([served(number, Access.STATIC, late, login="") for number in (1,)])
    made = plan_for(router, desired([], rules()), cap=0)
    assert [step.row.menu for step in made.steps if isinstance(step, Remove)] == [Menu.ADDRESS_LIST]
    assert [step.row.menu for step in made.held] == [Menu.SIMPLE_QUEUE]


def test_the_guard_grows_with_the_router() -> None:
    assert default_removal_cap(Observed()) == 10
    rows = tuple(ObservedRow(Menu.PPP_SECRET, f"*{number}", {}, f"s{number}:secret") for number in range(1, 1_001))
    assert default_removal_cap(Observed(rows)) == 30


def test_of_two_rows_of_one_key_the_first_counts() -> None:
    router = settled([served()])
    first = router.by_key(Menu.PPP_SECRET, "s42:secret")
    copy = {name: value for name, value in first.items() if name != ".id"} | {"name": "user42-copy"}
    router._insert(Menu.PPP_SECRET, copy)
    [step] = plan_for(router, desired([served()], rules())).steps
    assert isinstance(step, Remove)
    assert (step.row.fields["name"], step.orphan) == ("user42-copy", True)


def test_restoring_comes_first_and_restricting_after_granting() -> None:
    static = rules(SpeedBy.SIMPLE_QUEUE)

    def one(number: int, late: bool) -> Served:
        own = grant(policy(1_000_000, 1_000_000, SUSPENDED) if late else policy(), f"198.51.100.{number}")
        return served(number, Access.STATIC, own)

    router = settled([one(1, True), one(2, False)], static)
    made = plan_for(router, desired([one(1, False), one(2, True)], static), static)
    told = [(type(step).__name__, step.row.key) for step in made.steps if not isinstance(step, EndSession)]
    assert told == [
        ("Remove", f"s1:list:{SUSPENDED}:198.51.100.1"),
        ("Change", "s1:queue"),
        ("Change", "s2:queue"),
        ("Add", f"s2:list:{SUSPENDED}:198.51.100.2"),
    ]


def test_the_garden_stands_on_top_of_its_chain_and_comes_back_there() -> None:
    held_by = rules(garden=GARDEN)
    router = PaperRouter()
    router.put(Menu.FILTER, chain="input", action="accept")
    router.put(Menu.FILTER, chain="forward", action="passthrough", dynamic="yes")
    router.put(Menu.FILTER, chain="forward", action="fasttrack-connection")
    router.put(Menu.FILTER, chain="forward", action="drop")
    before = router.foreign()
    wanted = desired([], held_by)
    router.apply(plan_for(router, wanted, held_by))
    assert not plan_for(router, wanted, held_by)
    keys = [f"garden:filter:{number:02}" for number in range(1, 9)]
    assert router.keys(Menu.FILTER) == [None, None, *keys, None, None]
    assert router.foreign() == before
    rows = router.menus[Menu.FILTER]
    rows.append(rows.pop(3))
    made = plan_for(router, wanted, held_by)
    assert [(type(step), step.row.key) for step in made.steps if isinstance(step, Move)] == [(Move, keys[1])]
    router.apply(made)
    assert router.keys(Menu.FILTER) == [None, None, *keys, None, None]
    for name in (SUSPENDED, PAUSED):
        actions = [row["action"] for row in rows if row.get("src-address-list") == name]
        assert actions == ["accept", "accept", "accept", "drop"]


def test_a_garden_that_is_given_up_goes_and_what_closes_goes_first() -> None:
    router = settled([], rules(garden=GARDEN))
    made = plan_for(router, desired([], rules()), rules(), cap=0)
    assert not made.held
    first = [step.row.fields.get("action") for step in made.steps if isinstance(step, Remove)][:4]
    assert set(first) <= {"drop", "dst-nat"}
    router.apply(made)
    assert [rows for rows in router.menus.values() if rows] == []


def test_hidden_passwords_are_one_problem_and_no_endless_change() -> None:
    everybody = [served(1), served(2)]
    router = settled(everybody)
    for row in router.menus[Menu.PPP_SECRET]:
        del row["password"]
    made = plan_for(router, desired(everybody, rules()))
    assert not made
    assert [(one.subscription_id, "sensitive" in one.words) for one in made.problems] == [(None, True)]


def test_a_field_that_a_release_lacks_is_a_problem_and_not_sent() -> None:
    one = served(answer=grant(address=FIXED, routes=["2001:db8:7::/48"]))
    router = settled([one], version=V6)
    assert not [sent for sent in router.sent if "ipv6-routes" in sent.words]
    made = plan_for(router, desired([one], rules()))
    assert not made
    assert ["ipv6-routes" in problem.words for problem in made.problems] == [True]
    assert "ipv6-routes" in settled([one], version=V7).by_key(Menu.PPP_SECRET, "s42:secret")


def test_a_menu_that_was_not_read_is_not_planned() -> None:
    wanted = desired([served()], rules())
    made = plan(wanted, PaperRouter().observe([Menu.PPP_PROFILE]))
    assert [step.row.menu for step in made.steps if isinstance(step, Add)] == [Menu.PPP_PROFILE]
    assert [problem.subscription_id for problem in made.problems] == [None]


def test_a_part_of_a_router_is_planned_alone() -> None:
    held_by = rules(garden=GARDEN)
    everybody = [served(number) for number in range(1, 6)]
    router = settled([*everybody, served(42, state=ServiceState.SUSPENDED)], held_by)
    one = desired([served(42)], held_by)
    scope = frozenset({42})
    made = plan(one, router.observe(scope=scope), removal_cap=1_000)
    assert [step.row.key for step in made.steps if not isinstance(step, EndSession)] == ["s42:secret"]
    gone = desired([served(42, removed=True)], held_by)
    [step] = plan(gone, router.observe(scope=scope)).steps
    assert isinstance(step, Remove)
    assert step.row.key == "s42:secret"


def test_a_part_takes_nothing_from_whom_it_knows_nothing_of() -> None:
    router = settled([served(1, login="maria"), served(42)])
    wanted = desired([served(42, login="maria")], rules())
    made = plan(wanted, router.observe(scope=frozenset({42})))
    assert made.steps == ()
    assert ["s1:secret" in problem.words for problem in made.problems] == [True]


def test_two_that_want_the_same_are_told_of_and_only_one_is_there() -> None:
    leases = [served(number, Access.DHCP, grant(address=FIXED), mac=f"00:00:5E:00:53:0{number}") for number in (1, 2)]
    wanted = desired(leases, rules(SpeedBy.NONE))
    router = PaperRouter()
    made = plan_for(router, wanted)
    assert [(problem.subscription_id, "want the same" in problem.words) for problem in made.problems] == [(2, True)]
    router.apply(made)
    again = plan_for(router, wanted)
    assert not again
    assert [(problem.subscription_id, "want the same" in problem.words) for problem in again.problems] == [(2, True)]


def test_questions_name_what_is_ours_what_is_wanted_and_whose_session_lives() -> None:
    reads = queries(desired([served(answer=grant(address=FIXED))], rules()), set(Menu), V7)
    words = {read.path: read.query for read in reads}
    assert "?name=user42" in words["/ppp/secret"]
    assert words["/ppp/secret"][1:4] == ("?>comment=catraca:s42:", "?<comment=catraca:s42;", "?#&")
    assert words["/ppp/secret"][-1].startswith("?#|")
    assert "?name=<pppoe-user42>" in words["/queue/simple"]
    assert f"?address={FIXED}" in words["/ip/firewall/address-list"]
    assert {"/ip/firewall/filter", "/ip/firewall/nat"}.isdisjoint(words)
    router = PaperRouter()
    router.put(Menu.PPP_ACTIVE, name="user42", address="100.64.0.9")
    [read] = address_queries(router.observe().rows, V7)
    assert read.query == ("?address=100.64.0.9",)
    found = rows_found([(read, [{".id": "*1", "address": "100.64.0.9"}]), (read, [{".id": "*1"}])], V7)
    assert [row.id for row in found] == ["*1"]


@pytest.mark.parametrize(
    ("menu", "fields"),
    [
        (Menu.SIMPLE_QUEUE, {"name": "x", "target": "0.0.0.0/0"}),
        (Menu.SIMPLE_QUEUE, {"name": "x", "target": ""}),
        (Menu.SIMPLE_QUEUE, {"name": "x", "target": "198.51.100.1/32,::/0"}),
        (Menu.ADDRESS_LIST, {"list": SUSPENDED, "address": "0.0.0.0/0"}),
        (Menu.ROUTE, {"dst-address": "0.0.0.0/0", "gateway": FIXED}),
        (Menu.FILTER, {"chain": "forward", "action": "drop", "src-address-list": ""}),
        (Menu.MANGLE, {"chain": "forward", "src-address": "", "dst-address": ""}),
        (Menu.IP_BINDING, {"mac-address": "", "address": "", "type": "blocked"}),
        (Menu.IPV6_BINDING, {"address": "::/0", "duid": "0x0001"}),
    ],
)
def test_a_target_of_nobody_or_everybody_never_reaches_the_wire(menu: Menu, fields: dict[str, str]) -> None:
    row = DesiredRow(menu, "s42:x", fields, 42)
    for step in (Add(row), Change(row, "*1", fields, fields)):
        with pytest.raises(TooWide):
            commands((step,), V7)


@pytest.mark.parametrize("row_id", ["", "0", "*1,*2", "maria"])
def test_only_a_rows_id_names_it(row_id: str) -> None:
    with pytest.raises(TooWide):
        commands((EndSession(row_id, "maria", 42, "speed"),), V7)


def test_alike_changes_and_removals_go_fifty_at_a_time() -> None:
    everybody = [served(number) for number in range(1, 121)]
    router = settled(everybody)
    late = [served(number, state=ServiceState.SUSPENDED) for number in range(1, 121)]
    router.sent.clear()
    router.apply(plan_for(router, desired(late, rules())))
    sets = [sent for sent in router.sent if sent.path == "/ppp/secret/set"]
    assert [sent.words[".id"].count("*") for sent in sets] == [50, 50, 20]
    router.sent.clear()
    router.apply(plan_for(router, desired([replace(one, removed=True) for one in late], rules())))
    removed = [sent.words[".id"].count("*") for sent in router.sent if sent.path == "/ppp/secret/remove"]
    assert removed == [50, 50, 20]
