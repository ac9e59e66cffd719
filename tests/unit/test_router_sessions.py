"""Which live PPP sessions have to begin anew, and in what order; what stands for rows in the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from provisioning.facts import ServiceState
from provisioning.routeros.desired.state import RouterRules, Served, desired
from provisioning.routeros.fingerprints import OWN, desired_fingerprints, observed_fingerprints
from provisioning.routeros.plan.smallest import plan
from provisioning.routeros.rows import EndSession, Menu, SpeedBy
from provisioning.routeros.sessions import session_steps
from radius.policy import Denial
from tests.factories_desired import GARDEN, SUSPENDED, PaperRouter, grant, policy, rules, served, settled

ADDRESS = "100.64.0.9"
LATE = served(state=ServiceState.SUSPENDED)
SIMPLE = rules(SpeedBy.SIMPLE_QUEUE)


def dial(
    router: PaperRouter, login: str = "user42", limit: str = "250M/500M", lists: tuple[str, ...] = (), **active: str
) -> None:
    """A session as the router shows it: its own row, its queue, the entries of its address."""
    router.put(Menu.PPP_ACTIVE, **{"name": login, "service": "pppoe", "address": ADDRESS, **active})
    if limit:
        router.put(Menu.SIMPLE_QUEUE, name=f"<pppoe-{login}>", target="", max_limit=limit, dynamic="yes")
    for name in lists:
        router.put(Menu.ADDRESS_LIST, list=name, address=ADDRESS, dynamic="yes")


CASES: Mapping[str, tuple[Served, RouterRules, dict[str, Any], str]] = {
    "all as it should be": (served(), rules(), {}, ""),
    "the speed of before": (served(), rules(), {"limit": "256k/256k"}, "speed"),
    "no queue at all": (served(), rules(), {"limit": ""}, "speed"),
    "still in the list": (served(), rules(), {"lists": (SUSPENDED,)}, "lists"),
    "not yet in the list": (LATE, rules(), {"limit": "256k/256k"}, "lists"),
    "in the list": (LATE, rules(), {"limit": "256k/256k", "lists": (SUSPENDED,)}, ""),
    "in somebody else's list": (served(), rules(), {"lists": ("gamers",)}, ""),
    "a queue beside ours": (served(answer=grant(address=ADDRESS)), SIMPLE, {}, "speed"),
    "no queue beside ours": (served(answer=grant(address=ADDRESS)), SIMPLE, {"limit": ""}, ""),
    "nobody judges the speed": (served(), rules(SpeedBy.NONE), {"limit": "1M/1M"}, ""),
    "denied": (served(answer=Denial("cancelled")), rules(), {}, "not-served"),
    "taken away": (served(removed=True), rules(), {}, "not-served"),
    "of IPv6 alone": (LATE, rules(), {"limit": "256k/256k", "address": ""}, ""),
    "made by RADIUS": (served(removed=True), rules(), {"radius": "true"}, ""),
    "somebody else's login": (served(), rules(), {"login": "office", "limit": ""}, ""),
}


@pytest.mark.parametrize(("one", "held_by", "session", "reason"), CASES.values(), ids=CASES)
def test_which_sessions_end(one: Served, held_by: RouterRules, session: dict[str, Any], reason: str) -> None:
    router = settled([one], held_by)
    dial(router, **session)
    steps = session_steps(desired([one], held_by), router.observe())
    assert [(step.login, step.subscription_id, step.reason) for step in steps] == (
        [("user42", 42, reason)] if reason else []
    )


def test_a_static_entry_does_as_well_and_one_that_times_out_is_not_the_profiles() -> None:
    router = settled([LATE])
    dial(router, limit="256k/256k")
    router.put(Menu.ADDRESS_LIST, list=SUSPENDED, address=ADDRESS)
    assert session_steps(desired([LATE], rules()), router.observe()) == []
    router = settled([served()])
    dial(router)
    router.put(Menu.ADDRESS_LIST, list=SUSPENDED, address=ADDRESS, dynamic="yes", timeout="1h")
    assert session_steps(desired([served()], rules()), router.observe()) == []


def test_whoever_gets_more_first_and_whoever_may_have_none_last() -> None:
    gone, less, more = served(1, removed=True), served(2, state=ServiceState.SUSPENDED), served(3)
    router = settled([gone, less, more])
    for number in (1, 2, 3):
        dial(router, f"user{number}", "1M/1M", address=f"100.64.0.{number}")
    steps = plan(desired([gone, less, more], rules()), router.observe()).stages[-1]
    assert [step.login for step in steps if isinstance(step, EndSession)] == ["user3", "user2", "user1"]


def test_nobody_is_ended_whose_next_session_would_be_no_better() -> None:
    router = PaperRouter()
    router.put(Menu.PPP_SECRET, name="user42", profile="default")
    dial(router, limit="1M/1M")
    made = plan(desired([served()], rules()), router.observe())
    assert not [step for step in made.steps if isinstance(step, EndSession)]
    gone = plan(desired([served(removed=True)], rules()), router.observe())
    assert not gone.steps


def test_sessions_are_no_configuration() -> None:
    router = settled([served()])
    dial(router, limit="1M/1M")
    wanted = desired([served()], rules())
    assert plan(wanted, router.observe()).steps
    assert observed_fingerprints(wanted, router.observe()) == desired_fingerprints(wanted)


def test_fingerprints_of_who_has_no_rows_and_of_the_routers_own() -> None:
    found = desired_fingerprints(desired([served(1), served(2, removed=True)], rules(SpeedBy.PROFILE)))
    assert found[2] == ""
    assert len(found[1]) == len(found[OWN]) == 16
    assert desired_fingerprints(desired([], rules()))[OWN] == ""
    assert desired_fingerprints(desired([], rules(garden=GARDEN)))[OWN] != ""


def test_a_fingerprint_tells_what_differs_but_no_secret() -> None:
    before = desired_fingerprints(desired([served()], rules()))[42]
    assert desired_fingerprints(desired([served(password="another")], rules()))[42] == before
    for other in (served(login="maria"), LATE, served(answer=grant(policy(1_000_000)))):
        assert desired_fingerprints(desired([other], rules()))[42] != before
    router = settled([served()])
    wanted = desired([served(password="another")], rules())
    assert observed_fingerprints(wanted, router.observe())[42] != before


@pytest.mark.parametrize(
    ("menu", "change", "differing"),
    [
        pytest.param(Menu.PPP_SECRET, {"profile": "default"}, {42}, id="a field of a secret"),
        pytest.param(Menu.PPP_SECRET, {"disabled": "yes"}, {42}, id="disabled"),
        pytest.param(Menu.PPP_PROFILE, {"rate-limit": "1M/1M"}, {OWN}, id="a profile"),
        pytest.param(Menu.PPP_SECRET, {"comment": "catraca:s7:secret"}, {7, 42}, id="another's mark"),
        pytest.param(Menu.PPP_SECRET, {"comment": ""}, {42}, id="no mark"),
        pytest.param(Menu.PPP_SECRET, {"limit-bytes-in": "5"}, set(), id="a field that is not ours"),
        pytest.param(Menu.PPP_SECRET, {"comment": "catraca:s42:secret Ana"}, set(), id="people's words"),
    ],
)
def test_whose_fingerprint_differs(menu: Menu, change: dict[str, str], differing: set[int]) -> None:
    router = settled([served()])
    router.menus[menu][0].update(change)
    wanted = desired([served()], rules())
    expected = desired_fingerprints(wanted)
    seen = observed_fingerprints(wanted, router.observe())
    assert {number for number in expected | seen if expected.get(number, "") != seen.get(number, "")} == differing


def test_of_a_part_only_its_own_are_told() -> None:
    router = settled([served(1), served(2)])
    wanted = desired([served(1)], rules())
    seen = observed_fingerprints(wanted, router.observe(scope=frozenset({1})))
    assert seen == {1: desired_fingerprints(wanted)[1]}
