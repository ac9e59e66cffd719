"""The guarded run that restricts: decide and store the lines, compare with the cap, order chunk by chunk.

Restricting is the one thing here that can hurt many people at once, so it is the one thing that is held back. A run
over the cap orders nobody until a person approves; one that a guard holds is only recorded. A run never orders more
than it planned, and running again finds nothing left to order.

The first chunk of each half happens in the caller's transaction, the rest by jobs of one chunk each: a big run keeps
neither payments waiting nor rows in memory, and after a crash the job goes on where the last commit was. The comparison
with the cap is a step of its own, in which runs take turns.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from billing_bridge.calendar.days import company_today
from billing_bridge.dunning.candidates import candidate_ids, new_orders
from billing_bridge.dunning.cap import Cap, cap_today, take_cap_turn
from billing_bridge.dunning.guards import APPROVE, refuse_held, restriction_hold
from billing_bridge.dunning.lines import PLAN_CHUNK, order_chunk, plan_chunk
from billing_bridge.dunning.rules import WantedOrder
from billing_bridge.dunning.runs import (
    ALL_LEVELS,
    DONE,
    HELD,
    PLANNING,
    RUNNING,
    WAITING,
    end_run,
    get_run,
    list_runs,
    lock_run,
    record_run,
    replace_waiting,
    under_way,
)
from billing_bridge.dunning.waiting import tell_waiting
from billing_bridge.models import DunningRun
from core.clock_marks import watch_clocks
from core.database import Transaction
from core.errors import NeedsApproval
from provisioning.facts import Level

__all__ = ["CHUNK", "CONTINUE", "get_run", "list_runs"]

CHUNK = 200
"""Orders in one transaction: a payment may have to wait for as many."""
CONTINUE = "dunning.continue"


@dataclass(frozen=True, slots=True)
class DunningPlan:
    """What a run would do now. The counts are complete; `orders` are the first `limit` of them, by subscription.

    `ordered_today` of the cap are used up by earlier runs of the day; `hold`: why a run would be held, or None.
    """

    day: date
    total_count: int
    partial_count: int
    active_count: int
    cap: int
    orders: tuple[WantedOrder, ...] = ()
    ordered_today: int = 0
    hold: str | None = None

    @property
    def count(self) -> int:
        return self.total_count + self.partial_count

    @property
    def exceeds_cap(self) -> bool:
        return Cap(self.cap, self.ordered_today, self.active_count).exceeded_by(self.count)


def preview_dunning(
    tx: Transaction, *, levels: Collection[Level] = ALL_LEVELS, limit: int = 1000, after: int = 0
) -> DunningPlan:
    """Who would be restricted by a run now, how much and why, from behind subscription `after`; changes nothing."""
    day = company_today(tx.now, tx.settings.timezone)
    counts, shown, last, more = dict.fromkeys(Level, 0), list[WantedOrder](), 0, True
    while more:
        ids = candidate_ids(tx, day, levels=frozenset(levels), after=last, limit=PLAN_CHUNK)
        for order in new_orders(tx, ids, day, levels=frozenset(levels)):
            counts[order.level] += 1
            if order.subscription_id > after and len(shown) < limit:
                shown.append(order)
        last, more = (ids[-1] if ids else last), len(ids) == PLAN_CHUNK
    cap = cap_today(tx, day)
    return DunningPlan(
        day, counts[Level.TOTAL], counts[Level.PARTIAL], cap.active, cap.cap, tuple(shown), cap.taken,
        restriction_hold(tx),
    )  # fmt: skip


def run_dunning(
    tx: Transaction,
    *,
    levels: Collection[Level] = ALL_LEVELS,
    approve: bool = False,
    chunk: int = CHUNK,
    planning: int = PLAN_CHUNK,
) -> DunningRun:
    """A person's run. NeedsApproval over the cap unless they approve, and while a guard holds: then nobody is ordered.

    `planning` subscriptions are looked at and `chunk` ordered in this transaction. Where the run's status is `planning`
    or `running`, jobs do the rest; one that turns out to exceed the cap only then ends up `waiting`.
    """
    take_cap_turn(tx)
    watch_clocks(tx)
    refuse_held(tx)
    if approve:
        tx.require(APPROVE)
    run = _begun(tx, levels, approve=approve)
    more = plan_chunk(tx, run, planning)
    if not approve:
        _refuse_over_cap(tx, run, at_least=more)
    _go_on(tx, run, more, chunk)
    return run


def start_run(
    tx: Transaction,
    *,
    levels: Collection[Level] = ALL_LEVELS,
    origin: str = "",
    approve: bool = False,
    chunk: int = CHUNK,
    planning: int = PLAN_CHUNK,
) -> DunningRun:
    """What routines call: over the cap it waits for approval, loudly; while a guard holds it is recorded as held.

    Started again while the run of the same origin is under way, it gives that one.
    """
    take_cap_turn(tx)
    watch_clocks(tx)
    if approve:
        tx.require(APPROVE)
    if origin and (going := under_way(tx, origin, levels)):
        tx.enqueue(CONTINUE, str(going.id))
        return going
    hold = restriction_hold(tx)
    if hold is not None:
        run = record_run(tx, _today(tx), levels=levels, origin=origin)
        end_run(tx, run, HELD, hold)
        return run
    run = _begun(tx, levels, origin, approve=approve)
    _go_on(tx, run, plan_chunk(tx, run, planning), chunk)
    return run


def continue_run(tx: Transaction, run_id: int, *, chunk: int = CHUNK, planning: int = PLAN_CHUNK) -> DunningRun:
    """The next step of a run, whichever that is; nothing where it is over or waits."""
    if get_run(tx, run_id).planned_at is None:
        run = lock_run(tx, run_id)
        if run.status == PLANNING and run.planned_at is None:
            _plan_on(tx, run, planning)
        return run
    if get_run(tx, run_id).status == PLANNING:
        take_cap_turn(tx)  # before the run's row is locked
    run = lock_run(tx, run_id)
    if run.status == PLANNING:
        _settle(tx, run)
    if run.status == RUNNING:
        order_next(tx, run, chunk)
    return run


def order_next(tx: Transaction, run: DunningRun, chunk: int = CHUNK) -> None:
    """Order the next chunk of a run that is running, unless a guard holds by now; asks for a job where more is left."""
    if hold := restriction_hold(tx):
        end_run(tx, run, HELD, hold)
    elif order_chunk(tx, run, chunk):
        tx.enqueue(CONTINUE, str(run.id))
    else:
        end_run(tx, run, DONE)


def _begun(tx: Transaction, levels: Collection[Level], origin: str = "", *, approve: bool) -> DunningRun:
    run = record_run(tx, _today(tx), levels=levels, origin=origin, approved=approve)
    _compare(tx, run)
    replace_waiting(tx, run)
    return run


def _go_on(tx: Transaction, run: DunningRun, more: bool, chunk: int) -> None:
    """After the first chunk of planning, in the transaction that has the turn."""
    if more:
        tx.enqueue(CONTINUE, str(run.id))
        return
    run.planned_at, run.cursor = tx.now, 0
    _settle(tx, run)
    if run.status == RUNNING:
        order_next(tx, run, chunk)


def _plan_on(tx: Transaction, run: DunningRun, planning: int) -> None:
    """One more chunk of planning; the comparison with the cap is a job of its own, for it needs the turn."""
    if not plan_chunk(tx, run, planning):
        run.planned_at, run.cursor = tx.now, 0
        tx.session.flush()
    tx.enqueue(CONTINUE, str(run.id))


def _settle(tx: Transaction, run: DunningRun) -> None:
    """All is decided: order it, or wait for approval. `approved` says from here on that it was needed and given."""
    exceeds = _compare(tx, run).exceeded_by(run.planned)
    if exceeds and not run.approved:
        run.status, run.expires_at = WAITING, tx.now + timedelta(hours=tx.settings.approval_hours)
    else:
        run.status, run.approved = RUNNING, exceeds
    after = {"planned": run.planned, "cap": run.cap, "status": run.status, "approved": run.approved}
    tx.audit("plan", "dunning_run", run.id, after=after)
    tx.session.flush()
    tell_waiting(tx)


def _compare(tx: Transaction, run: DunningRun) -> Cap:
    cap = cap_today(tx, run.day, apart_from=run.id)
    run.cap, run.active_count = cap.cap, cap.active
    return cap


def _refuse_over_cap(tx: Transaction, run: DunningRun, *, at_least: bool) -> None:
    cap = _compare(tx, run)
    if not cap.exceeded_by(run.planned):
        return
    count = f"at least {run.planned}" if at_least else str(run.planned)
    before = f" besides the {cap.taken} of today" if cap.taken else ""
    raise NeedsApproval(
        f"this run would restrict {count} subscriptions{before}, more than the cap of {cap.cap}: "
        "look at the preview, then approve it",
        planned=run.planned,
        cap=cap.cap,
        active=cap.active,
        **({"ordered_today": cap.taken} if cap.taken else {}),
        **({"at_least": True} if at_least else {}),
    )


def _today(tx: Transaction) -> date:
    return company_today(tx.now, tx.settings.timezone)
