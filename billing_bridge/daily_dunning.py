"""The run of each day, at six in the morning of the company's time, once.

The row of the run is its own memory: its `scheduled_on` is unique, so however many schedulers ask, one day has one
run, also when it waits for approval. A process that was down catches up when it is there again, with the newest missed
day only.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from billing_bridge.company_days import daily_run_day
from billing_bridge.dunning import RUNNING, WAITING, order_chunk, plan_of, record_run
from billing_bridge.models import DunningRun
from core.database import Transaction
from core.logs import get_logger

log = get_logger("billing_bridge.daily_dunning")


def owed_day(tx: Transaction) -> date | None:
    """The day whose run has not been yet, or None."""
    last = tx.session.scalar(select(func.max(DunningRun.scheduled_on)))
    return daily_run_day(tx.now, tx.settings.timezone, last)


def run_daily(tx: Transaction) -> DunningRun | None:
    """Run the day's dunning unless it was run; over the cap it is recorded as waiting, and not tried again."""
    day = owed_day(tx)
    if day is None:
        return None
    plan = plan_of(tx, day)
    try:
        with tx.session.begin_nested():
            run = record_run(tx, plan, WAITING if plan.exceeds_cap else RUNNING, scheduled_on=day)
    except IntegrityError:
        return None  # another scheduler was quicker
    if plan.exceeds_cap:
        log.error("dunning waits for approval", run=run.id, planned=plan.count, cap=plan.cap, active=plan.active_count)
    else:
        order_chunk(tx, run)
    return run
