"""A pause and its return: both movements in the timeline, each with its note; the day of the return can be moved."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import InvalidInput, NotAllowed
from core.runtime import Runtime
from provisioning.cancellation import cancel
from provisioning.jobs import apply_service_changes
from provisioning.models import PauseRow, Subscription, TimelineEntry
from provisioning.pauses import live_pauses, move_return, pause, resume
from tests.factories import ANA, make_subscription, restrict
from tests.factories_api import Client
from tests.ticking import FakeClock

DAYS = timedelta(days=30)


def paused(database: Database, *, days: int | None = 30, owing: bool = False) -> int:
    with database.transaction(ANA) as tx:
        subscription_id = make_subscription(tx).id
        if owing:
            restrict(tx, subscription_id)
        until = None if days is None else tx.now + timedelta(days=days)
        pause(tx, subscription_id=subscription_id, until=until, note="travelling", return_note="call them")
        return subscription_id


def told(database: Database, subscription_id: int) -> list[tuple[str, str, str]]:
    """(event, state after, note) since the pause began."""
    with database.reading() as tx:
        rows = tx.session.scalars(
            select(TimelineEntry).where(TimelineEntry.subscription_id == subscription_id).order_by(TimelineEntry.id)
        ).all()
        entries = [(row.event, row.state_after, row.note) for row in rows]
    return entries[next(index for index, entry in enumerate(entries) if entry[0] == "paused") :]


def state(database: Database, subscription_id: int) -> str:
    with database.reading() as tx:
        return tx.session.get_one(Subscription, subscription_id).state


def test_the_return_is_told_with_its_note_once(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    subscription_id = paused(database)
    clock.advance(days=30)
    for _ in range(2):
        apply_service_changes(runtime)
        clock.advance(hours=1)
    assert told(database, subscription_id) == [
        ("paused", "", "travelling"),
        ("state.changed", "PAUSED", ""),
        ("pause.ended", "", "call them"),
        ("state.changed", "ACTIVE", ""),
    ]


def test_a_return_that_was_slept_through_is_told_by_the_next_change(database: Database, clock: FakeClock) -> None:
    subscription_id = paused(database)
    clock.advance(days=45)
    with database.transaction(ANA) as tx:
        cancel(tx, subscription_id=subscription_id)
    events = [entry[0] for entry in told(database, subscription_id)]
    assert events == ["paused", "state.changed", "cancelled", "pause.ended", "state.changed", "state.changed"]


def test_a_pause_that_was_ended_early_is_not_told_as_over_by_itself(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    subscription_id = paused(database)
    clock.advance(days=10)
    with database.transaction(ANA) as tx:
        resume(tx, subscription_id=subscription_id, note="back early")
    clock.advance(days=30)
    apply_service_changes(runtime)
    events = [entry[0] for entry in told(database, subscription_id)]
    assert events == ["paused", "state.changed", "resumed", "state.changed"]
    with database.reading() as tx:
        assert tx.session.scalars(select(PauseRow)).one().ended_by == "ana"


@pytest.mark.parametrize(
    ("days", "state_then"), [pytest.param(-1, "PAUSED", id="the day before"), pytest.param(0, "ACTIVE", id="the day")]
)
def test_a_moved_return_holds(
    runtime: Runtime, database: Database, clock: FakeClock, days: int, state_then: str
) -> None:
    subscription_id = paused(database)
    with database.transaction(ANA) as tx:
        move_return(tx, subscription_id=subscription_id, until=tx.now + 2 * DAYS, note="stays", return_note="sell more")
    clock.advance(days=60 + days)
    apply_service_changes(runtime)
    assert state(database, subscription_id) == state_then
    assert (("pause.ended", "", "sell more") in told(database, subscription_id)) == (state_then == "ACTIVE")
    assert ("pause.moved", "", "stays") in told(database, subscription_id)


def test_a_return_can_be_given_and_taken_away(runtime: Runtime, database: Database, clock: FakeClock) -> None:
    subscription_id = paused(database, days=None)
    with database.transaction(ANA) as tx:
        assert move_return(tx, subscription_id=subscription_id, until=tx.now + DAYS).return_note == "call them"
    with database.transaction(ANA) as tx:
        move_return(tx, subscription_id=subscription_id, until=None)
    clock.advance(days=400)
    apply_service_changes(runtime)
    assert state(database, subscription_id) == "PAUSED"


def test_a_return_into_the_past_or_of_nobody_is_refused(database: Database) -> None:
    subscription_id = paused(database)
    with pytest.raises(InvalidInput) as caught, database.transaction(ANA) as tx:
        move_return(tx, subscription_id=subscription_id, until=tx.now)
    assert caught.value.field == "until"
    with database.transaction(ANA) as tx:
        resume(tx, subscription_id=subscription_id)
    with pytest.raises(NotAllowed, match="has no pause"), database.transaction(ANA) as tx:
        move_return(tx, subscription_id=subscription_id, until=tx.now + DAYS)


def test_who_owes_may_pause_and_comes_back_to_what_the_bills_demand(
    runtime: Runtime, database: Database, clock: FakeClock
) -> None:
    subscription_id = paused(database, owing=True)
    assert state(database, subscription_id) == "PAUSED"
    clock.advance(days=30)
    apply_service_changes(runtime)
    assert state(database, subscription_id) == "SUSPENDED"


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        pytest.param(None, [30, 60, None], id="all"),
        pytest.param(30, [30], id="the first return itself"),
        pytest.param(29, [], id="a day before it"),
        pytest.param(60, [30, 60], id="both returns"),
    ],
)
def test_the_list_has_those_that_are_away(database: Database, days: int | None, shown: list[int | None]) -> None:
    kept = [paused(database, days=away) for away in (30, 60, None)]
    gone, back = paused(database), paused(database)
    with database.transaction(ANA) as tx:
        cancel(tx, subscription_id=gone)
        resume(tx, subscription_id=back)
    with database.reading() as tx:
        query = live_pauses(tx.now, returning_by=None if days is None else tx.now + timedelta(days=days))
        rows = list(tx.session.scalars(query.order_by(PauseRow.id)))
        until = [None if row.until is None else (row.until - tx.now).days for row in rows]
    assert until == shown
    away = zip(kept, (30, 60, None), strict=True)
    assert [row.subscription_id for row in rows] == [key for key, days_away in away if days_away in shown]


def test_the_route_pages_and_filters(runtime: Runtime, database: Database) -> None:
    kept = [paused(database, days=days) for days in (30, 60)]
    client = Client(runtime)
    page = client.get("/pauses", limit=1).content
    assert [item["subscription_id"] for item in page["items"]] == kept[:1]
    assert [item["subscription_id"] for item in client.get("/pauses", after=page["next"]).content["items"]] == kept[1:]
    soon = client.get("/pauses", returning_by="2026-04-02T00:00:00Z").content
    assert [item["subscription_id"] for item in soon["items"]] == kept[:1]
