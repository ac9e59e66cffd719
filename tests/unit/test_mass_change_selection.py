"""Which subscriptions a mass change is about, and what it says of each before it starts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from provisioning.mass_change.selection import Candidate, Selection, Tally, Target

PLAN = Target(3, 9990, 50_000_000, 25_000_000)
ACTIVE = Candidate(12, 2, 7990, "ACTIVE", cancelled=False, migrating=False)


@pytest.mark.parametrize(
    ("candidate", "fate", "warnings"),
    [
        pytest.param(ACTIVE, "change", (), id="active"),
        pytest.param(replace(ACTIVE, plan_id=3), "same-plan", ("same-plan",), id="same plan"),
        pytest.param(replace(ACTIVE, cancelled=True, plan_id=3), "cancelled", ("cancelled",), id="cancelled"),
        pytest.param(replace(ACTIVE, state="PENDING_INSTALL"), "change", ("pending",), id="not installed"),
        pytest.param(replace(ACTIVE, state="PENDING_MIGRATION"), "change", ("pending",), id="awaits a migration"),
        pytest.param(replace(ACTIVE, migrating=True), "change", ("migrating",), id="about to migrate"),
        pytest.param(replace(ACTIVE, state="SUSPENDED"), "change", (), id="suspended"),
    ],
)
def test_what_becomes_of_each(candidate: Candidate, fate: str, warnings: tuple[str, ...]) -> None:
    assert (candidate.fate(3), candidate.warnings(3)) == (fate, warnings)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({}, "selection", id="everything"),
        pytest.param({"exclude": [4]}, "selection", id="everything but one"),
        pytest.param({"city": "  "}, "selection", id="a blank city"),
        pytest.param({"plan_id": 2, "include": []}, "include", id="some, but none of them"),
        pytest.param({"plan_id": 2, "subscriber_ids": []}, "subscriber_ids", id="of nobody"),
        pytest.param({"plan_id": 2, "states": []}, "states", id="in no state"),
        pytest.param({"town": "Itu"}, "town", id="no field"),
        pytest.param({"states": ["LATE"]}, "states", id="no state"),
        pytest.param({"include": list(range(20_001))}, "include", id="too many ids"),
    ],
)
def test_what_is_refused(given: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Selection.of(given)
    assert caught.value.field == field


def test_a_selection_is_stored_and_read_again() -> None:
    selection = Selection.of({"plan_id": 2, "states": ["REDUCED", "ACTIVE"], "city": " Itu ", "include": [5, 4, 5]})
    assert selection.stored == {"plan_id": 2, "states": ["ACTIVE", "REDUCED"], "city": "Itu", "include": [4, 5]}
    assert Selection.of(selection.stored) == selection


@pytest.mark.parametrize(("change", "after"), [(True, 9990), (False, 7990)])
def test_the_price_switch(change: bool, after: int) -> None:
    tally = Tally(Selection(plan_id=2), PLAN, change)
    for candidate in (ACTIVE, replace(ACTIVE, subscription_id=13, plan_id=3, cents=100)):
        tally.add(candidate)
    assert (tally.total, tally.to_change) == (2, 1)
    assert (tally.before_cents, tally.after_cents) == (7990, after)
    assert tally.warnings == {"same-plan": 1}


candidates = st.builds(
    Candidate,
    subscription_id=st.integers(1, 5),
    plan_id=st.integers(1, 4),
    cents=st.integers(0, 3),
    state=st.sampled_from(["ACTIVE", "PENDING_INSTALL", "SUSPENDED"]),
    cancelled=st.booleans(),
    migrating=st.booleans(),
)


def digest_of(rows: list[Candidate], plan: Target = PLAN, *, change: bool = True) -> str:
    tally = Tally(Selection(plan_id=2), plan, change)
    for row in rows:
        tally.add(row)
    return tally.digest


@given(st.lists(candidates, max_size=4), st.lists(candidates, max_size=4))
def test_the_digest_is_that_of_what_would_be_done(one: list[Candidate], two: list[Candidate]) -> None:
    def work(rows: list[Candidate]) -> list[tuple[object, ...]]:
        return [(row.subscription_id, row.plan_id, row.cents, row.fate(3)) for row in rows]

    assert (digest_of(one) == digest_of(two)) == (work(one) == work(two))


@pytest.mark.parametrize("field", ["id", "cents", "download_bps", "upload_bps"])
def test_another_plan_has_another_digest(field: str) -> None:
    assert digest_of([ACTIVE]) != digest_of([ACTIVE], replace(PLAN, **{field: 7}))
    assert digest_of([ACTIVE]) != digest_of([ACTIVE], change=False)
