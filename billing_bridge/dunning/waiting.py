"""Runs that wait for approval: told loudly, and not for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select

from billing_bridge.dunning.models import DunningRunLine
from billing_bridge.dunning.runs import EXPIRED, PLANNING, RUNNING, WAITING, end_run
from billing_bridge.models import DunningRun
from core.alarms import end_alarm, open_alarms, raise_alarm
from core.database import Transaction

ALARM = "suspensions-wait"
KEEP_LINES = timedelta(days=90)
"""How long the lines of a run are kept; what was ordered stays with the orders for good."""


def expire_runs(tx: Transaction) -> list[DunningRun]:
    """End those that nobody approved in time; gives them. Whoever calls has the turn."""
    query = select(DunningRun).where(DunningRun.status == WAITING, DunningRun.expires_at <= tx.now)
    runs = list(tx.session.scalars(query.order_by(DunningRun.id).with_for_update()))
    for run in runs:
        end_run(tx, run, EXPIRED, f"nobody approved it until {run.expires_at:%Y-%m-%d %H:%M} UTC")
    if runs:
        tell_waiting(tx)
    return runs


def tell_waiting(tx: Transaction) -> None:
    """One alarm for each kind of run that waits; those of which none waits any more are over."""
    waiting = {run.levels: run for run in _waiting(tx)}
    for levels, run in sorted(waiting.items()):
        words = (
            f"run {run.id} would restrict {run.planned} subscriptions, the cap is {run.cap}: look at them with "
            f"`catraca dunning lines {run.id}`, then approve or dismiss it until {run.expires_at:%Y-%m-%d %H:%M} UTC"
        )
        raise_alarm(tx, ALARM, levels, detail=words)
    for alarm in open_alarms(tx, (ALARM,)):
        if alarm.subject not in waiting:
            end_alarm(tx, ALARM, alarm.subject, note="no run waits any more")
    tx.session.flush()


def forget_lines(tx: Transaction) -> int:
    """Delete the lines of runs that were over long ago; gives of how many runs."""
    old = select(DunningRun.id).where(
        DunningRun.started_at < tx.now - KEEP_LINES, DunningRun.status.not_in((PLANNING, RUNNING, WAITING))
    )
    with_lines = select(DunningRunLine.run_id).where(DunningRunLine.run_id.in_(old)).distinct().limit(20)
    ids = tx.session.scalars(with_lines).all()
    tx.session.execute(delete(DunningRunLine).where(DunningRunLine.run_id.in_(ids)))
    return len(ids)


def _waiting(tx: Transaction) -> Sequence[DunningRun]:
    query = select(DunningRun).where(DunningRun.status == WAITING).order_by(DunningRun.id)
    return tx.session.scalars(query).all()
