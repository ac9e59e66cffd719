"""May this subscription have service on a promise? Each limit at its edge, and properties of all of them together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.facts import Facts, Level, RestrictionOrder, Speed, TrustUnblock
from provisioning.trust.rules import (
    Granted,
    Limit,
    Refused,
    TrustRules,
    broken_promises,
    days_until,
    end_of_day,
    may_trust,
)

ZONE = "America/Sao_Paulo"
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)  # 12:00 on the company's wall
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
MIDNIGHT = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
"""The end of the company's day of NOW."""
FACTS = Facts(Speed(10**8, 10**8), installed_at=NOW - 400 * DAY)
RULES = TrustRules(max_days=5, uses=2, period_days=30)


def trust(since: datetime, until: datetime) -> TrustUnblock:
    return TrustUnblock(since, until)


def order(since: datetime, lapsed_at: datetime | None = None) -> RestrictionOrder:
    return RestrictionOrder(Level.TOTAL, since, lapsed_at, (1,))


def verdict(facts: Facts = FACTS, rules: TrustRules = RULES, until: datetime = NOW + DAY) -> Granted | Refused:
    return may_trust(facts, rules, NOW, until, ZONE)


def limit_of(found: Granted | Refused) -> Limit | None:
    return found.limit if isinstance(found, Refused) else None


@pytest.mark.parametrize(
    ("until", "limit"),
    [
        pytest.param(NOW + 5 * DAY, None, id="the last day, same hour"),
        pytest.param(MIDNIGHT + 5 * DAY, None, id="the very end of the last day"),
        pytest.param(MIDNIGHT + 5 * DAY + SECOND, Limit.DAYS, id="a second into the day after"),
        pytest.param(MIDNIGHT, None, id="the end of today"),
    ],
)
def test_days_are_the_companys_and_end_at_midnight(until: datetime, limit: Limit | None) -> None:
    assert limit_of(verdict(until=until)) is limit


@pytest.mark.parametrize("days", [0, 1, 5])
def test_the_end_of_a_day_is_that_many_days_ahead(days: int) -> None:
    assert end_of_day(NOW, days, ZONE) == MIDNIGHT + days * DAY
    assert days_until(NOW, end_of_day(NOW, days, ZONE), ZONE) == days


@pytest.mark.parametrize(
    ("since", "limit"),
    [
        pytest.param([NOW - DAY], None, id="one of two"),
        pytest.param([NOW - 9 * DAY, NOW - DAY], Limit.USES, id="two of two"),
        pytest.param([MIDNIGHT - 30 * DAY, NOW - DAY], Limit.USES, id="the first on the oldest day of the period"),
        pytest.param([MIDNIGHT - 30 * DAY - SECOND, NOW - DAY], None, id="the first on the day before the period"),
        pytest.param([NOW, NOW], Limit.USES, id="both today"),
    ],
)
def test_uses_within_the_period(since: list[datetime], limit: Limit | None) -> None:
    facts = replace(FACTS, trusts=tuple(trust(at, at + SECOND) for at in since))
    assert limit_of(verdict(facts)) is limit


def test_the_day_from_which_there_is_a_use_again_is_the_first_one() -> None:
    facts = replace(FACTS, trusts=tuple(trust(NOW - days * DAY, NOW - days * DAY + SECOND) for days in (20, 10, 5)))
    found = verdict(facts)
    assert isinstance(found, Refused)
    assert found.from_day == date(2026, 3, 22)
    later = NOW + 20 * DAY
    assert isinstance(may_trust(facts, RULES, later, later + DAY, ZONE), Granted)
    assert isinstance(may_trust(facts, RULES, later - DAY, later, ZONE), Refused)


def test_no_uses_means_none() -> None:
    assert limit_of(verdict(rules=replace(RULES, uses=0))) is Limit.USES


@pytest.mark.parametrize(
    ("installed_at", "limit"),
    [
        pytest.param(MIDNIGHT - 31 * DAY, None, id="thirty days old"),
        pytest.param(MIDNIGHT - 30 * DAY, Limit.AGE, id="twenty-nine days old"),
        pytest.param(MIDNIGHT - 30 * DAY - SECOND, None, id="a second before its thirtieth day began"),
        pytest.param(None, Limit.AGE, id="not installed"),
    ],
)
def test_minimum_age(installed_at: datetime | None, limit: Limit | None) -> None:
    rules = replace(RULES, minimum_age_days=30)
    assert limit_of(verdict(replace(FACTS, installed_at=installed_at), rules)) is limit


PROMISED = NOW - 40 * DAY
ENDED = NOW - 35 * DAY


def promised(lapsed_at: datetime | None, ordered_at: datetime = PROMISED - DAY) -> Facts:
    return replace(FACTS, trusts=(trust(PROMISED, ENDED),), orders=(order(ordered_at, lapsed_at),))


@pytest.mark.parametrize(
    ("facts", "limit"),
    [
        pytest.param(promised(ENDED - SECOND), None, id="paid a second before its end"),
        pytest.param(promised(ENDED), None, id="paid at its end"),
        pytest.param(promised(ENDED + SECOND), Limit.BROKEN, id="paid a second after its end"),
        pytest.param(promised(None), Limit.BROKEN, id="not paid"),
        pytest.param(promised(None, PROMISED), Limit.BROKEN, id="ordered at the instant of the promise"),
        pytest.param(promised(None, PROMISED + SECOND), None, id="ordered only after the promise"),
        pytest.param(promised(PROMISED - SECOND), None, id="paid before it was promised"),
    ],
)
def test_a_broken_promise_blocks(facts: Facts, limit: Limit | None) -> None:
    assert limit_of(verdict(facts)) is limit
    assert limit_of(verdict(facts, replace(RULES, block_after_broken=False))) is None
    assert len(list(broken_promises(facts, NOW))) == (limit is not None)


def test_a_promise_is_not_broken_before_its_end() -> None:
    facts = replace(FACTS, trusts=(trust(NOW - DAY, NOW + SECOND),), orders=(order(NOW - 2 * DAY),))
    assert not list(broken_promises(facts, NOW))
    assert list(broken_promises(facts, NOW + SECOND))


@pytest.mark.parametrize(
    ("days", "paid", "limit"),
    [
        pytest.param(35, True, None, id="paid late, as many days ago as it blocks"),
        pytest.param(36, True, Limit.BROKEN, id="paid late, a day less ago"),
        pytest.param(1, False, Limit.BROKEN, id="never paid, long ago"),
    ],
)
def test_how_long_a_broken_promise_blocks(days: int, paid: bool, limit: Limit | None) -> None:
    facts = promised(ENDED + DAY if paid else None)
    assert limit_of(verdict(facts, replace(RULES, broken_block_days=days))) is limit


def test_of_several_broken_promises_the_last_one_says_how_long() -> None:
    trusts = (trust(NOW - 80 * DAY, NOW - 79 * DAY), trust(NOW - 60 * DAY, NOW - 59 * DAY))
    orders = tuple(order(item.since, item.until + SECOND) for item in trusts)
    found = verdict(replace(FACTS, trusts=trusts, orders=orders))
    assert isinstance(found, Refused)
    assert found.from_day == date(2026, 3, 2) - timedelta(days=59) + timedelta(days=90)


instants = st.integers(-120 * 24, 0).map(lambda hours: NOW + timedelta(hours=hours))
spans = st.tuples(instants, st.integers(1, 240)).map(lambda pair: (pair[0], pair[0] + timedelta(hours=pair[1])))
histories = st.builds(
    lambda trusts, orders: replace(
        FACTS,
        trusts=tuple(trust(*span) for span in trusts),
        orders=tuple(order(since, lapsed if ended else None) for (since, lapsed), ended in orders),
    ),
    st.lists(spans, max_size=4),
    st.lists(st.tuples(spans, st.booleans()), max_size=3),
)
rules = st.builds(
    TrustRules,
    max_days=st.integers(1, 30),
    uses=st.integers(0, 4),
    period_days=st.integers(1, 90),
    minimum_age_days=st.integers(0, 500),
    block_after_broken=st.booleans(),
    broken_block_days=st.integers(0, 120),
)


@given(histories, rules, st.integers(1, 40 * 24))
def test_stricter_rules_never_grant_what_milder_ones_refuse(facts: Facts, rules: TrustRules, hours: int) -> None:
    until = NOW + timedelta(hours=hours)
    milder = replace(
        rules,
        max_days=rules.max_days + 1,
        uses=rules.uses + 1,
        minimum_age_days=max(0, rules.minimum_age_days - 1),
        broken_block_days=max(0, rules.broken_block_days - 1),
    )
    if isinstance(verdict(facts, rules, until), Granted):
        assert isinstance(verdict(facts, milder, until), Granted)


@given(histories, rules, st.integers(1, 40 * 24))
def test_what_is_granted_keeps_every_limit(facts: Facts, rules: TrustRules, hours: int) -> None:
    until = NOW + timedelta(hours=hours)
    found = verdict(facts, rules, until)
    if isinstance(found, Refused):
        assert found.reason
        assert found.mend
        return
    begins = MIDNIGHT - (rules.period_days * DAY)
    used = sum(item.since >= begins for item in facts.trusts)
    assert used + 1 + found.uses_left == rules.uses
    assert until <= MIDNIGHT + rules.max_days * DAY
    if rules.block_after_broken:
        held = [order for _, orders in broken_promises(facts, NOW) for order in orders]
        assert all(order.lapsed_at is not None and order.lapsed_at <= NOW for order in held)


@given(histories, rules)
def test_from_the_day_that_a_refusal_names_that_rule_refuses_no_more(facts: Facts, rules: TrustRules) -> None:
    facts = replace(facts, trusts=tuple(item for item in facts.trusts if item.until <= NOW))
    found = verdict(facts, rules)
    if isinstance(found, Refused) and found.from_day is not None:
        at = datetime.combine(found.from_day, datetime.min.time(), tzinfo=UTC) + timedelta(hours=15)
        assert limit_of(may_trust(facts, rules, at, at + DAY, ZONE)) is not found.limit
