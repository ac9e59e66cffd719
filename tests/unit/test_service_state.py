"""The state engine: precedence as a table, and its properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.facts import (
    Facts,
    Level,
    Pause,
    RestrictionOrder,
    ServiceRules,
    ServiceState,
    Speed,
    SpeedOverride,
    TrustUnblock,
)
from provisioning.service_state import answer_at, next_change_at, service_state, spans_from
from radius.policy import Denial, Grant

T0 = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PLAN, REDUCED, CUSTOM = Speed(500_000_000, 250_000_000), Speed(2_000_000, 1_000_000), Speed(50_000_000, 50_000_000)
RULES = ServiceRules(suspended_address_list="walled")


def day(number: float) -> datetime:
    return T0 + timedelta(days=number)


def facts(**parts: object) -> Facts:
    given_parts = {"plan_speed": PLAN, "reduced_speed": REDUCED, "installed_at": day(-30), **parts}
    return Facts(**given_parts)  # type: ignore[arg-type]


def total(since: float, lapsed: float | None = None) -> RestrictionOrder:
    return RestrictionOrder(Level.TOTAL, day(since), None if lapsed is None else day(lapsed), (1,))


def partial(since: float, lapsed: float | None = None) -> RestrictionOrder:
    return RestrictionOrder(Level.PARTIAL, day(since), None if lapsed is None else day(lapsed), (1,))


def trust(since: float, until: float) -> TrustUnblock:
    return TrustUnblock(day(since), day(until), "promised")


def paused(since: float, until: float | None = None) -> Pause:
    return Pause(day(since), None if until is None else day(until))


def custom(since: float, until: float | None = None) -> SpeedOverride:
    return SpeedOverride(day(since), None if until is None else day(until), CUSTOM)


S = ServiceState
PRECEDENCE = {
    "nothing but an installation": (facts(), S.ACTIVE, PLAN),
    "not installed yet": (facts(installed_at=None), S.PENDING_INSTALL, None),
    "installed only tomorrow": (facts(installed_at=day(1)), S.PENDING_INSTALL, None),
    "waiting for a migration": (facts(installed_at=None, awaits_migration=True), S.PENDING_MIGRATION, None),
    "cancelled beats everything": (
        facts(cancelled_at=day(-1), pauses=(paused(-2),), trusts=(trust(-1, 1),), orders=(total(-2),)),
        S.CANCELLED,
        None,
    ),
    "cancelled only tomorrow": (facts(cancelled_at=day(1)), S.ACTIVE, PLAN),
    "pending beats pause": (facts(installed_at=None, pauses=(paused(-1),)), S.PENDING_INSTALL, None),
    "pause beats trust": (facts(pauses=(paused(-1),), trusts=(trust(-1, 1),)), S.PAUSED, RULES.suspended),
    "pause beats total order": (facts(pauses=(paused(-1),), orders=(total(-1),)), S.PAUSED, RULES.suspended),
    "trust beats total order": (facts(trusts=(trust(-1, 1),), orders=(total(-2),)), S.ACTIVE, PLAN),
    "total beats partial": (facts(orders=(partial(-3), total(-2))), S.SUSPENDED, RULES.suspended),
    "partial order alone": (facts(orders=(partial(-3),)), S.REDUCED, REDUCED),
    "company's reduced speed": (facts(orders=(partial(-3),), reduced_speed=None), S.REDUCED, RULES.reduced),
    "order that lapsed": (facts(orders=(total(-3, -1),)), S.ACTIVE, PLAN),
    "order that begins later": (facts(orders=(total(1),)), S.ACTIVE, PLAN),
    "total lapsed, partial lives": (facts(orders=(partial(-3), total(-2, -1))), S.REDUCED, REDUCED),
    "trust that is over": (facts(trusts=(trust(-3, -1),), orders=(total(-5),)), S.SUSPENDED, RULES.suspended),
    "trust at its very end": (facts(trusts=(trust(-3, 0),), orders=(total(-5),)), S.SUSPENDED, RULES.suspended),
    "trust at its very beginning": (facts(trusts=(trust(0, 1),), orders=(total(-5),)), S.ACTIVE, PLAN),
    "custom speed over plan": (facts(overrides=(custom(-1),)), S.ACTIVE, CUSTOM),
    "custom speed that is over": (facts(overrides=(custom(-2, -1),)), S.ACTIVE, PLAN),
    "reduced speed over custom speed": (facts(overrides=(custom(-1),), orders=(partial(-1),)), S.REDUCED, REDUCED),
    "custom speed on trust": (facts(overrides=(custom(-1),), trusts=(trust(-1, 1),)), S.ACTIVE, CUSTOM),
}


@pytest.mark.parametrize(("given_facts", "state", "speed"), PRECEDENCE.values(), ids=PRECEDENCE.keys())
def test_precedence(given_facts: Facts, state: ServiceState, speed: Speed | None) -> None:
    evaluation = service_state(given_facts, RULES, T0)
    assert (evaluation.state, evaluation.speed) == (state, speed)


CHANGES = {
    "nothing to come": (facts(), None),
    "trust that ends": (facts(trusts=(trust(-1, 2),), orders=(total(-5),)), day(2)),
    "trust that ends without a debt": (facts(trusts=(trust(-1, 2),)), None),
    "pause that ends": (facts(pauses=(paused(-1, 5),)), day(5)),
    "custom speed that ends under a reduction": (facts(overrides=(custom(-1, 3),), orders=(partial(-1),)), None),
    "custom speed that ends": (facts(overrides=(custom(-1, 3),)), day(3)),
    "order to come": (facts(orders=(partial(1), total(4))), day(1)),
    "installation to come": (facts(installed_at=day(1)), day(1)),
    "the trust ends while paused": (
        facts(pauses=(paused(-1, 9),), trusts=(trust(-1, 2),), orders=(total(-5),)),
        day(9),
    ),
}


@pytest.mark.parametrize(("given_facts", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_next_change(given_facts: Facts, expected: datetime | None) -> None:
    assert next_change_at(given_facts, RULES, T0) == expected


def test_limited_service_is_a_grant_with_the_walled_garden() -> None:
    address = IPv4Address("192.0.2.7")
    answer = answer_at(facts(orders=(total(-1),), framed_ip_address=address, address_list="home"), RULES, T0)
    assert isinstance(answer, Grant)
    assert (answer.policy.address_list, answer.framed_ip_address) == ("walled", address)


@pytest.mark.parametrize("state", [{}, {"orders": (total(-1),)}, {"orders": (partial(-1),)}, {"pauses": (paused(-1),)}])
def test_prefixes_routes_and_pools_are_those_of_every_state(state: dict[str, object]) -> None:
    """A walled garden closes in, it does not renumber."""
    fixed = {
        "framed_ip_address": IPv4Address("100.64.0.9"),
        "framed_ipv6_prefix": IPv6Network("2001:db8:1:7::/64"),
        "delegated_ipv6_prefix": IPv6Network("2001:db8:700::/56"),
        "routes": (IPv4Network("203.0.113.8/29"),),
    }
    pools = {"pool": "cgnat-1", "ipv6_pool": "v6-link", "delegated_ipv6_pool": "v6-house"}
    grant = answer_at(facts(**fixed, **pools, **state), RULES, T0)
    assert isinstance(grant, Grant)
    assert {name: getattr(grant, name) for name in fixed} == fixed
    assert {name: getattr(grant.policy, name) for name in pools} == pools


def test_no_service_is_a_denial_that_says_why() -> None:
    assert answer_at(facts(installed_at=None), RULES, T0) == Denial("pending_install")


instants = st.integers(-40, 40).map(day)
ends = st.none() | instants


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    speeds = st.sampled_from([PLAN, REDUCED, CUSTOM])
    orders = st.builds(RestrictionOrder, st.sampled_from(Level), instants, ends, st.just((1,)))
    return Facts(
        plan_speed=draw(speeds),
        reduced_speed=draw(st.none() | speeds),
        installed_at=draw(ends),
        cancelled_at=draw(st.none() | instants),
        pauses=tuple(draw(st.lists(st.builds(Pause, instants, ends), max_size=3))),
        trusts=tuple(draw(st.lists(st.builds(TrustUnblock, instants, instants), max_size=3))),
        orders=tuple(draw(st.lists(orders, max_size=4))),
        overrides=tuple(draw(st.lists(st.builds(SpeedOverride, instants, ends, speeds), max_size=3))),
    )


@given(any_facts(), st.integers(-45, 45), st.floats(0, 1, exclude_max=True))
def test_state_is_constant_until_the_next_change(given_facts: Facts, start: int, part: float) -> None:
    now = day(start)
    following = next_change_at(given_facts, RULES, now)
    present = service_state(given_facts, RULES, now).effect
    last = following or now + timedelta(days=200)
    between = min(now + (last - now) * part, last - timedelta(microseconds=1))  # nearly 1 is rounded up
    assert service_state(given_facts, RULES, between).effect == present
    if following is not None:
        assert service_state(given_facts, RULES, following).effect != present


@given(any_facts(), st.integers(-45, 45), st.integers(0, 100))
def test_spans_answer_like_the_engine_at_every_later_instant(given_facts: Facts, start: int, ahead: int) -> None:
    now, later = day(start), day(start + ahead / 2)
    spans = spans_from(given_facts, RULES, now)
    [holding] = [s for s in spans if (s.since is None or s.since <= later) and (s.until is None or later < s.until)]
    assert holding.answer == answer_at(given_facts, RULES, later)
    assert all(a.until == b.since for a, b in pairwise(spans))


@given(any_facts(), st.integers(-45, 45))
def test_without_an_order_nobody_is_restricted(given_facts: Facts, start: int) -> None:
    free = Facts(**{name: getattr(given_facts, name) for name in Facts.__slots__ if name != "orders"})
    assert service_state(free, RULES, day(start)).state not in (S.SUSPENDED, S.REDUCED)
