"""How subscriptions stand when a cycle ends, which sessions are left alone, and the records that follow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from provisioning.routeros.cycle.apply_report import ApplyReport, Failure
from provisioning.routeros.cycle.records import Record, Standing, next_record
from provisioning.routeros.cycle.standing import (
    DRIFT,
    ENDED,
    MAINTENANCE,
    NOT_YET,
    Ended,
    needs_whole,
    patient,
    standings,
    tried_in_vain,
)  # fmt: skip
from provisioning.routeros.drift import drifted
from provisioning.routeros.rows import (
    Add,
    Desired,
    DesiredRow,
    EndSession,
    Menu,
    ObservedRow,
    Plan,
    Problem,
    Remove,
)  # fmt: skip
from tests.ticking import START

SECRET = DesiredRow(Menu.PPP_SECRET, "s7:secret", {"name": "maria"}, 7)
KICK = EndSession("*8", "maria", 7, "another speed")
ORPHAN = Remove(ObservedRow(Menu.PPP_SECRET, "*9", {"name": "x"}, "s9:secret"), orphan=True)
LONG_AGO = START - timedelta(hours=1)


def ended(**given: Any) -> Ended:
    empty: dict[str, Any] = {
        "desired": Desired(rows=(SECRET,)), "plan": Plan(), "wanted": {7: "a"}, "seen": {7: "a"},
        "report": ApplyReport(), "left_out": frozenset(), "waiting": frozenset(), "refused": {},
    }  # fmt: skip
    return Ended(**{**empty, **given})


LEFT = Plan(stages=((Add(SECRET),),))
CASES: list[Any] = [
    pytest.param({}, 7, "", id="in step"),
    pytest.param({"seen": {}}, 7, NOT_YET, id="not there"),
    pytest.param({"plan": LEFT}, 7, NOT_YET, id="a step is left"),
    pytest.param({"plan": LEFT, "maintenance": True}, 7, MAINTENANCE, id="maintenance"),
    pytest.param({"plan": LEFT, "left_out": frozenset({7})}, 7, DRIFT, id="drift that is reported"),
    pytest.param(
        {"plan": LEFT, "report": ApplyReport(failures=[Failure(Add(SECRET), "no space left")])},
        7,
        "the router refused: no space left",
        id="refused",
    ),
    pytest.param(
        {"report": ApplyReport(failures=[Failure(Add(SECRET), "already have")])}, 7, "", id="refused, and yet there"
    ),
    pytest.param({"plan": Plan(problems=(Problem(7, "no address"),))}, 7, "no address", id="a problem"),
    pytest.param(
        {"desired": Desired(problems=(Problem(7, "b"),)), "plan": Plan(problems=(Problem(7, "a"), Problem(7, "b")))},
        7,
        "b; a",
        id="two problems, each once",
    ),
    pytest.param(
        {"refused": {Menu.PPP_SECRET: "no such command"}},
        7,
        "the router refuses to show /ppp/secret: no such command",
        id="a menu that is not there",
    ),
    pytest.param(
        {"plan": Plan(stages=((KICK,),)), "report": ApplyReport(done=[KICK])}, 7, ENDED, id="its session was ended"
    ),
    pytest.param({"plan": Plan(stages=((KICK,),))}, 7, NOT_YET, id="its session was not ended yet"),
    pytest.param(
        {"plan": Plan(stages=((KICK,),)), "waiting": frozenset({7})}, 7, ENDED, id="its session was ended before"
    ),
    pytest.param(
        {"plan": Plan(stages=((KICK, Add(SECRET)),)), "waiting": frozenset({7})}, 7, NOT_YET, id="more than its session"
    ),
    pytest.param(
        {"plan": Plan(held=(ORPHAN,))},
        0,
        "held by the guard: 1 rows that nobody asked for wait to be removed",
        id="the guard holds something",
    ),
    pytest.param({"plan": Plan(problems=(Problem(None, "no right"),))}, 0, "no right", id="the router's own problem"),
]


@pytest.mark.parametrize(("given", "key", "why"), CASES)
def test_why_it_is_not_in_step(given: dict[str, Any], key: int, why: str) -> None:
    assert standings(ended(**given), [key], {})[key].why == why


def kicked(minutes: float, **given: Any) -> Record:
    values = {"desired": "a", "why": ENDED, "observed_at": START - timedelta(minutes=minutes), **given}
    return Record(**values)


PATIENCE: list[Any] = [
    pytest.param(None, True, id="never seen"),
    pytest.param(kicked(1), False, id="ended a minute ago"),
    pytest.param(kicked(11), True, id="ended long ago"),
    pytest.param(kicked(1, desired="b"), True, id="ended for something else"),
    pytest.param(kicked(1, why=NOT_YET), True, id="not ended"),
]


@pytest.mark.parametrize(("record", "ends"), PATIENCE)
def test_a_session_is_not_ended_over_and_over(record: Record | None, ends: bool) -> None:
    whole = Plan(stages=((Add(SECRET),), (KICK,)))
    plan, waiting = patient(whole, {} if record is None else {7: record}, {7: "a"}, START)
    assert plan.steps == ((Add(SECRET), KICK) if ends else (Add(SECRET),))
    assert waiting == (frozenset() if ends else {7})


RECORDS: list[Any] = [
    pytest.param(None, Standing("a", "a"), Record("a", "a", "a", None, "", START), id="proven at once"),
    pytest.param(None, Standing("a", "", "x"), Record("a", "", "", START, "x", START), id="differs from now on"),
    pytest.param(
        None, Standing("a", "", "x", LONG_AGO), Record("a", "", "", LONG_AGO, "x", START), id="differs since its facts"
    ),
    pytest.param(
        Record("a", "a", "a"),
        Standing("b", "a", "x"),
        Record("b", "a", "a", START, "x", START),
        id="what was proven is kept",
    ),
    pytest.param(
        Record("b", "a", "a", LONG_AGO, "x"),
        Standing("c", "a", "y", START),
        Record("c", "a", "a", LONG_AGO, "y", START),
        id="since when is kept",
    ),
    pytest.param(
        Record("b", "a", "a", LONG_AGO, "x"), Standing("b", "b"), Record("b", "b", "b", None, "", START), id="proven"
    ),
]


@pytest.mark.parametrize(("old", "standing", "new"), RECORDS)
def test_the_record_that_follows(old: Record | None, standing: Standing, new: Record) -> None:
    assert next_record(old, standing, START) == new


DRIFTS: list[Any] = [
    pytest.param(Record("a", "a", "a"), "a", "x", (), True, id="proven, and something else is there"),
    pytest.param(Record("a", "a", "a"), "a", "a", (), False, id="as proven"),
    pytest.param(Record("a", "a", "a"), "b", "a", (), False, id="the facts moved on"),
    pytest.param(Record("b", "a", "a"), "a", "x", (7,), False, id="the facts moved to and fro"),
    pytest.param(Record("a", "", ""), "a", "x", (), False, id="never proven"),
    pytest.param(Record("", "", "", None, "", START), "", "x", (), True, id="proven to have nothing"),
]


@pytest.mark.parametrize(("record", "wanted", "seen", "touched", "is_drift"), DRIFTS)
def test_what_is_drift(record: Record, wanted: str, seen: str, touched: tuple[int, ...], is_drift: bool) -> None:
    assert drifted({7: record}, {7: wanted}, {7: seen}, touched) == (frozenset({7}) if is_drift else frozenset())


RULE = DesiredRow(Menu.FILTER, "garden:filter:01", {"chain": "forward"})
REFUSED = "the router refused: failure: not here"
BEFORE: list[Any] = [
    pytest.param(None, "a", False, id="never recorded"),
    pytest.param(Record("a", "a", "a"), "a", False, id="right until now"),
    pytest.param(Record("a", why=REFUSED), "a", True, id="refused before"),
    pytest.param(Record("a", why=REFUSED), "b", False, id="refused when something else was wanted"),
    pytest.param(Record("a", why=REFUSED), None, True, id="refused before, in a turn for a few"),
    pytest.param(Record("a", why=MAINTENANCE), "a", False, id="not tried, in maintenance"),
]


@pytest.mark.parametrize(("before", "wanted", "vain"), BEFORE)
def test_the_router_s_own_rows_are_tried_in_vain(before: Record | None, wanted: str | None, vain: bool) -> None:
    assert tried_in_vain(before, wanted) is vain


def test_what_was_tried_in_vain_waits_and_the_rest_does_not() -> None:
    plan = Plan(stages=((Add(RULE), Add(SECRET)),))
    assert ended(plan=plan).steps == [Add(RULE), Add(SECRET)]
    assert ended(plan=plan, in_vain=True).steps == [Add(SECRET)]


CONFLICTING: list[Any] = [
    pytest.param(RULE, False, True, id="own row"),
    pytest.param(RULE, True, False, id="own row, again"),
    pytest.param(SECRET, True, True, id="a subscription's row"),
]


@pytest.mark.parametrize(("row", "in_vain", "whole"), CONFLICTING)
def test_a_conflict_has_all_of_it_read_unless_it_was_read_for_that_before(
    row: DesiredRow, in_vain: bool, whole: bool
) -> None:
    report = ApplyReport(failures=[Failure(Add(row), "failure: already have such item")])
    assert needs_whole(ended(report=report, in_vain=in_vain)) is whole
    assert not needs_whole(ended(report=ApplyReport(failures=[Failure(Add(row), "failure: no")])))
