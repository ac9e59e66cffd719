"""`explain` prints the evaluation: the step that decided is the cause of the state."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.explain import explain_facts
from provisioning.facts import Facts, ServiceState
from provisioning.service_state import service_state
from tests.unit.test_service_state import (
    RULES,
    T0,
    any_facts,
    custom,
    day,
    facts,
    partial,
    paused,
    total,
    trust,
)

ZONE = ZoneInfo("America/Sao_Paulo")
SENTENCES = {
    "nothing holds": (facts(), "active", "ACTIVE: no restriction holds"),
    "an order": (facts(orders=(total(-1),)), "total order", "SUSPENDED since 01/03/2026 09:00: invoice 1 is open"),
    "trust": (facts(orders=(total(-9),), trusts=(trust(-1, 1),)), "trust unblock", "ACTIVE on trust until 03/03/2026"),
    "a pause": (facts(pauses=(paused(-1, 9),)), "paused", "PAUSED since 01/03/2026 09:00 at the subscriber's request"),
    "cancelled": (facts(cancelled_at=day(-1)), "cancelled", "CANCELLED"),
    "not installed": (facts(installed_at=None), "pending", "PENDING_INSTALL"),
}


@pytest.mark.parametrize(("given_facts", "decider", "sentence"), SENTENCES.values(), ids=SENTENCES.keys())
def test_the_decider_and_the_sentence(given_facts: Facts, decider: str, sentence: str) -> None:
    explained = explain_facts(7, given_facts, RULES, T0, ZONE)
    assert [step.rule for step in explained.steps if step.decided] == [decider]
    assert explained.sentence.startswith(sentence)


SPEEDS = {
    "plan": (facts(), "500M down, 250M up (plan)"),
    "custom": (facts(overrides=(custom(-1, 1),)), "50M down, 50M up (custom speed, until 03/03/2026 09:00)"),
    "reduced": (facts(orders=(partial(-1),)), "2M down, 1M up (reduced speed of the plan)"),
    "reduced by the company": (
        facts(orders=(partial(-1),), reduced_speed=None),
        "1M down, 1M up (reduced speed of the company)",
    ),
    "suspended": (facts(orders=(total(-1),)), "256k down, 256k up (speed of SUSPENDED)"),
    "none": (facts(cancelled_at=day(-1)), "no service"),
}


@pytest.mark.parametrize(("given_facts", "speed"), SPEEDS.values(), ids=SPEEDS.keys())
def test_where_the_speed_comes_from(given_facts: Facts, speed: str) -> None:
    assert explain_facts(7, given_facts, RULES, T0, ZONE).speed == speed


@given(any_facts(), st.integers(-45, 45))
def test_exactly_one_step_decides_and_the_state_is_the_engine_s(given_facts: Facts, start: int) -> None:
    explained = explain_facts(7, given_facts, RULES, day(start), ZONE)
    assert explained.state is service_state(given_facts, RULES, day(start)).state
    assert sum(step.decided for step in explained.steps) == 1
    assert explained.state in ServiceState
