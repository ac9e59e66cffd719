"""What routines and the clock do about dunning runs; importing this module registers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import select

from billing_bridge.dunning.cap import take_cap_turn
from billing_bridge.dunning.runs import ALL_LEVELS, DONE, HELD, PLANNING, RUNNING, WAITING
from billing_bridge.dunning.waiting import expire_runs, forget_lines
from billing_bridge.dunning.work import continue_run, preview_dunning, start_run
from billing_bridge.models import DunningRun
from core.actor import Actor
from core.database import Transaction
from core.jobs import every
from core.runtime import Runtime
from provisioning.facts import Level
from provisioning.routines.tasks import RoutineTask, TaskResult, register_task

_STATUSES = {DONE: "done", WAITING: "waiting", HELD: "held"}


@every(60, "dunning-expiry", exclusive=False)
def expire_waiting_runs(runtime: Runtime) -> None:
    with runtime.database.reading() as tx:
        late = select(DunningRun.id).where(DunningRun.status == WAITING, DunningRun.expires_at <= tx.now)
        if tx.session.scalar(late.limit(1)) is None:
            return
    with runtime.database.transaction() as tx:
        take_cap_turn(tx)
        expire_runs(tx)


@every(3600, "purge-dunning-lines")
def purge_dunning_lines(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        forget_lines(tx)


def _runner(levels: Collection[Level]) -> Callable[[Runtime, Actor, Mapping[str, Any]], TaskResult]:
    def run(runtime: Runtime, actor: Actor, _parameters: Mapping[str, Any]) -> TaskResult:
        with runtime.database.transaction(actor) as tx:
            found = start_run(tx, levels=levels, origin=actor.name)
        while found.status in (PLANNING, RUNNING):  # its own jobs help, and go on with it where this process dies
            with runtime.database.transaction(actor) as tx:
                found = continue_run(tx, found.id)
        return _result(found)

    return run


def _rehearsal(levels: Collection[Level]) -> Callable[[Transaction, Mapping[str, Any]], TaskResult]:
    def rehearse(tx: Transaction, _parameters: Mapping[str, Any]) -> TaskResult:
        plan = preview_dunning(tx, levels=levels, limit=0)
        counts = {"planned": plan.count, "total": plan.total_count, "partial": plan.partial_count, "cap": plan.cap}
        counts["ordered_today"] = plan.ordered_today
        if plan.hold:
            return TaskResult(counts, plan.hold, "held")
        if plan.exceeds_cap:
            return TaskResult(counts, f"over the cap of {plan.cap}: it would wait for approval", "waiting")
        return TaskResult(counts, f"it would restrict {plan.count}")

    return rehearse


def _result(run: DunningRun) -> TaskResult:
    counts = {
        "planned": run.planned,
        "ordered": run.ordered,
        "skipped": run.skipped,
        "total": run.ordered_total,
        "partial": run.ordered_partial,
        "run": run.id,
    }
    detail = run.note or f"dunning run {run.id}: {run.ordered} of {run.planned} ordered"
    return TaskResult(counts, detail, _STATUSES.get(run.status, "running"))


_TASKS: tuple[tuple[str, frozenset[Level], str, str], ...] = (
    ("suspend", frozenset({Level.TOTAL}), "Suspend who is late", "Suspender inadimplentes"),
    ("reduce", frozenset({Level.PARTIAL}), "Reduce the speed of who is late", "Reduzir a velocidade de inadimplentes"),
    ("suspend-and-reduce", ALL_LEVELS, "Suspend and reduce who is late", "Suspender e reduzir inadimplentes"),
)
for _name, _levels, _words, _palavras in _TASKS:
    register_task(RoutineTask(_name, _words, _palavras, _runner(_levels), _rehearsal(_levels)))
