"""Monthly billing in the background: jobs that carry a run on, and the routine task that begins one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from billing_bridge.monthly import run as monthly_run
from billing_bridge.monthly.models import BillingRun
from billing_bridge.monthly.run import CONTINUE, confirm_alerts, dismiss_billing_run, generate_billing_run
from billing_bridge.monthly.tasks import MONTHLY_BILLING
from core.actor import Actor
from core.errors import InvalidInput
from core.job_queue import Job
from core.jobs import run_job, sweep
from core.runtime import Runtime
from provisioning.routines.tasks import TASKS, TaskResult
from tests.factories_billing import make_billed, make_method
from tests.factories_core import audit_of
from tests.factories_monthly import bills_of, invoices_of, make_base

ROUTINE = Actor("routine 3 monthly billing", "routine")


def work_off(runtime: Runtime) -> list[str]:
    """Run what waits to go on with a run, as a worker would; gives the outcomes' words."""
    told: list[str] = []
    while True:
        with runtime.database.reading() as tx:
            mine = set(tx.session.scalars(select(Job.id).where(Job.kind == CONTINUE)))
        due = [job_id for job_id in sweep(runtime) if job_id in mine]
        if not due:
            return told
        told += [str(getattr(run_job(runtime, job_id), "detail", "")) for job_id in due]


def based(runtime: Runtime, count: int = 3) -> int:
    """The method's id of that many subscriptions."""
    with runtime.database.transaction() as tx:
        method = make_method(tx)
        make_base(tx, method, count)
        return method.id


def runs(runtime: Runtime) -> list[BillingRun]:
    with runtime.database.reading() as tx:
        return list(tx.session.scalars(select(BillingRun).order_by(BillingRun.id)))


def routine(runtime: Runtime, **parameters: Any) -> TaskResult:
    return MONTHLY_BILLING.run(runtime, ROUTINE, parameters)


def test_the_task_is_registered_with_its_parameters() -> None:
    assert TASKS["monthly-billing"] is MONTHLY_BILLING
    assert MONTHLY_BILLING.parameters.keys() == {"method", "pro_rata", "next_month", "auto"}


def test_jobs_carry_a_run_to_its_review_and_to_its_end(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    based(runtime)
    joana = Actor("joana", "api")
    with runtime.database.transaction(joana) as tx:
        run = monthly_run.prepare_billing_run(tx)
    assert work_off(runtime) == ["3 of 3 prepared, 0 of 3 billed"]
    with runtime.database.transaction(joana) as tx:
        generate_billing_run(tx, run_id=run.id)
    assert work_off(runtime) == ["3 of 3 prepared, 3 of 3 billed"] * 2
    with runtime.database.reading() as tx:
        assert len(invoices_of(tx)) == 3
    assert {entry.actor for entry in audit_of(runtime.database, "billing_run")} == {"joana"}
    assert {entry.actor for entry in audit_of(runtime.database, "invoice")} == {"joana"}


def test_a_job_of_a_run_that_waits_or_is_over_does_nothing(runtime: Runtime) -> None:
    based(runtime)
    with runtime.database.transaction() as tx:
        run = monthly_run.prepare_billing_run(tx)
    work_off(runtime)
    for _ in range(2):
        with runtime.database.transaction() as tx:
            tx.enqueue(CONTINUE, str(run.id))
        assert work_off(runtime) == ["3 of 3 prepared, 0 of 3 billed"]
        with runtime.database.transaction() as tx:
            if tx.session.get_one(BillingRun, run.id).status == "review":
                dismiss_billing_run(tx, run_id=run.id, note="wrong month")
    assert [run.status for run in runs(runtime)] == ["dismissed"]


def test_the_routine_prepares_and_leaves_it_for_review(runtime: Runtime) -> None:
    based(runtime)
    result = routine(runtime)
    assert (result.status, result.counts["candidates"]) == ("running", 3)
    work_off(runtime)
    assert routine(runtime).status == "waiting", "it begins no second one"
    [run] = runs(runtime)
    assert (run.status, run.actor, run.source, run.month) == ("review", ROUTINE.name, "routine", date(2026, 3, 1))
    with runtime.database.reading() as tx:
        assert bills_of(tx) == []


def test_auto_generates_when_there_is_nothing_to_review(runtime: Runtime) -> None:
    based(runtime)
    routine(runtime, auto=True)
    work_off(runtime)
    assert [(run.status, run.billed) for run in runs(runtime)] == [("done", 3)]
    routine(runtime, auto=True)
    work_off(runtime)
    assert [(run.status, run.billed, run.billed_before) for run in runs(runtime)][1:] == [("done", 0, 3)]


def test_auto_waits_while_there_is(runtime: Runtime) -> None:
    based(runtime)
    with runtime.database.transaction() as tx:
        make_billed(tx, make_method(tx, name="Pix"))  # installed today
    routine(runtime, auto=True)
    work_off(runtime)
    [run] = runs(runtime)
    assert (run.status, routine(runtime, auto=True).status) == ("review", "waiting")
    with runtime.database.transaction() as tx:
        confirm_alerts(tx, run_id=run.id)
        generate_billing_run(tx, run_id=run.id)
    work_off(runtime)
    assert runs(runtime)[0].billed == 4


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param({}, (date(2026, 3, 1), True, []), id="nothing said"),
        pytest.param({"next_month": True}, (date(2026, 4, 1), True, []), id="the month that comes"),
        pytest.param({"pro_rata": False}, (date(2026, 3, 1), False, []), id="whole months"),
    ],
)
def test_parameters_choose(runtime: Runtime, parameters: Mapping[str, Any], expected: tuple[object, ...]) -> None:
    routine(runtime, **parameters)
    [run] = runs(runtime)
    assert (run.month, run.pro_rata, run.filters["billing_method_ids"]) == expected


def test_a_routine_for_one_method_bills_only_that(runtime: Runtime) -> None:
    method_id = based(runtime, 2)
    with runtime.database.transaction() as tx:
        make_base(tx, make_method(tx, name="Pix"), 1)
    with runtime.database.reading() as tx:
        assert MONTHLY_BILLING.rehearse(tx, {"method": method_id}).counts == {"candidates": 2}
        assert MONTHLY_BILLING.rehearse(tx, {}).counts == {"candidates": 3}
    assert routine(runtime, method=method_id).counts["candidates"] == 2
    assert routine(runtime).counts["candidates"] == 3, "another choice is another run"
    assert len(runs(runtime)) == 2


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"method": "Boleto"}, id="a name for a method"),
        pytest.param({"pro_rata": "yes"}, id="a word for a switch"),
        pytest.param({"auto": 1}, id="a number for a switch"),
    ],
)
def test_parameters_that_cannot_be(runtime: Runtime, parameters: dict[str, Any]) -> None:
    [name] = parameters
    with pytest.raises(InvalidInput) as refused:
        routine(runtime, **parameters)
    assert refused.value.field == name
    assert runs(runtime) == []
