"""What holds for every plan: it leads to what is desired from anywhere, touches nobody's rows, and is then empty."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioning.facts import ServiceState
from provisioning.routeros.desired.state import RouterRules, Served, desired, menus_of
from provisioning.routeros.fingerprints import desired_fingerprints, observed_fingerprints
from provisioning.routeros.menus import MENUS
from provisioning.routeros.plan.smallest import plan
from provisioning.routeros.rows import Access, Desired, DesiredRow, EndSession, Menu, Observed, ObservedRow, SpeedBy
from radius.policy import Denial, Grant
from tests.factories_desired import (
    GARDEN,
    PAUSED,
    SUSPENDED,
    V6,
    V7,
    PaperRouter,
    Refused,
    grant,
    policy,
    rules,
    served,
)

HELD = [menu for menu in Menu if menu is not Menu.PPP_ACTIVE]
FAST = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
LOGINS = ("ana", "bia", "caio", "davi", "eva", "")
STATES = (ServiceState.ACTIVE, ServiceState.REDUCED, ServiceState.SUSPENDED, ServiceState.PAUSED)


@st.composite
def worlds(draw: st.DrawFn) -> list[Served]:
    """Up to six subscriptions: logins, addresses and MAC addresses are theirs alone, as the facts have it."""
    count = draw(st.integers(0, 6))
    logins = draw(st.permutations([f"user{number}" for number in range(6)]))
    places = draw(st.permutations(range(1, 7)))
    macs = draw(st.permutations(range(1, 7)))
    return [_one(draw, number + 1, logins[number], places[number], macs[number]) for number in range(count)]


def _one(draw: st.DrawFn, number: int, login: str, place: int, mac: int) -> Served:
    state = draw(st.sampled_from(STATES))
    names = {ServiceState.SUSPENDED: SUSPENDED, ServiceState.PAUSED: PAUSED}
    rate = draw(st.sampled_from([None, 1_500_000, 10_000_000, 500_000_000]))
    given_policy = policy(rate, rate, names.get(state, ""), pool=draw(st.sampled_from(["", "pool-a"])))
    own = grant(
        given_policy,
        draw(st.sampled_from(["", f"198.51.100.{place}"])),
        draw(st.sampled_from([(), (f"203.0.113.{place * 16}/28",)])),
        delegated=draw(st.sampled_from(["", f"2001:db8:{place}::/48"])),
    )
    answer: Grant | Denial = Denial("cancelled") if draw(st.integers(0, 3)) == 3 else own
    return served(
        number,
        draw(st.sampled_from(Access)),
        answer,
        state,
        login=login,
        password=draw(st.sampled_from(["a", "b"])),
        mac=f"00:00:5E:00:53:{mac:02}",
        removed=draw(st.sampled_from([False, False, False, True])),
        warned=draw(st.booleans()),
        duid=draw(st.sampled_from(["", f"00030001{mac:012}"])),
    )


rule_sets = st.builds(
    lambda speed_by, garden: rules(speed_by, garden=garden, warned_list="warned", dhcpv6_server="pd"),
    st.sampled_from(SpeedBy),
    st.sampled_from([None, GARDEN]),
)


def _router(draw: Any, version: Any = V7) -> PaperRouter:
    """A router with rows of others, that stand in nobody's way."""
    router = PaperRouter(version)
    for number in range(draw(st.integers(0, 3))):
        router.put(Menu.FILTER, chain=("forward", "input")[number % 2], action="accept", comment="theirs")
        router.put(Menu.NAT, chain="dstnat", action="accept")
        router.put(Menu.PPP_SECRET, name=f"office{number}", password="x", comment="catracas: not ours")
        router.put(Menu.SIMPLE_QUEUE, name=f"office{number}", target=f"192.0.2.{number + 1}/32", max_limit="1M/1M")
        router.put(Menu.ADDRESS_LIST, list=SUSPENDED, address=f"192.0.2.{number + 1}")
    return router


def _cycle(router: PaperRouter, wanted: Desired, held_by: RouterRules, cap: int = 1_000) -> Any:
    made = plan(wanted, router.observe(menus_of(held_by)), removal_cap=cap)
    router.apply(made)
    return made


def _settled(router: PaperRouter, wanted: Desired, held_by: RouterRules) -> bool:
    return not plan(wanted, router.observe(menus_of(held_by)), removal_cap=1_000).steps


def _as_observed(row: DesiredRow, number: int) -> ObservedRow:
    columns = {column.name: column.default for column in MENUS[row.menu].columns}
    return ObservedRow(row.menu, f"*{number}", {**columns, **row.fields}, row.key, number)


@FAST
@given(worlds(), rule_sets)
def test_what_is_there_as_desired_needs_no_plan(world: list[Served], held_by: RouterRules) -> None:
    wanted = desired(world, held_by)
    rows = tuple(_as_observed(row, number) for number, row in enumerate(wanted.rows))
    made = plan(wanted, Observed(rows, frozenset(Menu)), removal_cap=0)
    assert made.steps == ()
    assert made.held == ()


@FAST
@given(st.data(), worlds(), worlds(), rule_sets, st.sampled_from([V6, V7]))
def test_one_plan_leads_from_any_facts_to_any_others(
    data: st.DataObject, before: list[Served], after: list[Served], held_by: RouterRules, version: Any
) -> None:
    router = _router(data.draw, version)
    foreign = router.foreign()
    for world in (before, after):
        wanted = desired(world, held_by)
        _cycle(router, wanted, held_by)
        assert _settled(router, wanted, held_by)
        observed = router.observe(menus_of(held_by))
        seen = observed_fingerprints(wanted, observed)
        left = {problem.subscription_id or 0 for problem in plan(wanted, observed).problems}
        for number, fingerprint in desired_fingerprints(wanted).items():
            assert seen[number] == fingerprint or number in left
    assert router.foreign() == foreign


@FAST
@given(st.data(), worlds(), worlds(), rule_sets)
def test_an_apply_that_ends_anywhere_is_made_good_by_the_next(
    data: st.DataObject, before: list[Served], after: list[Served], held_by: RouterRules
) -> None:
    router = _router(data.draw)
    foreign = router.foreign()
    _cycle(router, desired(before, held_by), held_by)
    wanted = desired(after, held_by)
    made = plan(wanted, router.observe(menus_of(held_by)), removal_cap=1_000)
    sent = [step for stage in made.stages for step in stage]
    router.do(sent[: data.draw(st.integers(0, len(sent)))])
    _cycle(router, wanted, held_by)
    assert _settled(router, wanted, held_by)
    assert router.foreign() == foreign


@FAST
@given(st.data(), worlds(), worlds(), rule_sets)
def test_steps_that_the_router_refused_or_forgot_are_made_good_by_the_next(
    data: st.DataObject, before: list[Served], after: list[Served], held_by: RouterRules
) -> None:
    router = _router(data.draw)
    _cycle(router, desired(before, held_by), held_by)
    wanted = desired(after, held_by)
    for step in plan(wanted, router.observe(menus_of(held_by)), removal_cap=1_000).steps:
        if data.draw(st.booleans()):
            with suppress(Refused):
                router.do([step])
    _cycle(router, wanted, held_by)
    assert _settled(router, wanted, held_by)


@FAST
@given(st.data(), worlds(), rule_sets)
def test_whatever_is_done_to_rows_of_ours_is_repaired_by_one_plan(
    data: st.DataObject, world: list[Served], held_by: RouterRules
) -> None:
    router = _router(data.draw)
    foreign = router.foreign()
    wanted = desired(world, held_by)
    _cycle(router, wanted, held_by)
    for _ in range(data.draw(st.integers(1, 5))):
        _spoil(data.draw, router)
    seen = observed_fingerprints(wanted, router.observe(menus_of(held_by)))
    made = _cycle(router, wanted, held_by)
    touched = {_number(step) for step in made.steps if not isinstance(step, EndSession)}
    assert touched <= {number for number, found in seen.items() if found != desired_fingerprints(wanted).get(number)}
    assert _settled(router, wanted, held_by)
    assert router.foreign() == foreign


def _number(step: Any) -> int:
    return getattr(step, "subscription_id", None) or getattr(step.row, "subscription_id", None) or 0


def _spoil(draw: Any, router: PaperRouter) -> None:
    """Somebody at the router changes, removes, copies, moves or clears a row of ours."""
    ours = [(menu, row) for menu in HELD for row in router.menus[menu] if row.get("comment", "").startswith("catraca:")]
    if not ours:
        return
    menu, row = draw(st.sampled_from(ours))
    deed = draw(st.sampled_from(["remove", "copy", "change", "move", "clear"]))
    rows = router.menus[menu]
    names = sorted(set(row) - {".id", "comment"})
    if deed == "remove":
        rows.remove(row)
    elif deed == "copy":
        number = len(rows)
        fields = {name: value for name, value in row.items() if name != ".id"}
        changed = {names[-1] for names in MENUS[menu].naturals}
        router._insert(menu, {name: _other(name, number) if name in changed else v for name, v in fields.items()})
    elif deed == "move":
        rows.remove(row)
        rows.insert(draw(st.integers(0, len(rows))), row)
    elif deed == "clear":
        row.pop(draw(st.sampled_from([name for name in names if name != "name"] or ["-"])), None)
    else:
        name = draw(st.sampled_from(names))
        row[name] = _other(name, len(router.sent) + rows.index(row))


def _other(name: str, number: int) -> str:
    """A value that no desired row has."""
    match name:
        case "address" | "target" | "remote-address" | "dst-address" | "src-address" | "gateway" | "to-addresses":
            return f"10.9.{number // 250}.{number % 250 + 1}"
        case "mac-address":
            return f"02:00:00:00:{number // 250:02X}:{number % 250:02X}"
        case "max-limit" | "rate-limit":
            return "7M/7M"
        case "disabled":
            return "yes"
        case _:
            return f"other-{number}"
