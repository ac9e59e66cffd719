"""Tasks of routines that need no billing: restoring, and closing sessions that went silent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from core.actor import Actor
from core.database import Transaction
from core.runtime import Runtime
from core.settings import Settings
from provisioning.restoring import CHUNK, Restored, restore_all, restricted_ids, unjustified_orders
from provisioning.routines.tasks import RoutineTask, TaskResult, register_task
from radius.models import Session
from radius.stale import close_stale, heard_until


def enable(runtime: Runtime, actor: Actor, _parameters: Mapping[str, Any]) -> TaskResult:
    return _told(restore_all(runtime, actor))


def rehearse_enable(tx: Transaction, _parameters: Mapping[str, Any]) -> TaskResult:
    looked_at, lapsed, after = 0, 0, 0
    while ids := restricted_ids(tx, after=after):
        looked_at, after = looked_at + len(ids), ids[-1]
        lapsed += len(unjustified_orders(tx, ids))
        if len(ids) < CHUNK:
            break
    detail = f"{lapsed} orders of {looked_at} restricted subscriptions would lapse"
    return TaskResult({"looked_at": looked_at, "lapsed": lapsed}, detail)


def sweep_stale_sessions(runtime: Runtime, actor: Actor, _parameters: Mapping[str, Any]) -> TaskResult:
    with runtime.database.transaction(actor) as tx:
        closed = close_stale(tx, _interim(runtime.settings), runtime.settings.stale_after_interims)
    return TaskResult({"closed": closed}, f"{closed} sessions closed that went silent")


def rehearse_sweep(tx: Transaction, _parameters: Mapping[str, Any]) -> TaskResult:
    window = _interim(tx.settings) * tx.settings.stale_after_interims
    horizon = heard_until(tx, window)
    if horizon is None:
        return TaskResult({"closed": 0}, "accounting was not listened to for long enough to judge")
    silent = Session.stopped_at.is_(None) & (Session.updated_at < horizon - window)
    closed = tx.session.scalar(select(func.count()).select_from(Session).where(silent)) or 0
    return TaskResult({"closed": closed}, f"{closed} sessions went silent")


def _interim(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.interim_seconds)


def _told(found: Restored) -> TaskResult:
    counts = {"looked_at": found.looked_at, "lapsed": found.lapsed, "restored": found.restored}
    detail = f"{found.restored} restored, {found.lapsed} orders lapsed, {found.looked_at} looked at"
    if found.failed:
        detail += f"; {found.failed} could not be looked at, the log says why"
        return TaskResult({**counts, "failed": found.failed}, detail, "failed")
    return TaskResult(counts, detail)


register_task(
    RoutineTask(
        "enable",
        "Restore everybody who no longer owes what they were restricted for",
        "Habilitar quem não deve mais",
        enable,
        rehearse_enable,
    )
)
register_task(
    RoutineTask(
        "sweep-stale-sessions",
        "Close sessions whose accounting went silent",
        "Encerrar sessões sem contabilização",
        sweep_stale_sessions,
        rehearse_sweep,
    )
)
