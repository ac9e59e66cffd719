"""Full comparisons with billing systems that we ask: beginning one, its window, its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select

from billing_bridge.calendar.days import company_today
from billing_bridge.gateways.feed import FEEDS
from billing_bridge.gateways.listing import Window
from billing_bridge.intake.models import BillingSource, IntakeRun, IntakeSnapshot
from billing_bridge.intake.sources import WINDOW_DAYS, lock_source, require_enabled
from billing_bridge.models import Invoice
from core.database import Transaction
from core.errors import NotAllowed
from core.rows import get_row, lock_row

SYNC = "intake.sync"
RUNNING, DONE, FAILED, HELD, LEFT = "running", "done", "failed", "held", "left"
FETCH, APPLY, CLOSE, OVER = "fetch", "apply", "close", "over"
APPROVE = "guard.approve"
AHEAD = timedelta(days=62)
ABANDONED = timedelta(hours=1)


def start_run(tx: Transaction, *, source_id: int, dry_run: bool = False, accept_smaller: bool = False) -> IntakeRun:
    """Begin a comparison, or give the one that is under way; a job carries it out. `dry_run` only tells.

    `accept_smaller`: believe a listing although it is empty or has shrunk; needs the permission to approve guards.
    """
    source = lock_source(tx, source_id)
    require_enabled(source)
    if source.kind not in FEEDS:
        raise NotAllowed(f"{source.name} pushes what it has to say: it cannot be asked", billing_source_id=source.id)
    if accept_smaller:
        tx.require(APPROVE)
    present = tx.session.scalar(
        select(IntakeRun).where(IntakeRun.source_id == source_id, IntakeRun.status == RUNNING).with_for_update()
    )
    if present is not None and present.moved_at > tx.now - ABANDONED:
        return present
    if present is not None:
        finish(tx, present, LEFT, "nobody went on with it")
    run = _new_run(tx, source, dry_run, accept_smaller)
    tx.audit("start", "intake_run", run.id, after={"source": source.name, "dry_run": dry_run})
    tx.enqueue(SYNC, str(run.id))
    return run


def get_run(tx: Transaction, run_id: int) -> IntakeRun:
    return get_row(tx, IntakeRun, run_id, "intake run")


def lock_run(tx: Transaction, run_id: int) -> IntakeRun:
    return lock_row(tx, IntakeRun, run_id, "intake run")


def window_of(tx: Transaction, source: BillingSource) -> Window:
    """From `window_days` ago, or from the oldest invoice that is open here, to two months ahead."""
    today = company_today(tx.now, tx.settings.timezone)
    since = today - timedelta(days=int(source.settings.get("window_days", WINDOW_DAYS)))
    oldest = tx.session.scalar(select(func.min(Invoice.due_on)).where(*open_mirrors(source.id)))
    return Window(due_from=min(since, oldest or since), due_until=today + AHEAD, since=since, today=today)


def finish(tx: Transaction, run: IntakeRun, status: str, detail: str) -> None:
    run.status, run.phase, run.detail = status, OVER, detail
    run.finished_at = run.moved_at = tx.now
    tx.session.execute(delete(IntakeSnapshot).where(IntakeSnapshot.run_id == run.id))
    counts = {name: getattr(run, name) for name in ("seen", "created", "changed", "closed", "unmatched", "conflicts")}
    tx.audit("finish", "intake_run", run.id, after={"status": status, **counts}, note=detail)
    tx.session.flush()


def open_mirrors(source_id: int) -> tuple[Any, ...]:
    owes = Invoice.paid_cents + Invoice.discount_cents < Invoice.amount_cents
    return (Invoice.source_id == source_id, Invoice.cancelled_at.is_(None), owes)


def _new_run(tx: Transaction, source: BillingSource, dry_run: bool, accept_smaller: bool) -> IntakeRun:
    counts = ("step", "page", "cursor", "seen", "unchanged", "created", "changed", "closed", "unmatched")
    run = IntakeRun(
        source_id=source.id,
        status=RUNNING,
        phase=FETCH,
        dry_run=dry_run,
        accept_smaller=accept_smaller,
        actor=tx.actor.name,
        actor_source=tx.actor.source,
        started_at=tx.now,
        moved_at=tx.now,
        plan=FEEDS[source.kind].plan(window_of(tx, source)),
        conflicts=0,
        refused=0,
        differences=[],
        detail="",
        **dict.fromkeys(counts, 0),
    )
    tx.session.add(run)
    tx.session.flush()
    return run
