"""When routers are looked at: at once when facts change, each in its own time otherwise."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from core.database import Transaction
from core.job_queue import Job
from core.jobs import every, handles
from core.outcomes import Outcome
from core.runtime import Runtime
from provisioning.routeros.cycle.breaker import may_try
from provisioning.routeros.cycle.turn import run_cycle
from provisioning.routeros.models import Router, RouterStatus
from provisioning.routeros.touch import CONVERGE

CHECK_SECONDS = 15.0


@handles(CONVERGE, apart=True)
def converge_router(runtime: Runtime, job: Job) -> Outcome:
    """Bring router `job.key` to what the facts demand; Retry until it is proven, or nothing more can be done."""
    return run_cycle(runtime, int(job.key), failures=job.failures).outcome


@every(CHECK_SECONDS, "router-checks")
def ask_for_checks(runtime: Runtime) -> None:
    """Ask for the convergence of each router that was not read in whole for as long as it may be."""
    with runtime.database.reading() as tx:
        due = due_for_check(tx)
    if due:
        with runtime.database.transaction() as tx:
            for router_id in due:
                tx.enqueue(CONVERGE, str(router_id))


def due_for_check(tx: Transaction) -> list[int]:
    """The routers whose check is due, that nobody was asked for yet and that their breaker lets be tried; in order."""
    query = select(Router.id, Router.check_minutes, RouterStatus.full_at, RouterStatus.retry_at)
    query = query.outerjoin(RouterStatus, RouterStatus.router_id == Router.id).where(Router.enabled)
    asked = select(Job.key).where(Job.kind == CONVERGE, Job.status.in_(("waiting", "running")))
    busy = set(tx.session.scalars(asked))  # what waits to try again does so in its own time
    found = []
    for router_id, minutes, full_at, retry_at in tx.session.execute(query.order_by(Router.id)).all():
        due = full_at is None or tx.now - full_at >= timedelta(minutes=minutes)
        if due and may_try(retry_at, tx.now) and str(router_id) not in busy:
            found.append(router_id)
    return found
