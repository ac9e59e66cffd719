"""What a person does with a run that waits: approve all or some of it, or dismiss it.

An approval holds for the lines that were planned and for no others. It does not override the guards of clock and feeds:
those are about whether the lines are true at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from billing_bridge.dunning.cap import take_cap_turn
from billing_bridge.dunning.guards import APPROVE, refuse_held
from billing_bridge.dunning.lines import keep_only, strangers
from billing_bridge.dunning.runs import DISMISSED, EXPIRED, REPLACED, RUNNING, WAITING, end_run, lock_run, status_at
from billing_bridge.dunning.waiting import tell_waiting
from billing_bridge.dunning.work import CHUNK, order_next
from billing_bridge.models import DunningRun
from core.database import Transaction
from core.errors import InvalidInput, NotAllowed
from provisioning.checks import optional_text, required_text

_WHY_NOT = {
    EXPIRED: "nobody approved it in time; start a new run",
    REPLACED: "a later run took its place; approve that one",
    DISMISSED: "it was dismissed; start a new run",
}


def approve_run(
    tx: Transaction,
    run_id: int,
    *,
    subscription_ids: Sequence[int] | None = None,
    note: str = "",
    chunk: int = CHUNK,
) -> DunningRun:
    """Order what the run planned: all of it, or only these subscriptions, and the rest is dismissed.

    The first chunk in this transaction, the rest by jobs. NotAllowed unless the run waits, InvalidInput for a
    subscription that it did not plan, NeedsApproval while a guard holds.
    """
    tx.require(APPROVE)
    text = optional_text(note, "note", 2000, "looked at all of them")
    run = _waiting_run(tx, run_id)
    refuse_held(tx)
    _check_chosen(tx, run, subscription_ids)
    keep_only(tx, run, subscription_ids)
    run.status, run.approved, run.cursor = RUNNING, True, 0
    _decided(tx, run, text)
    after = {"planned": run.planned, "dismissed": run.dismissed, "cap": run.cap}
    tx.audit("approve", "dunning_run", run.id, after=after, note=text)
    tell_waiting(tx)
    order_next(tx, run, chunk)
    return run


def dismiss_run(tx: Transaction, run_id: int, *, note: str) -> DunningRun:
    """Order nobody of it. NotAllowed unless the run waits."""
    text = required_text(note, "note", 2000, "the bank's file of Friday is missing")
    run = _waiting_run(tx, run_id)
    keep_only(tx, run, ())
    _decided(tx, run, text)
    end_run(tx, run, DISMISSED, text)
    tell_waiting(tx)
    return run


def _waiting_run(tx: Transaction, run_id: int) -> DunningRun:
    take_cap_turn(tx)
    run = lock_run(tx, run_id)
    status = status_at(run, tx.now)
    if status != WAITING:
        why = _WHY_NOT.get(status, "only a run that waits can be approved or dismissed")
        raise NotAllowed(f"dunning run {run_id} is {status}: {why}", status_now=status)
    return run


def _check_chosen(tx: Transaction, run: DunningRun, chosen: Sequence[int] | None) -> None:
    if chosen is None:
        return
    if not chosen:
        raise InvalidInput("subscription_ids", "at least one; to order nobody, dismiss the run", [12])
    if unknown := strangers(tx, run, chosen):
        named = ", ".join(map(str, unknown[:5])) + (", …" if len(unknown) > 5 else "")
        raise InvalidInput("subscription_ids", f"subscriptions of the run's lines, which {named} are not", [12])


def _decided(tx: Transaction, run: DunningRun, text: str) -> None:
    run.decided_at, run.decided_by, run.note = tx.now, tx.actor.name, text
    tx.session.flush()
