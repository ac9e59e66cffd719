"""Runs over the cap: waiting, loudly; approved for all or some, dismissed, expired, replaced."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from billing_bridge.dunning.approval import approve_run, dismiss_run
from billing_bridge.dunning.lines import lines_of
from billing_bridge.dunning.runs import status_at
from billing_bridge.dunning.work import preview_dunning, start_run
from billing_bridge.invoices import list_invoices
from billing_bridge.payments import receive
from core.actor import Actor
from core.alarms import open_alarms
from core.database import Database, Transaction
from core.errors import CatracaError, Forbidden, InvalidInput, NotAllowed, NotFound
from core.jobs import run_periodic
from core.runtime import Runtime
from provisioning.cancellation import cancel
from provisioning.facts import Level
from tests.factories_billing import make_method, state_of
from tests.factories_core import audit_of, race
from tests.factories_dunning import JOANA, ROUTINE, add_late, late_in, orders_in, restricted, run_of, statuses, step
from tests.ticking import FakeClock

HOURS_24 = timedelta(hours=24)


def waiting(database: Database, count: int = 11) -> tuple[int, list[int]]:
    """A run that waits, and whom it would restrict."""
    ids = late_in(database, count)
    with database.transaction(ROUTINE) as tx:
        run = start_run(tx)
        assert (run.status, run.planned, run.ordered) == ("waiting", count, 0)
        return run.id, ids


def alarms(database: Database) -> list[str]:
    with database.reading() as tx:
        return [alarm.detail for alarm in open_alarms(tx, ("suspensions-wait",))]


@pytest.mark.parametrize(
    ("count", "status"), [pytest.param(10, "done", id="at the cap"), pytest.param(11, "waiting", id="one more")]
)
def test_the_cap_decides(database: Database, count: int, status: str) -> None:
    late_in(database, count)
    with database.transaction(ROUTINE) as tx:
        assert start_run(tx).status == status
    assert orders_in(database) == (count if status == "done" else 0)
    assert len(alarms(database)) == (status == "waiting")


def test_what_waits_is_told_and_can_be_looked_at(database: Database, clock: FakeClock) -> None:
    run_id, ids = waiting(database)
    assert alarms(database) == [
        f"run {run_id} would restrict 11 subscriptions, the cap is 10: look at them with `catraca dunning lines "
        f"{run_id}`, then approve or dismiss it until 2026-03-03 12:00 UTC"
    ]
    with database.reading() as tx:
        assert [line.subscription_id for line in lines_of(tx, run_id, status="planned")] == ids
    assert {state_of(database, key) for key in ids} == {"ACTIVE"}


def test_all_are_approved(database: Database) -> None:
    run_id, ids = waiting(database)
    with database.transaction(JOANA) as tx:
        run = approve_run(tx, run_id, note="it was the holiday")
        assert (run.status, run.approved, run.ordered, run.decided_by) == ("done", True, 11, "joana")
    assert (restricted(database), alarms(database)) == (ids, [])
    [entry] = [entry for entry in audit_of(database, "dunning_run") if entry.action == "approve"]
    assert (entry.actor, entry.note) == ("joana", "it was the holiday")


def test_some_are_approved_and_the_rest_is_dismissed(database: Database) -> None:
    run_id, ids = waiting(database)
    chosen = [ids[2], ids[7]]
    with database.transaction(JOANA) as tx:
        run = approve_run(tx, run_id, subscription_ids=chosen)
        assert (run.status, run.ordered, run.dismissed, run.planned) == ("done", 2, 9, 11)
    assert restricted(database) == chosen
    assert statuses(database, run_id) == ["ordered" if key in chosen else "dismissed" for key in ids]


def test_a_big_one_is_ordered_by_jobs_after_its_approval(database: Database) -> None:
    run_id, ids = waiting(database, 12)
    with database.transaction(JOANA) as tx:
        run = approve_run(tx, run_id, chunk=5)
        assert (run.status, run.ordered) == ("running", 5)
    assert [step(database, run_id, 5).status for _ in range(2)] == ["running", "done"]
    assert restricted(database) == ids


@pytest.mark.parametrize(
    ("choose", "refusal", "words"),
    [
        pytest.param(lambda ids: [ids[0], 999_999], InvalidInput, "999999 are not", id="a stranger"),
        pytest.param(lambda ids: [], InvalidInput, "at least one", id="nobody"),
    ],
)
def test_who_was_not_planned_cannot_be_approved(
    database: Database, choose: Callable[[list[int]], list[int]], refusal: type[CatracaError], words: str
) -> None:
    run_id, ids = waiting(database)
    with pytest.raises(refusal, match=words), database.transaction(JOANA) as tx:
        approve_run(tx, run_id, subscription_ids=choose(ids))
    assert (run_of(database, run_id).status, orders_in(database)) == ("waiting", 0)


def test_a_line_of_another_run_cannot_be_approved(database: Database) -> None:
    with database.transaction(ROUTINE) as tx:
        total, partial = add_late(tx, 11), add_late(tx, 11, late=15)
        one = start_run(tx, levels={Level.TOTAL}).id
        assert start_run(tx, levels={Level.PARTIAL}).status == "waiting"
    with pytest.raises(InvalidInput, match=str(partial[0])), database.transaction(JOANA) as tx:
        approve_run(tx, one, subscription_ids=[total[0], partial[0]])


def test_it_needs_the_permission(database: Database) -> None:
    run_id, _ = waiting(database)
    clerk = Actor("rui", "api", permissions=frozenset({"receipt.change-amount"}))
    with pytest.raises(Forbidden, match=r"guard\.approve"), database.transaction(clerk) as tx:
        approve_run(tx, run_id)
    with pytest.raises(Forbidden), database.transaction(clerk) as tx:
        start_run(tx, approve=True)
    allowed = Actor("ana", "api", permissions=frozenset({"guard.approve"}))
    with database.transaction(allowed) as tx:
        assert approve_run(tx, run_id).ordered == 11


def test_a_second_decision_is_refused(database: Database) -> None:
    run_id, _ = waiting(database)
    with database.transaction(JOANA) as tx:
        approve_run(tx, run_id)
    with pytest.raises(NotAllowed, match="is done"), database.transaction(JOANA) as tx:
        approve_run(tx, run_id)
    with pytest.raises(NotAllowed, match="is done"), database.transaction(JOANA) as tx:
        dismiss_run(tx, run_id, note="no")
    with pytest.raises(NotFound), database.transaction(JOANA) as tx:
        approve_run(tx, 999_999)


def test_two_approvals_at_once_order_each_once(database: Database) -> None:
    run_id, ids = waiting(database)

    def attempt(_number: int) -> str:
        try:
            with database.transaction(JOANA) as tx:
                return approve_run(tx, run_id).status
        except NotAllowed as error:
            return str(error.extras["status_now"])

    assert race(2, attempt) == ["done", "done"]
    assert restricted(database) == ids


def test_dismissed(database: Database) -> None:
    run_id, ids = waiting(database)
    with database.transaction(JOANA) as tx:
        run = dismiss_run(tx, run_id, note="the bank's file is missing")
        assert (run.status, run.dismissed, run.note) == ("dismissed", 11, "the bank's file is missing")
    assert (orders_in(database), alarms(database)) == (0, [])
    assert statuses(database, run_id) == ["dismissed"] * len(ids)
    with pytest.raises(InvalidInput, match="note"), database.transaction(JOANA) as tx:
        dismiss_run(tx, run_id, note=" ")


@pytest.mark.parametrize(
    ("passed", "status"),
    [
        pytest.param(HOURS_24 - timedelta(seconds=1), "waiting", id="a second before"),
        pytest.param(HOURS_24, "expired", id="at the instant"),
        pytest.param(HOURS_24 + timedelta(seconds=1), "expired", id="a second after"),
    ],
)
def test_it_expires(runtime: Runtime, clock: FakeClock, passed: timedelta, status: str) -> None:
    run_id, _ = waiting(runtime.database)
    clock.now += passed
    assert status_at(run_of(runtime.database, run_id), clock.now) == status
    if status == "expired":
        with pytest.raises(NotAllowed, match="is expired"), runtime.database.transaction(JOANA) as tx:
            approve_run(tx, run_id)
    run_periodic(runtime, "dunning-expiry")
    assert run_of(runtime.database, run_id).status == status
    assert len(alarms(runtime.database)) == (status == "waiting")
    assert orders_in(runtime.database) == 0


def test_a_later_run_takes_its_place(database: Database) -> None:
    run_id, _ = waiting(database)
    with database.transaction(ROUTINE) as tx:
        later = start_run(tx)
    assert (run_of(database, run_id).status, later.status, statuses(database, run_id)) == ("replaced", "waiting", [])
    assert len(alarms(database)) == 1
    assert f"run {later.id} " in alarms(database)[0]
    with pytest.raises(NotAllowed, match="a later run"), database.transaction(JOANA) as tx:
        approve_run(tx, run_id)


@pytest.mark.parametrize(
    ("levels", "status"),
    [
        pytest.param({Level.TOTAL}, "waiting", id="one level does not stand for both"),
        pytest.param(set(Level), "replaced", id="both do"),
    ],
)
def test_only_what_orders_as_much_takes_its_place(database: Database, levels: set[Level], status: str) -> None:
    run_id, _ = waiting(database)
    with database.transaction(ROUTINE) as tx:
        start_run(tx, levels=levels)
    assert run_of(database, run_id).status == status


def pay(tx: Transaction, key: int) -> object:
    return receive(tx, invoice_id=list_invoices(tx, subscription_id=key)[0].id)


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        pytest.param(pay, "ACTIVE", "paid, changed", id="paid"),
        pytest.param(lambda tx, key: cancel(tx, subscription_id=key), "CANCELLED", "cancelled", id="cancelled"),
    ],
)
def test_who_changed_while_it_waited_is_skipped(
    database: Database, change: Callable[[Transaction, int], object], state: str, words: str
) -> None:
    run_id, ids = waiting(database)
    with database.transaction() as tx:
        change(tx, ids[5])
    with database.transaction(JOANA) as tx:
        run = approve_run(tx, run_id)
        assert (run.ordered, run.skipped) == (10, 1)
        [line] = lines_of(tx, run_id, status="skipped")
        assert words in line.detail
    assert state_of(database, ids[5]) == state


def test_nobody_is_restricted_above_the_level_that_was_approved(database: Database, clock: FakeClock) -> None:
    with database.transaction(ROUTINE) as tx:
        ids = add_late(tx, 11, late=29)
        run_id = start_run(tx).id
    clock.advance(hours=23)
    with database.transaction(JOANA) as tx:
        assert preview_dunning(tx).total_count == 11
        approve_run(tx, run_id)
    assert {state_of(database, key) for key in ids} == {"REDUCED"}


@pytest.mark.parametrize(
    ("hours", "ordered"),
    [
        pytest.param(11, 11, id="on Thursday at 23:00"),
        pytest.param(12, 0, id="on Friday at 00:00, when no restriction may start"),
    ],
)
def test_the_calendar_of_the_day_of_the_approval_counts(
    database: Database, clock: FakeClock, hours: int, ordered: int
) -> None:
    clock.now = datetime(2026, 3, 5, 15, 0, tzinfo=UTC)  # a Thursday, noon in São Paulo
    with database.transaction() as tx:
        make_method(tx, held_weekdays=[5, 6, 7])
    run_id, _ = waiting(database)
    clock.advance(hours=hours)
    with database.transaction(JOANA) as tx:
        run = approve_run(tx, run_id)
        assert (run.status, run.ordered, run.skipped) == ("done", ordered, 11 - ordered)
