"""Scheduled changes: when they happen, in whose name, edited and cancelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.actor import Actor
from core.database import Database
from core.errors import InvalidInput, NotAllowed, NotFound
from core.runtime import Runtime
from provisioning.cancellation import cancel
from provisioning.pauses import pause
from provisioning.plans import get_plan
from provisioning.scheduled.actions import ACTIONS, Action
from provisioning.scheduled.changes import cancel_change, changes_query, edit_change, schedule_change
from tests.factories import make_plan, make_subscription
from tests.factories_changes import JOANA, change_in, jobs_of, make_change, subscription_in, told
from tests.factories_core import audit_of
from tests.factories_routines import carry_out
from tests.ticking import START, FakeClock

DUE = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KIND = "change.due"


@pytest.mark.parametrize(
    ("now", "status", "state"),
    [
        pytest.param(DUE - SECOND, "waiting", "ACTIVE", id="a second before"),
        pytest.param(DUE, "done", "PAUSED", id="at the instant"),
        pytest.param(DUE + SECOND, "done", "PAUSED", id="a second after"),
        pytest.param(DUE + timedelta(days=7), "done", "PAUSED", id="after a week without a process"),
    ],
)
def test_it_happens_at_its_instant(
    runtime: Runtime, database: Database, clock: FakeClock, now: datetime, status: str, state: str
) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE, note="travelling")
    clock.now = now
    carry_out(runtime, KIND)
    assert (change_in(database, change_id).status, subscription_in(database, subscription_id).state) == (status, state)


def test_both_movements_stand_in_the_history_in_the_name_of_who_asked(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    """The FAQ: suspended at the subscriber's request today, enabled again on a date, with a note."""
    with database.transaction(Actor("ana", "api")) as tx:
        subscription_id = make_subscription(tx).id
        pause(tx, subscription_id=subscription_id, note="travelling until 10 March")
    change_id, _ = make_change(database, "enable", DUE, subscription_id=subscription_id, note="back from the trip")
    clock.now = DUE
    assert carry_out(runtime, KIND) == ["done: state ACTIVE"]
    events = [(entry.event, entry.actor, entry.source) for entry in told(database, subscription_id, "")]
    assert [item for item in events if item[0] in ("paused", "resumed") or item[0].startswith("change")] == [
        ("paused", "ana", "api"),
        ("change.scheduled", "joana", "api"),
        ("resumed", "joana", "routine"),
        ("change.done", "joana", "routine"),
    ]
    assert told(database, subscription_id, "resumed")[0].note == "back from the trip"
    done = told(database, subscription_id, "change.done")[0]
    assert done.details == {"change": change_id, "action": "resume", "result": "state ACTIVE"}
    assert [(entry.action, entry.source) for entry in audit_of(database, "scheduled_change")] == [
        ("scheduled", "api"), ("done", "routine"),
    ]  # fmt: skip


def test_enabling_who_is_not_paused_is_done(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    change_id, _ = make_change(database, "resume", DUE)
    clock.now = DUE
    carry_out(runtime, KIND)
    change = change_in(database, change_id)
    assert (change.status, change.result, change.done_at) == ("done", "was not paused", DUE)


@pytest.mark.parametrize(
    ("due_at", "words"),
    [
        pytest.param(START, "in the future", id="now"),
        pytest.param(START - SECOND, "in the future", id="a second ago"),
        pytest.param(DUE.replace(tzinfo=None), "time zone", id="no zone"),
    ],
)
def test_the_past_is_refused(database: Database, due_at: datetime, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        make_change(database, "pause", due_at)
    assert refused.value.field == "due_at"
    change_id, _ = make_change(database, "pause", START + SECOND)
    with pytest.raises(InvalidInput, match=words), database.transaction() as tx:
        edit_change(tx, change_id=change_id, due_at=due_at)


def test_what_the_command_refuses_then_fails_with_its_words(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    change_id, subscription_id = make_change(database, "end-speed-override", DUE)
    clock.now = DUE
    carry_out(runtime, KIND)
    change = change_in(database, change_id)
    words = f"subscription {subscription_id} has no custom speed at present"
    assert (change.status, change.result, change.done_at) == ("failed", words, DUE)
    assert [entry.event for entry in told(database, subscription_id)] == ["change.scheduled", "change.failed"]
    with database.reading() as tx:
        assert [row.id for row in tx.session.scalars(changes_query(status="failed"))] == [change_id]


def test_a_failed_attempt_leaves_nothing_behind(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    """The second pause fails behind the first one's facts."""
    with database.transaction() as tx:
        subscription_id = make_subscription(tx).id
    for _ in range(2):
        make_change(database, "pause", DUE, subscription_id=subscription_id)
    clock.now = DUE
    outcomes = carry_out(runtime, KIND)
    assert [text.partition(":")[0] for text in outcomes] == ["done", "failed"]
    assert [entry.event for entry in told(database, subscription_id, "pause")] == ["paused"]


def test_a_cancelled_subscription_takes_no_changes_and_its_waiting_ones_fail(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE)
    with database.transaction() as tx:
        cancel(tx, subscription_id=subscription_id)
    with pytest.raises(NotAllowed, match="was cancelled"):
        make_change(database, "pause", DUE, subscription_id=subscription_id)
    clock.now = DUE
    carry_out(runtime, KIND)
    change = change_in(database, change_id)
    assert (change.status, "was cancelled on 2026-03-02" in change.result) == ("failed", True)


def test_an_edit_moves_it_and_the_editor_answers_for_it(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE, note="travelling")
    later = DUE + timedelta(days=3)
    with database.transaction(Actor("rui", "api")) as tx:
        edit_change(tx, change_id=change_id, due_at=later, note="left later")
    clock.now = DUE
    assert carry_out(runtime, KIND) == ["it was edited since; another job does it"]
    clock.now = later
    assert carry_out(runtime, KIND) == ["done: state PAUSED"]
    change = change_in(database, change_id)
    assert (change.version, change.created_by, change.actor, change.done_at) == (2, "joana", "rui", later)
    [edited] = told(database, subscription_id, "change.edited")
    assert edited.details["before"] == {"due_at": DUE.isoformat(), "note": "travelling"}
    assert told(database, subscription_id, "paused")[0].note == "left later"


def test_an_edit_to_an_earlier_day_happens_then_and_only_then(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE)
    with database.transaction() as tx:
        edit_change(tx, change_id=change_id, due_at=DUE - timedelta(days=1))
    clock.now = DUE - timedelta(days=1)
    assert carry_out(runtime, KIND) == ["done: state PAUSED"]
    clock.now = DUE
    assert carry_out(runtime, KIND) == ["it is done already"]
    assert len(told(database, subscription_id, "paused")) == 1


def test_an_edit_that_changes_nothing_is_none(database: Database) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE, note="travelling")
    with database.transaction(Actor("rui", "api")) as tx:
        edit_change(tx, change_id=change_id, due_at=DUE, note="travelling", arguments={})
    change = change_in(database, change_id)
    assert (change.version, change.actor, len(jobs_of(database, change_id))) == (1, "joana", 1)
    assert [entry.event for entry in told(database, subscription_id)] == ["change.scheduled"]


def test_arguments_are_edited_and_checked(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        first, second = make_plan(tx).id, make_plan(tx).id
    change_id, subscription_id = make_change(database, "switch-plan", DUE, arguments={"plan_id": first})
    with pytest.raises(NotFound), database.transaction() as tx:
        edit_change(tx, change_id=change_id, arguments={"plan_id": second + 100})
    with database.transaction() as tx:
        edit_change(tx, change_id=change_id, arguments={"plan_id": second})
    clock.now = DUE
    carry_out(runtime, KIND)
    with database.reading() as tx:
        assert subscription_in(database, subscription_id).plan_id == get_plan(tx, second).id


def test_a_cancelled_one_does_not_happen_and_cannot_be_changed(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    change_id, subscription_id = make_change(database, "pause", DUE)
    with database.transaction(Actor("rui", "api")) as tx:
        cancel_change(tx, change_id=change_id, note="came back earlier")
    clock.now = DUE
    assert carry_out(runtime, KIND) == ["it is cancelled already"]
    assert subscription_in(database, subscription_id).state == "ACTIVE"
    assert told(database, subscription_id)[-1].details["result"] == "came back earlier"
    calls: list[Any] = [cancel_change, lambda tx, change_id: edit_change(tx, change_id=change_id, note="again")]
    for command in calls:
        with pytest.raises(NotAllowed, match="is cancelled: came back earlier"), database.transaction() as tx:
            command(tx, change_id=change_id)


@pytest.mark.parametrize(
    ("permissions", "status", "words"),
    [
        pytest.param(None, "done", "state ACTIVE", id="who may do everything"),
        pytest.param(frozenset({"api", "guard.approve"}), "done", "state ACTIVE", id="who may do this"),
        pytest.param(frozenset({"api"}), "failed", "this needs the permission guard.approve", id="who may not"),
    ],
)
def test_waiting_gives_nobody_more_permissions(
    runtime: Runtime, database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch,
    permissions: frozenset[str] | None, status: str, words: str,
) -> None:  # fmt: skip
    action = Action("approve", "", "", lambda tx, **_: tx.require("guard.approve"))
    monkeypatch.setitem(ACTIONS, "approve", action)
    with database.transaction(Actor("portal", "api", permissions=permissions)) as tx:
        key = make_subscription(tx).id
        change_id = schedule_change(tx, subscription_id=key, action="approve", due_at=DUE).id
    clock.now = DUE
    carry_out(runtime, KIND)
    change = change_in(database, change_id)
    assert (change.status, change.result) == (status, words)


def test_lists_by_subscription_and_by_date(database: Database) -> None:
    first, subscription_id = make_change(database, "pause", DUE)
    second, _ = make_change(database, "resume", DUE + timedelta(days=1), subscription_id=subscription_id)
    other, _ = make_change(database, "pause", DUE)

    def found(**filters: Any) -> list[int]:
        with database.reading() as tx:
            return sorted(row.id for row in tx.session.scalars(changes_query(**filters)))

    assert found(subscription_id=subscription_id) == [first, second]
    assert found(since=DUE + SECOND) == [second]
    assert found(until=DUE) == []
    assert found(until=DUE + SECOND) == [first, other]
    assert found(status="done") == []
    assert JOANA.name == change_in(database, first).created_by
