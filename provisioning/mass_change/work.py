"""Carrying a mass change out: a chunk a transaction, each asking for the next in the same commit.

What is done and how far it came is written together with the change itself, so a crash at any point goes on with what
is left and touches no row twice. When a chunk breaks, its rows are tried alone, and the one that breaks is written down
as failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import defer

from core.actor import Actor, Source
from core.among import among
from core.database import Transaction
from core.errors import Unavailable
from core.job_queue import Job
from core.jobs import handles
from core.logs import get_logger
from core.outcomes import Applied, Outcome
from core.redaction import redact_text
from core.runtime import Runtime
from core.units import format_money
from provisioning.mass_change.commands import CONTINUE, get_mass_change, lock_mass_change
from provisioning.mass_change.models import CHANGED, DONE, FAILED, RUNNING, SKIPPED, MassChange, MassChangeRow
from provisioning.models import Subscription
from provisioning.plan_switches import PRICE_CHANGED, PRICE_KEPT, switch_locked
from provisioning.prices import price_of
from provisioning.refresh import refresh

CHUNK = 500
log = get_logger("provisioning.mass_change.commands")


@handles(CONTINUE)
def continue_mass_change(runtime: Runtime, job: Job) -> Outcome:
    """The next chunk of the mass change that is the job's key, in the name of whoever started it."""
    change_id = int(job.key)
    with runtime.database.reading() as tx:
        change = get_mass_change(tx, change_id)
        starter = Actor(change.actor, cast("Source", change.source))
    if job.failures:
        return _one_by_one(runtime, starter, change_id)
    with runtime.database.transaction(starter) as tx:
        return _told(work_on(tx, change_id))


def work_on(tx: Transaction, change_id: int, chunk: int = CHUNK) -> MassChange:
    """Change the next `chunk` rows, and ask for those after them."""
    change = lock_mass_change(tx, change_id)
    if change.status != RUNNING:
        return change
    rows = _next_rows(tx, change, chunk)
    _change_rows(tx, change, rows)
    if len(rows) < chunk:
        change.status, change.finished_at = DONE, tx.now
        progress = {"done": change.done, "skipped": change.skipped, "failed": change.failed}
        tx.audit("finish", "mass_change", change.id, {"status": RUNNING}, {"status": DONE, **progress})
    else:
        tx.enqueue(CONTINUE, str(change.id))
    tx.session.flush()
    return change


def _one_by_one(runtime: Runtime, starter: Actor, change_id: int) -> Outcome:
    """A row a transaction, for one chunk; the one that breaks fails, the others do not."""
    with runtime.database.reading() as tx:
        change = get_mass_change(tx, change_id)
    for _ in range(CHUNK):
        before = change.cursor
        try:
            with runtime.database.transaction(starter) as tx:
                change = work_on(tx, change_id, chunk=1)
        except Unavailable:
            raise
        except Exception as error:
            log.exception("a row of a mass change failed", mass_change=change_id)
            with runtime.database.transaction(starter) as tx:
                change = _fail_next(tx, change_id, before, f"{type(error).__name__}: {error}")
        if change.status != RUNNING:
            break
    return _told(change)


def _next_rows(tx: Transaction, change: MassChange, chunk: int) -> Sequence[MassChangeRow]:
    query = select(MassChangeRow).where(MassChangeRow.mass_change_id == change.id, MassChangeRow.id > change.cursor)
    return tx.session.scalars(query.order_by(MassChangeRow.id).limit(chunk)).all()


def _change_rows(tx: Transaction, change: MassChange, rows: Sequence[MassChangeRow]) -> None:
    found = _locked(tx, [row.subscription_id for row in rows])
    changing = []
    for row in rows:
        subscription = found[row.subscription_id]
        if reason := _reason_to_skip(subscription, change):
            row.status, row.detail = SKIPPED, reason
            change.skipped += 1
        else:
            row.status, row.detail, row.changed_at = CHANGED, _detail(subscription, change), tx.now
            change.done += 1
            changing.append(subscription)
        change.cursor = row.id
    run = f"mass change {change.id}"
    switch_locked(tx, changing, change.plan, change_price=change.change_price, note=change.note, run=run)
    refresh(tx, [subscription.id for subscription in changing])


def _locked(tx: Transaction, ids: Sequence[int]) -> dict[int, Subscription]:
    wanted = select(Subscription).where(among(tx.session, Subscription.id, ids)).order_by(Subscription.id)
    locked = wanted.options(defer(Subscription.password)).with_for_update(of=Subscription, key_share=True)
    return {row.id: row for row in tx.session.scalars(locked, execution_options={"populate_existing": True})}


def _reason_to_skip(subscription: Subscription, change: MassChange) -> str:
    if subscription.cancelled_at is not None:
        return f"cancelled on {subscription.cancelled_at:%Y-%m-%d}"
    return f"on {change.plan.name} already" if subscription.plan_id == change.plan_id else ""


def _detail(subscription: Subscription, change: MassChange) -> str:
    before = price_of(subscription)
    after = change.plan.price_cents if change.change_price else before
    switch = PRICE_CHANGED if change.change_price else PRICE_KEPT
    plans = f"{subscription.plan.name} → {change.plan.name}"
    return f"{plans}; {format_money(before)} → {format_money(after)} ({switch})"


def _fail_next(tx: Transaction, change_id: int, before: int, reason: str) -> MassChange:
    """Give up the row behind `before`, unless somebody else has got past it."""
    change = lock_mass_change(tx, change_id)
    if change.status == RUNNING and change.cursor == before:
        for row in _next_rows(tx, change, 1):
            row.status, row.detail = FAILED, redact_text(reason)
            change.failed += 1
            change.cursor = row.id
        tx.enqueue(CONTINUE, str(change_id))
    return change


def _told(change: MassChange) -> Outcome:
    seen = change.total - change.left
    return Applied(f"{seen} of {change.total} seen to, {change.failed} failed, {change.status}")
