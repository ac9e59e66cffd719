"""The guarded run that restricts: plan, compare with the cap, order chunk by chunk.

Restricting is the one thing here that can hurt many people at once, so it is the one thing that is held back. A run
over the cap orders nobody until a person approves, and approving plans anew: who has paid meanwhile is not in it. A run
never orders more than it planned. Running again finds nothing left to order.

The first chunk is ordered in the caller's transaction, the rest by jobs of one chunk each, so that a big run keeps
neither payments waiting nor rows in memory. Until the last chunk it is `running`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import floor

from sqlalchemy import select, update

from billing_bridge.company_days import company_today
from billing_bridge.dunning_candidates import (
    candidate_ids,
    count_active,
    count_candidates,
    new_orders,
)
from billing_bridge.dunning_rules import WantedOrder
from billing_bridge.locks import lock_subscriptions
from billing_bridge.models import DunningRun
from core.database import Transaction
from core.errors import NeedsApproval, NotAllowed, NotFound
from core.settings import Settings
from provisioning.facts import Level
from provisioning.orders import order_restriction

CHUNK = 100
CONTINUE = "dunning.continue"
RUNNING, DONE, WAITING, REPLACED = "running", "done", "waiting", "replaced"


@dataclass(frozen=True, slots=True)
class DunningPlan:
    """What a run would do now. The counts are complete; `orders` are the first `limit` of them, by subscription."""

    day: date
    total_count: int
    partial_count: int
    active_count: int
    cap: int
    orders: tuple[WantedOrder, ...] = ()

    @property
    def count(self) -> int:
        return self.total_count + self.partial_count

    @property
    def exceeds_cap(self) -> bool:
        return self.count > self.cap


def preview_dunning(tx: Transaction, *, limit: int = 1000, after: int = 0) -> DunningPlan:
    """Who would be restricted by a run now, how much and why, from behind subscription `after`; changes nothing."""
    plan = plan_of(tx, company_today(tx.now, tx.settings.timezone))
    ids = candidate_ids(tx, plan.day, after=after, limit=limit)
    return DunningPlan(
        plan.day, plan.total_count, plan.partial_count, plan.active_count, plan.cap,
        tuple(new_orders(tx, ids, plan.day)),
    )  # fmt: skip


def run_dunning(tx: Transaction, *, approve: bool = False, chunk: int = CHUNK) -> DunningRun:
    """Order what the rules want today. NeedsApproval over the cap unless a person approves: then nobody is ordered.

    `chunk` subscriptions are ordered in this transaction; where the run's status is `running`, jobs do the rest.
    """
    plan = plan_of(tx, company_today(tx.now, tx.settings.timezone))
    if plan.exceeds_cap and not approve:
        raise NeedsApproval(
            f"this run would restrict {plan.count} subscriptions, more than the cap of {plan.cap}: "
            "look at the preview, then approve it",
            planned=plan.count,
            cap=plan.cap,
            active=plan.active_count,
        )
    run = record_run(tx, plan, RUNNING, approved=plan.exceeds_cap)
    order_chunk(tx, run, chunk)
    return run


def plan_of(tx: Transaction, day: date) -> DunningPlan:
    """The counts of a run of that day, against the cap."""
    counts, active = count_candidates(tx, day), count_active(tx)
    return DunningPlan(day, counts[Level.TOTAL], counts[Level.PARTIAL], active, cap_of(tx.settings, active))


def cap_of(settings: Settings, active: int) -> int:
    """How many subscriptions one run may restrict without approval."""
    share = floor(round(active * settings.suspension_cap_percent / 100, 6))
    return max(settings.suspension_cap_minimum, share)


def record_run(
    tx: Transaction, plan: DunningPlan, status: str, *, approved: bool = False, scheduled_on: date | None = None
) -> DunningRun:
    """Write the run's row; one that waited for approval is replaced by it."""
    tx.session.execute(update(DunningRun).where(DunningRun.status == WAITING).values(status=REPLACED))
    run = DunningRun(
        day=plan.day,
        scheduled_on=scheduled_on,
        status=status,
        approved=approved,
        actor=tx.actor.name,
        source=tx.actor.source,
        started_at=tx.now,
        active_count=plan.active_count,
        cap=plan.cap,
        planned_total=plan.total_count,
        planned_partial=plan.partial_count,
        ordered_total=0,
        ordered_partial=0,
        skipped=0,
        cursor=0,
    )
    tx.session.add(run)
    tx.session.flush()
    after = {"day": plan.day, "planned": run.planned, "cap": plan.cap, "status": status, "approved": approved}
    tx.audit("run", "dunning_run", run.id, after=after)
    return run


def order_chunk(tx: Transaction, run: DunningRun, chunk: int = CHUNK) -> None:
    """Order the next subscriptions of a run that is running; asks for a job where more are left."""
    left = run.planned - run.ordered - run.skipped
    ids = candidate_ids(tx, run.day, after=run.cursor, limit=min(chunk, left)) if left > 0 else []
    lock_subscriptions(tx, ids)  # who pays meanwhile waits, and then ends the order
    wanted = new_orders(tx, ids, run.day)
    for order in wanted:
        _order(tx, run, order)
    run.skipped += len(ids) - len(wanted)
    run.cursor = ids[-1] if ids else run.cursor
    if ids and run.ordered + run.skipped < run.planned:
        tx.enqueue(CONTINUE, str(run.id))
    else:
        _finish(tx, run)
    tx.session.flush()


def lock_run(tx: Transaction, run_id: int) -> DunningRun:
    """The run, locked and read again."""
    query = select(DunningRun).where(DunningRun.id == run_id).with_for_update()
    run = tx.session.scalar(query, execution_options={"populate_existing": True})
    if run is None:
        raise NotFound("dunning run", run_id)
    return run


def get_run(tx: Transaction, run_id: int) -> DunningRun:
    run = tx.session.get(DunningRun, run_id)
    if run is None:
        raise NotFound("dunning run", run_id)
    return run


def list_runs(tx: Transaction, *, after: int = 0, limit: int = 100) -> Sequence[DunningRun]:
    """In order of id, from behind `after`."""
    query = select(DunningRun).where(DunningRun.id > after).order_by(DunningRun.id).limit(limit)
    return tx.session.scalars(query).all()


def _order(tx: Transaction, run: DunningRun, order: WantedOrder) -> None:
    try:
        order_restriction(
            tx,
            subscription_id=order.subscription_id,
            level=order.level.value,
            invoice_ids=order.invoice_ids,
            minimum_open_cents=order.minimum_open_cents,
            rule=order.rule,
            run=run.name,
        )
    except NotAllowed:  # cancelled between our reading and its lock
        run.skipped += 1
        return
    if order.level is Level.TOTAL:
        run.ordered_total += 1
    else:
        run.ordered_partial += 1


def _finish(tx: Transaction, run: DunningRun) -> None:
    run.status, run.finished_at = DONE, tx.now
    after = {"ordered_total": run.ordered_total, "ordered_partial": run.ordered_partial, "skipped": run.skipped}
    tx.audit("finish", "dunning_run", run.id, after=after)
