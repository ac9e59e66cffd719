"""The rows of dunning runs: their statuses, writing one, finding one, ending one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import delete, select

from billing_bridge.dunning.models import DunningRunLine
from billing_bridge.models import DunningRun
from core.database import Transaction
from core.rows import get_row, lock_row
from provisioning.facts import Level

ALL_LEVELS = frozenset(Level)
PLANNING, RUNNING, DONE = "planning", "running", "done"
WAITING, DISMISSED, EXPIRED, REPLACED, HELD = "waiting", "dismissed", "expired", "replaced", "held"


def record_run(
    tx: Transaction,
    day: date,
    *,
    levels: Collection[Level] = ALL_LEVELS,
    origin: str = "",
    approved: bool = False,
) -> DunningRun:
    """Write the row of a run that begins to plan; counts are zero."""
    run = DunningRun(
        day=day,
        status=PLANNING,
        approved=approved,
        actor=tx.actor.name,
        source=tx.actor.source,
        started_at=tx.now,
        levels=levels_text(levels),
        origin=origin,
        note="",
        decided_by="",
        **dict.fromkeys(_COUNTS, 0),
    )
    tx.session.add(run)
    tx.session.flush()
    tx.audit("run", "dunning_run", run.id, after={"day": day, "levels": run.levels, "origin": origin})
    return run


def end_run(tx: Transaction, run: DunningRun, status: str, note: str = "") -> None:
    """The run is over, in this way; `note` says why."""
    run.status, run.finished_at = status, tx.now
    run.note = note or run.note
    after = {"status": status, **{name: getattr(run, name) for name in ("planned", "ordered", "skipped", "dismissed")}}
    tx.audit("finish", "dunning_run", run.id, after=after, note=note)
    tx.session.flush()


def replace_waiting(tx: Transaction, run: DunningRun) -> None:
    """A later run that may order the same levels takes the place of those that wait; their lines are of no use now."""
    waiting = select(DunningRun).where(DunningRun.status == WAITING, DunningRun.id != run.id).with_for_update()
    for earlier in tx.session.scalars(waiting.order_by(DunningRun.id)).all():
        if levels_of(earlier) <= levels_of(run):
            end_run(tx, earlier, REPLACED, f"run {run.id} took its place")
            tx.session.execute(delete(DunningRunLine).where(DunningRunLine.run_id == earlier.id))


def under_way(tx: Transaction, origin: str, levels: Collection[Level]) -> DunningRun | None:
    """The run of this origin that is not through yet: starting it twice goes on with the first."""
    query = select(DunningRun).where(
        DunningRun.origin == origin,
        DunningRun.levels == levels_text(levels),
        DunningRun.status.in_((PLANNING, RUNNING)),
    )
    return tx.session.scalar(query.order_by(DunningRun.id.desc()).limit(1))


def status_at(run: DunningRun, now: datetime) -> str:
    """The status that holds at `now`: one that waits has expired at its instant, before anybody wrote that down."""
    return EXPIRED if run.status == WAITING and run.expires_at is not None and run.expires_at <= now else run.status


def levels_text(levels: Collection[Level]) -> str:
    return ",".join(sorted(level.value for level in levels))


def levels_of(run: DunningRun) -> frozenset[Level]:
    return frozenset(Level(word) for word in run.levels.split(","))


def lock_run(tx: Transaction, run_id: int) -> DunningRun:
    """The run, locked and read again."""
    return lock_row(tx, DunningRun, run_id, "dunning run")


def get_run(tx: Transaction, run_id: int) -> DunningRun:
    return get_row(tx, DunningRun, run_id, "dunning run")


def list_runs(tx: Transaction, *, after: int = 0, limit: int = 100) -> Sequence[DunningRun]:
    """In order of id, from behind `after`."""
    query = select(DunningRun).where(DunningRun.id > after).order_by(DunningRun.id).limit(limit)
    return tx.session.scalars(query).all()


_COUNTS = (
    "active_count",
    "cap",
    "planned_total",
    "planned_partial",
    "ordered_total",
    "ordered_partial",
    "skipped",
    "dismissed",
    "looked_at",
    "cursor",
)
