"""Monthly billing in the background: jobs that go on with a run, and the routine task that begins one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import select

from billing_bridge.calendar.days import company_today
from billing_bridge.monthly.facts import count_candidates
from billing_bridge.monthly.generate import generate_chunk
from billing_bridge.monthly.models import BillingRun
from billing_bridge.monthly.plan import month_after
from billing_bridge.monthly.run import (
    CONTINUE,
    GENERATING,
    PREPARING,
    REVIEW,
    lock_billing_run,
    prepare_billing_run,
    prepare_chunk,
)
from core.actor import Actor, Source
from core.database import Transaction
from core.errors import InvalidInput
from core.job_queue import Job
from core.jobs import handles
from core.outcomes import Applied, Outcome
from core.runtime import Runtime
from provisioning.routines.tasks import RoutineTask, TaskResult, register_task

STATUS = {PREPARING: "running", GENERATING: "running", REVIEW: "waiting"}
"""How a routine's history names the status of the run that it began."""


@handles(CONTINUE)
def continue_billing_run(runtime: Runtime, job: Job) -> Outcome:
    """The next chunk of the run that is the job's key, in the name of whoever started it."""
    with runtime.database.reading() as tx:
        actor, source = tx.session.execute(
            select(BillingRun.actor, BillingRun.source).where(BillingRun.id == int(job.key))
        ).one()
    with runtime.database.transaction(Actor(actor, cast("Source", source))) as tx:
        run = lock_billing_run(tx, int(job.key))
        if run.status == PREPARING:
            prepare_chunk(tx, run)
        elif run.status == GENERATING:
            generate_chunk(tx, run)
        return Applied(f"{run.looked_at} of {run.candidates} prepared, {run.billed} of {run.included} billed")


def run_monthly(runtime: Runtime, actor: Actor, parameters: Mapping[str, Any]) -> TaskResult:
    """Begin the month's run, or look at the one that is open: a routine that runs again begins no second one."""
    with runtime.database.transaction(actor) as tx:
        wanted = _wanted(tx, parameters)
        run = _open_run(tx, wanted) or prepare_billing_run(tx, **wanted)
        counts = {"candidates": run.candidates, "included": run.included, "billed": run.billed}
        detail = f"billing run {run.id} of {run.month:%m/%Y}: {run.status}"
        return TaskResult(counts, detail, STATUS.get(run.status, "done"))


def rehearse_monthly(tx: Transaction, parameters: Mapping[str, Any]) -> TaskResult:
    """How many subscriptions the run would look at."""
    wanted = _wanted(tx, parameters)
    filters = {"billing_method_ids": wanted["billing_method_ids"]}
    return TaskResult({"candidates": count_candidates(tx, wanted["month"], filters)}, f"{wanted['month']:%m/%Y}")


def _wanted(tx: Transaction, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `prepare_billing_run` from a routine's parameters."""
    month = company_today(tx.now, tx.settings.timezone).replace(day=1)
    if _switch(parameters, "next_month", False):
        month = month_after(month)
    method = parameters.get("method")
    if method is not None and (isinstance(method, bool) or not isinstance(method, int)):
        raise InvalidInput("method", "the id of a billing method", 3)
    return {
        "month": month,
        "billing_method_ids": [] if method is None else [method],
        "pro_rata": _switch(parameters, "pro_rata", True),
        "auto": _switch(parameters, "auto", False),
    }


def _switch(parameters: Mapping[str, Any], name: str, otherwise: bool) -> bool:
    value = parameters.get(name, otherwise)
    if not isinstance(value, bool):
        raise InvalidInput(name, "true or false", otherwise)
    return value


def _open_run(tx: Transaction, wanted: Mapping[str, Any]) -> BillingRun | None:
    query = select(BillingRun).where(
        BillingRun.month == wanted["month"], BillingRun.status.in_((PREPARING, REVIEW, GENERATING))
    )
    for run in tx.session.scalars(query.order_by(BillingRun.id.desc()).with_for_update()):
        same = (run.filters["billing_method_ids"], run.pro_rata) == (wanted["billing_method_ids"], wanted["pro_rata"])
        if same and not any(run.filters[name] for name in ("cities", "plan_ids", "states")):
            return run
    return None


MONTHLY_BILLING = register_task(
    RoutineTask(
        name="monthly-billing",
        words="Prepare the monthly billing",
        palavras="Preparar o faturamento mensal",
        run=run_monthly,
        rehearse=rehearse_monthly,
        parameters={
            "method": "id of a billing method; without it all are billed",
            "pro_rata": "true or false: who was not in service the whole month pays for the days (true)",
            "next_month": "true or false: bill the month that comes, not the present one (false)",
            "auto": "true or false: issue the invoices at once when there is nothing to review (false)",
        },
    )
)
