"""What holds new restrictions back, and that nothing holds restoring back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_bridge.dunning.approval import approve_run
from billing_bridge.dunning.guards import HOLDING, clear_guard, restriction_hold
from billing_bridge.dunning.tasks import expire_waiting_runs
from billing_bridge.dunning.work import list_runs, preview_dunning, run_dunning, start_run
from billing_bridge.invoices import list_invoices
from billing_bridge.payments import receive
from core.actor import Actor
from core.alarms import end_alarm, get_alarm, open_alarms, raise_alarm
from core.clock_guard import Mark
from core.clock_marks import watch_clocks
from core.database import Database
from core.errors import Forbidden, InvalidInput, NeedsApproval
from core.jobs import SCHEDULES
from core.runtime import Runtime
from provisioning.facts import Level
from provisioning.orders import order_restriction
from provisioning.routines.tasks import TASKS, TaskResult
from tests.factories_api import Client, problem
from tests.factories_billing import state_of
from tests.factories_dunning import JOANA, ROUTINE, late_in, orders_in, run_of, step
from tests.ticking import FakeClock

KINDS = pytest.mark.parametrize("kind", HOLDING)


def alarmed(database: Database, kind: str = "clock-jump") -> int:
    with database.transaction() as tx:
        return raise_alarm(tx, kind, "bank", detail="it stands still").id


@KINDS
def test_a_routines_run_is_recorded_as_held(database: Database, kind: str) -> None:
    late_in(database, 2)
    alarm = alarmed(database, kind)
    with database.transaction(ROUTINE) as tx:
        run = start_run(tx)
    assert (run.status, run.planned, orders_in(database)) == ("held", 0, 0)
    assert run.note == (
        f"no restriction starts while alarm {alarm} ({kind} bank): it stands still; "
        f"look into it, then clear it: catraca alarm clear {alarm}"
    )
    assert run.finished_at is not None


@KINDS
@pytest.mark.parametrize("approve", [False, True])
def test_a_persons_run_is_refused_also_with_approval(database: Database, kind: str, approve: bool) -> None:
    late_in(database, 1)
    alarm = alarmed(database, kind)
    words = f"clear it: catraca alarm clear {alarm}"
    with pytest.raises(NeedsApproval, match=words) as stopped, database.transaction(JOANA) as tx:
        run_dunning(tx, approve=approve)
    assert stopped.value.extras["alarms"] == [alarm]
    assert orders_in(database) == 0


@KINDS
def test_restoring_is_held_back_by_none(database: Database, kind: str) -> None:
    [key] = late_in(database, 1)
    with database.transaction(ROUTINE) as tx:
        start_run(tx)
    assert state_of(database, key) == "SUSPENDED"
    alarmed(database, kind)
    with database.transaction() as tx:
        receive(tx, invoice_id=list_invoices(tx, subscription_id=key)[0].id)
    assert state_of(database, key) == "ACTIVE"


@KINDS
def test_a_persons_single_order_is_not_held(database: Database, kind: str) -> None:
    [key] = late_in(database, 1)
    alarmed(database, kind)
    with database.transaction(JOANA) as tx:
        order_restriction(
            tx, subscription_id=key, level="total", invoice_ids=[list_invoices(tx, subscription_id=key)[0].id]
        )
    assert state_of(database, key) == "SUSPENDED"


@pytest.mark.parametrize("kind", ["suspensions-wait", "routine-failed"])
def test_other_alarms_hold_nothing(database: Database, kind: str) -> None:
    alarmed(database, kind)
    with database.reading() as tx:
        assert restriction_hold(tx) is None


def test_an_approval_does_not_lift_the_guard(database: Database) -> None:
    late_in(database, 11)
    with database.transaction(ROUTINE) as tx:
        run_id = start_run(tx).id
    alarm = alarmed(database)
    with pytest.raises(NeedsApproval), database.transaction(JOANA) as tx:
        approve_run(tx, run_id)
    assert run_of(database, run_id).status == "waiting"
    with database.transaction(JOANA) as tx:
        clear_guard(tx, alarm_id=alarm, note="the time server was wrong")
        assert approve_run(tx, run_id).ordered == 11


def test_a_guard_stops_a_run_between_two_chunks(database: Database) -> None:
    late_in(database, 5)
    with database.transaction(ROUTINE) as tx:
        run = start_run(tx, chunk=2)
        assert (run.status, run.ordered) == ("running", 2)
    alarmed(database)
    assert (step(database, run.id).status, orders_in(database)) == ("held", 2)
    with database.transaction() as tx:
        end_alarm(tx, "clock-jump", "bank")
    assert (step(database, run.id).status, orders_in(database)) == ("held", 2)
    with database.transaction(JOANA) as tx:
        assert run_dunning(tx).ordered == 3


def test_clearing_a_guard_needs_the_permission_and_a_note(database: Database) -> None:
    holding, other = alarmed(database), alarmed(database, "routine-failed")
    clerk = Actor("rui", "api", permissions=frozenset())
    with pytest.raises(Forbidden, match=r"guard\.approve"), database.transaction(clerk) as tx:
        clear_guard(tx, alarm_id=holding, note="fine")
    with pytest.raises(InvalidInput, match="note"), database.transaction(JOANA) as tx:
        clear_guard(tx, alarm_id=holding, note="")
    with database.transaction(clerk) as tx:
        clear_guard(tx, alarm_id=other, note="fine")
    with database.reading() as tx:
        assert (get_alarm(tx, holding).cleared_at, get_alarm(tx, other).cleared_by) == (None, "rui")


def test_the_hold_is_told_in_the_preview(database: Database) -> None:
    late_in(database, 1)
    with database.reading() as tx:
        assert preview_dunning(tx).hold is None
    alarmed(database)
    with database.reading() as tx:
        plan = preview_dunning(tx)
        assert (plan.count, plan.hold) == (1, restriction_hold(tx))


def test_a_clock_that_went_back_between_two_runs_holds_the_second(database: Database, clock: FakeClock) -> None:
    with database.transaction(ROUTINE) as tx:
        start_run(tx)
    late_in(database, 1)
    clock.advance(hours=-2)
    with database.transaction(ROUTINE) as tx:
        assert start_run(tx).status == "held"
    clock.advance(hours=2)
    with database.transaction(ROUTINE) as tx:
        assert start_run(tx).status == "done"


def test_through_the_api_the_alarm_stays_and_the_person_is_told(runtime: Runtime, clock: FakeClock) -> None:
    client = Client(runtime)
    late_in(runtime.database, 1)
    with runtime.database.transaction() as tx:
        watch_clocks(tx)
    clock.advance(hours=-2)
    content = problem(client.post("/dunning/runs", {"approve": True}), 409, "needs-approval")
    with runtime.database.reading() as tx:
        assert [alarm.id for alarm in open_alarms(tx)] == content["alarms"]
    [alarm] = content["alarms"]
    assert client.post(f"/alarms/{alarm}/clear", {"note": "it is right now"}).status == 200
    clock.advance(hours=2)
    assert client.post("/dunning/runs", {}).content["ordered"] == 1


def test_open_alarms_are_a_metric(runtime: Runtime) -> None:
    client = Client(runtime)
    alarmed(runtime.database, "feed-empty")
    told = client.call("GET", "/metrics").content
    assert 'catraca_open_alarms{kind="feed-empty"} 1.0' in told
    assert 'catraca_open_alarms{kind="clock-jump"} 0.0' in told


def test_marks_of_a_machine_that_jumped_hold_runs(database: Database) -> None:
    with database.transaction() as tx:
        watch_clocks(tx, {"machine m": Mark(tx.now, "boot", 0)})
        watch_clocks(tx, {"machine m": Mark(tx.now + timedelta(days=30), "boot", 60)})
    with database.transaction(ROUTINE) as tx:
        assert start_run(tx).status == "held"
        assert [run.status for run in list_runs(tx)] == ["held"]


def test_the_tasks_are_registered_with_what_keeps_them_going() -> None:
    assert SCHEDULES["dunning-expiry"].run is expire_waiting_runs
    assert {"suspend", "reduce", "suspend-and-reduce"} <= set(TASKS)


def carried_out(runtime: Runtime, task: str) -> TaskResult:
    return TASKS[task].run(runtime, ROUTINE, {})


@pytest.mark.parametrize(
    ("task", "total", "partial"),
    [
        pytest.param("suspend", 2, 0, id="suspend"),
        pytest.param("reduce", 0, 3, id="reduce: who is late enough to be suspended is reduced too"),
        pytest.param("suspend-and-reduce", 2, 1, id="both"),
    ],
)
def test_the_tasks_of_routines(runtime: Runtime, task: str, total: int, partial: int) -> None:
    late_in(runtime.database, 2)
    late_in(runtime.database, 1, late=15)
    with runtime.database.reading() as tx:
        rehearsed = TASKS[task].rehearse(tx, {})
    assert (rehearsed.counts["total"], rehearsed.counts["partial"], rehearsed.status) == (total, partial, "done")
    assert orders_in(runtime.database) == 0
    result = carried_out(runtime, task)
    assert (result.counts["total"], result.counts["partial"], result.status) == (total, partial, "done")
    assert carried_out(runtime, task).counts["ordered"] == 0


@pytest.mark.parametrize("task", ["suspend", "suspend-and-reduce"])
def test_tasks_that_wait_or_are_held_say_so(runtime: Runtime, task: str) -> None:
    late_in(runtime.database, 11)
    with runtime.database.reading() as tx:
        assert TASKS[task].rehearse(tx, {}).status == "waiting"
    assert carried_out(runtime, task).status == "waiting"
    alarmed(runtime.database)
    with runtime.database.reading() as tx:
        assert TASKS[task].rehearse(tx, {}).status == "held"
    result = carried_out(runtime, task)
    assert (result.status, "clock-jump" in result.detail) == ("held", True)


def test_levels_are_what_a_run_may_order(database: Database) -> None:
    late_in(database, 1)
    with database.reading() as tx:
        plan = preview_dunning(tx, levels={Level.PARTIAL})
        assert (plan.total_count, plan.partial_count) == (0, 1)
