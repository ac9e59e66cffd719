"""Mass plan changes: preview, start, cancel. What carries them out is in `provisioning.mass_change.work`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import defer, selectinload

from core.among import among
from core.database import Transaction
from core.errors import Conflict, NotAllowed
from core.rows import get_row, lock_row
from provisioning import checks
from provisioning.mass_change.models import CANCELLED, RUNNING, WAITING, MassChange, MassChangeRow
from provisioning.mass_change.query import candidates
from provisioning.mass_change.selection import CHANGE, WORDS, Candidate, Selection, Tally, Target
from provisioning.models import Plan, Subscription
from provisioning.plans import get_plan

CONTINUE = "mass-change.continue"
_INSERT = 1_000


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """What would become of one subscription; cents a month, bits per second. `warning` "" : nothing to know."""

    subscription_id: int
    subscriber_name: str
    state: str
    plan_name: str
    new_plan_name: str
    download_bps: int
    new_download_bps: int
    cents: int
    new_cents: int
    changes: bool
    warning: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a mass change would do. `digest` is what `start_mass_change` wants back; `rows` a page of them, by id."""

    plan: Plan
    total: int
    to_change: int
    before_cents: int
    after_cents: int
    warnings: Mapping[str, int]
    digest: str
    rows: Sequence[PreviewRow]


def preview_mass_change(
    tx: Transaction,
    *,
    plan_id: int,
    selection: Mapping[str, Any],
    change_price: bool = True,
    after: int = 0,
    limit: int = 50,
) -> Preview:
    """What would happen, and to whom: nothing is changed. `after`, `limit`: which page of rows is shown."""
    plan, wanted = get_plan(tx, plan_id), Selection.of(selection)
    tally = _tally(tx, wanted, plan, change_price)
    shown = list(candidates(tx, wanted, after=after, limit=limit))
    rows = _rows(tx, shown, plan, tally)
    return Preview(
        plan, tally.total, tally.to_change, tally.before_cents, tally.after_cents,
        {WORDS[word]: count for word, count in sorted(tally.warnings.items())}, tally.digest, rows,
    )  # fmt: skip


def start_mass_change(
    tx: Transaction,
    *,
    plan_id: int,
    selection: Mapping[str, Any],
    digest: str,
    change_price: bool = True,
    note: str = "",
) -> MassChange:
    """Put all that the preview showed on their way. Conflict when the preview would not be the same by now;
    NotAllowed when nothing would change.
    """
    plan, wanted = get_plan(tx, plan_id), Selection.of(selection)
    tally = _tally(tx, wanted, plan, change_price)
    if tally.digest != digest:
        detail = "what is selected, its prices or the plan changed since the preview; look at the preview again"
        raise Conflict(detail, digest=tally.digest, total=tally.total, to_change=tally.to_change)
    if not tally.to_change:
        raise NotAllowed(f"none of the {tally.total} subscriptions would change to {plan.name}", total=tally.total)
    change = _begun(tx, wanted, plan, tally, change_price, note)
    _store_rows(tx, change, wanted)
    after = {"plan": plan.name, "change_price": change_price, "selection": wanted.stored, "total": tally.total}
    tx.audit("start", "mass_change", change.id, after=after, note=change.note)
    tx.enqueue(CONTINUE, str(change.id))
    return change


def cancel_mass_change(tx: Transaction, *, mass_change_id: int, note: str = "") -> MassChange:
    """Stop it: what is changed stays so, the rows that are left stay as they are. NotAllowed once it has ended."""
    change = lock_mass_change(tx, mass_change_id)
    if change.status != RUNNING:
        raise NotAllowed(f"mass change {mass_change_id} is {change.status}", status=change.status)
    change.status, change.finished_at = CANCELLED, tx.now
    text = checks.optional_text(note, "note", 2000, "the wrong plan")
    progress = {"done": change.done, "skipped": change.skipped, "failed": change.failed, "left": change.left}
    tx.audit("cancel", "mass_change", mass_change_id, {"status": RUNNING}, {"status": CANCELLED, **progress}, text)
    return change


def get_mass_change(tx: Transaction, mass_change_id: int) -> MassChange:
    return get_row(tx, MassChange, mass_change_id, "mass change")


def lock_mass_change(tx: Transaction, mass_change_id: int) -> MassChange:
    return lock_row(tx, MassChange, mass_change_id, "mass change")


def rows_of(
    tx: Transaction, mass_change_id: int, *, status: str | None = None, after: int = 0, limit: int = 100
) -> Sequence[MassChangeRow]:
    """By id, from behind `after`; `status`: only those that are waiting, done, skipped or failed."""
    get_mass_change(tx, mass_change_id)
    query = select(MassChangeRow).where(MassChangeRow.mass_change_id == mass_change_id, MassChangeRow.id > after)
    if status is not None:
        query = query.where(MassChangeRow.status == status)
    whose = selectinload(MassChangeRow.subscription).defer(Subscription.password)
    query = query.options(whose).order_by(MassChangeRow.id).limit(limit)
    return tx.session.scalars(query).all()


def _tally(tx: Transaction, selection: Selection, plan: Plan, change_price: bool) -> Tally:
    target = Target(plan.id, plan.price_cents, plan.download_bps, plan.upload_bps)
    tally = Tally(selection, target, change_price)
    for candidate in candidates(tx, selection):
        tally.add(candidate)
    return tally


def _rows(tx: Transaction, shown: Sequence[Candidate], plan: Plan, tally: Tally) -> list[PreviewRow]:
    wanted = select(Subscription).where(among(tx.session, Subscription.id, [each.subscription_id for each in shown]))
    found = {row.id: row for row in tx.session.scalars(wanted.options(defer(Subscription.password)))}
    return [_row(found[each.subscription_id], each, plan, tally) for each in shown]


def _row(row: Subscription, candidate: Candidate, plan: Plan, tally: Tally) -> PreviewRow:
    changes = candidate.fate(plan.id) == CHANGE
    after = plan if changes else row.plan
    return PreviewRow(
        row.id, row.subscriber.name, row.state, row.plan.name, after.name, row.plan.download_bps, after.download_bps,
        candidate.cents, tally.cents_then(candidate), changes,
        "; ".join(WORDS[word] for word in candidate.warnings(plan.id)),
    )  # fmt: skip


def _begun(
    tx: Transaction, selection: Selection, plan: Plan, tally: Tally, change_price: bool, note: str
) -> MassChange:
    change = MassChange(
        plan=plan,
        change_price=change_price,
        selection=selection.stored,
        digest=tally.digest,
        note=checks.optional_text(note, "note", 2000, "everybody on 20 Mega gets 50 Mega"),
        status=RUNNING,
        actor=tx.actor.name,
        source=tx.actor.source,
        started_at=tx.now,
        total=tally.total,
    )
    tx.session.add(change)
    tx.session.flush()
    return change


def _store_rows(tx: Transaction, change: MassChange, selection: Selection) -> None:
    waiting: list[dict[str, object]] = []
    for candidate in candidates(tx, selection):
        waiting.append(
            {
                "mass_change_id": change.id,
                "subscription_id": candidate.subscription_id,
                "status": WAITING,
                "detail": "",
            }
        )
        if len(waiting) == _INSERT:
            tx.session.execute(insert(MassChangeRow), waiting)
            waiting = []
    if waiting:
        tx.session.execute(insert(MassChangeRow), waiting)
