"""What a person asks of a router: to be shown the plan, to have it done now, to have all of it read again.

Held removals go when somebody with the permission says how many: the number that was looked at. Should there be more by
then, they are held as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from core.actor import Actor
from core.database import Transaction
from core.errors import NotAllowed, Unavailable
from core.outcomes import Applied, Retry
from core.runtime import Runtime
from provisioning.routeros.alone import waited_for
from provisioning.routeros.connection import RouterError
from provisioning.routeros.cycle.facts import Facts, gather_all, status_of
from provisioning.routeros.cycle.observing import read_router
from provisioning.routeros.cycle.planning import plan_of
from provisioning.routeros.cycle.status import counts
from provisioning.routeros.cycle.turn import Cycle, run_cycle
from provisioning.routeros.driver.session import connect
from provisioning.routeros.models import Router, RouterStatus
from provisioning.routeros.plan.words import plan_json, plan_lines
from provisioning.routeros.routers import ask_anew, get_router
from provisioning.routeros.rows import Plan
from provisioning.routeros.touch import CONVERGE

APPROVE = "guard.approve"


@dataclass(frozen=True, slots=True)
class Look:
    """A plan that was made now, and nothing done."""

    router_id: int
    name: str
    summary: Mapping[str, int]
    words: list[str]
    plan: dict[str, Any]

    @property
    def in_step(self) -> bool:
        return not any(self.summary.values())


@dataclass(slots=True)
class Turn:
    """How an apply that a person asked for ended."""

    router_id: int
    name: str
    outcome: str
    in_step: bool
    words: list[str]
    done: int = 0
    left: int = 0
    held: int = 0
    refused: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def look(runtime: Runtime, router: int | str, language: str = "en") -> Look:
    """Connect, read, plan; write nothing. Unavailable when the router is away, with the last plan that was made."""
    with runtime.database.reading() as tx:
        row = get_router(tx, router)
        router_id, name = row.id, row.name
    with waited_for(runtime.database, router_id, name):
        facts = gather_all(runtime.database, router_id)
        made = _planned(runtime, facts)
    return Look(router_id, name, counts(made), plan_lines(made, language), plan_json(made))


def apply_now(runtime: Runtime, router: int | str, actor: Actor, approved: int | None = None) -> Turn:
    """One turn for this router, now. NotAllowed in maintenance; Forbidden to approve without the permission."""
    with runtime.database.transaction(actor) as tx:
        row = get_router(tx, router)
        if approved is not None:
            tx.require(APPROVE)
        _must_be_open(row)
        tx.audit("apply", "router", row.id, after={"approve_removals": approved})
    cycle = run_cycle(runtime, row.id, asked=True, approved=approved)
    if isinstance(cycle.outcome, Retry):
        with runtime.database.transaction(actor) as tx:
            tx.enqueue(CONVERGE, str(row.id), due_at=tx.now + cycle.outcome.after)
    return _told(runtime, row, cycle)


def ask_for_check(tx: Transaction, router: int | str) -> Router:
    """Have all of it read and planned anew, even if it was out of reach until now."""
    row = get_router(tx, router)
    _must_be_enabled(row)
    tx.audit("check", "router", row.id)
    ask_anew(tx, row, way=True)
    return row


def _must_be_enabled(row: Router) -> None:
    if not row.enabled:
        raise NotAllowed(f"router {row.name} is disabled; `catraca router change {row.name} --enabled` enables it")


def _must_be_open(row: Router) -> None:
    _must_be_enabled(row)
    if row.maintenance_since is not None:
        since = f"{row.maintenance_since:%Y-%m-%d %H:%M} UTC"
        raise NotAllowed(
            f"router {row.name} is in maintenance since {since}; "
            f"`catraca router end-maintenance {row.name}` ends it and does all that has piled up"
        )


def _told(runtime: Runtime, row: Router, cycle: Cycle) -> Turn:
    if cycle.trouble:
        raise _away(runtime, row.id, row.name, cycle.trouble)
    if cycle.ended is None or cycle.planned is None:
        raise Unavailable(cycle.outcome.detail if isinstance(cycle.outcome, Applied) else cycle.outcome.reason)
    ended, report = cycle.ended, cycle.ended.report
    problems = list(dict.fromkeys(problem.words for problem in (*ended.desired.problems, *ended.plan.problems)))
    return Turn(
        row.id,
        row.name,
        cycle.outcome.detail if isinstance(cycle.outcome, Applied) else cycle.outcome.reason,
        in_step=not (ended.plan or ended.plan.held or problems or ended.refused),
        words=plan_lines(cycle.planned.plan),
        done=len(report.done),
        left=len(ended.plan.steps),
        held=len(ended.plan.held),
        refused=list(dict.fromkeys(failure.message for failure in report.failures)),
        problems=problems,
    )


def _planned(runtime: Runtime, facts: Facts) -> Plan:
    try:
        with closing(connect(facts.target)) as connection:
            return plan_of(facts, read_router(connection, facts)).plan
    except RouterError as error:
        raise _away(runtime, facts.router.id, facts.router.name, str(error) or type(error).__name__) from error


def _away(runtime: Runtime, router_id: int, name: str, words: str) -> Unavailable:
    with runtime.database.reading() as tx:
        status = status_of(tx, router_id)
    error = Unavailable(f"router {name} is out of reach: {words}. {_last_plan(status)}")
    last = {"last_plan_at": status.plan_at and status.plan_at.isoformat(), "last_plan": status.plan.get("lines", [])}
    error.extras = {**error.extras, **last}
    return error


def _last_plan(status: RouterStatus) -> str:
    if status.plan_at is None:
        return "It was never planned before"
    steps = sum(status.plan.get(kind, 0) for kind in ("add", "change", "remove", "move", "end_session"))
    return f"Its last plan, of {status.plan_at:%Y-%m-%d %H:%M} UTC, had {steps} steps"
