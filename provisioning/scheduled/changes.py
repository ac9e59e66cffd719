"""Changes that happen at an instant: scheduled, edited, cancelled; they happen exactly once.

The row is the truth: its job only wakes somebody up, and whoever comes locks the row, looks at its status, version
and due date, and carries the action out in the transaction that marks it done. Lock order: the change, then what
the action locks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select

from core.database import Transaction
from core.errors import InvalidInput, NotAllowed
from core.redaction import redact_text
from core.rows import get_row, lock_row
from provisioning import checks
from provisioning.models import Subscription
from provisioning.scheduled.actions import Action, action_named
from provisioning.scheduled.arguments import accept_all, revive_all
from provisioning.scheduled.models import ScheduledChange
from provisioning.subscriptions import lock_subscription
from provisioning.timeline import narrate

DUE = "change.due"
WAITING, DONE, FAILED, CANCELLED = "waiting", "done", "failed", "cancelled"
_NOTE = "asked by telephone on 2 March"


def schedule_change(
    tx: Transaction,
    *,
    subscription_id: int,
    action: str,
    due_at: datetime,
    arguments: Mapping[str, Any] | None = None,
    note: str = "",
) -> ScheduledChange:
    """Have the action carried out at `due_at`, in the name of whoever asks now. Its arguments are checked at once.

    NotAllowed for a cancelled subscription. What the action's own rules will say is decided at `due_at`.
    """
    lock_subscription(tx, subscription_id)
    wanted = action_named(action)
    change = ScheduledChange(
        subscription_id=subscription_id,
        action=wanted.name,
        due_at=_due(tx, due_at),
        note=_note(wanted, note),
        arguments=_arguments(tx, wanted, arguments or {}, due_at),
        status=WAITING,
        version=1,
        created_at=tx.now,
        created_by=tx.actor.name,
        **_in_whose_name(tx),
    )
    tx.session.add(change)
    tx.session.flush()
    _tell(tx, change, "scheduled", after=_told(change))
    _wake(tx, change)
    return change


def edit_change(tx: Transaction, *, change_id: int, **changes: Any) -> ScheduledChange:
    """Change `due_at`, `arguments` (all of them) or `note` while it waits; it then is the editor's. NotAllowed else."""
    change = lock_change(tx, change_id)
    _refuse_over(change)
    if unknown := set(changes) - {"due_at", "arguments", "note"}:
        raise InvalidInput(min(unknown), "one of due_at, arguments, note", "due_at")
    action, before = action_named(change.action), _told(change)
    if "due_at" in changes:
        change.due_at = _due(tx, changes["due_at"])
    change.note = _note(action, changes.get("note", change.note))
    change.arguments = _arguments(tx, action, changes.get("arguments", change.arguments), change.due_at)
    after = _told(change)
    changed = [name for name in after if after[name] != before[name]]
    if changed:
        change.version += 1
        for name, value in _in_whose_name(tx).items():
            setattr(change, name, value)
        tx.session.flush()
        _tell(tx, change, "edited", {name: before[name] for name in changed}, {name: after[name] for name in changed})
        _wake(tx, change)
    return change


def cancel_change(tx: Transaction, *, change_id: int, note: str = "") -> ScheduledChange:
    """It does not happen. NotAllowed when it has happened, failed or was cancelled."""
    change = lock_change(tx, change_id)
    _refuse_over(change)
    reason = checks.optional_text(note, "note", 2000, "came back earlier")
    _end(tx, change, CANCELLED, reason or f"cancelled by {tx.actor.name}")
    return change


def carry_out(tx: Transaction, change: ScheduledChange) -> None:
    """Do it now and mark it done; the change is locked and waits. What the command raises leaves nothing behind."""
    action = action_named(change.action)
    arguments = revive_all(action.arguments, change.arguments)
    said = action.run(tx, subscription_id=change.subscription_id, note=change.note, **arguments)
    if not isinstance(said, str) or not said:
        state = tx.session.scalar(select(Subscription.state).where(Subscription.id == change.subscription_id))
        said = f"state {state}"
    _end(tx, change, DONE, said)


def fail(tx: Transaction, change: ScheduledChange, reason: str) -> None:
    """It could not be done and is not tried again."""
    _end(tx, change, FAILED, redact_text(reason)[:2000])


def get_change(tx: Transaction, change_id: int) -> ScheduledChange:
    return get_row(tx, ScheduledChange, change_id, "scheduled change")


def lock_change(tx: Transaction, change_id: int) -> ScheduledChange:
    """The change, locked and read again."""
    return lock_row(tx, ScheduledChange, change_id, "scheduled change")


def changes_query(
    *,
    subscription_id: int | None = None,
    status: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Select[ScheduledChange]:
    """Of one subscription, in one status, due from `since` on and before `until`."""
    query: Select[Any] = select(ScheduledChange)
    if subscription_id is not None:
        query = query.where(ScheduledChange.subscription_id == subscription_id)
    if status is not None:
        query = query.where(ScheduledChange.status == status)
    if since is not None:
        query = query.where(ScheduledChange.due_at >= since)
    return query if until is None else query.where(ScheduledChange.due_at < until)


def _due(tx: Transaction, due_at: datetime) -> datetime:
    return checks.later_than(due_at, tx.now, "due_at", tx.now + timedelta(days=30))


def _note(action: Action, note: str) -> str:
    return (checks.required_text if action.needs_note else checks.optional_text)(note, "note", 2000, _NOTE)


def _arguments(tx: Transaction, action: Action, given: Mapping[str, Any], due_at: datetime) -> dict[str, Any]:
    kept = accept_all(action.arguments, given, due_at)
    if action.check is not None:
        action.check(tx, kept)
    return kept


def _in_whose_name(tx: Transaction) -> dict[str, Any]:
    """Who is to be named when it happens, with what they may do today: waiting gives nobody more permissions."""
    allowed = tx.actor.permissions
    return {"actor": tx.actor.name, "permissions": None if allowed is None else sorted(allowed)}


def _refuse_over(change: ScheduledChange) -> None:
    if change.status != WAITING:
        raise NotAllowed(f"scheduled change {change.id} is {change.status}: {change.result}", status_now=change.status)


def _wake(tx: Transaction, change: ScheduledChange) -> None:
    """A job of its own for each version: one that is left over from before an edit finds another version."""
    tx.enqueue(DUE, str(change.id), due_at=change.due_at, payload={"version": change.version})


def _end(tx: Transaction, change: ScheduledChange, status: str, result: str) -> None:
    change.status, change.result, change.done_at = status, result, tx.now
    tx.session.flush()
    _tell(tx, change, status, after={"action": change.action, "result": result})


def _told(change: ScheduledChange) -> dict[str, Any]:
    names = ("action", "arguments", "due_at", "note")
    return {name: getattr(change, name) for name in names}


def _tell(
    tx: Transaction,
    change: ScheduledChange,
    what: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    details = {"change": change.id, "action": change.action, **(after or {})}
    if before:
        details["before"] = dict(before)
    narrate(tx, change.subscription_id, f"change.{what}", details=details, note=change.note)
    tx.audit(what, "scheduled_change", change.id, before, after, note=change.note)
