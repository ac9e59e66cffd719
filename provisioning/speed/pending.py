"""A custom speed that is shown before it applies: proposed, then confirmed once or discarded.

What was shown is stored. A confirmation evaluates the facts again: when before or after have become other ones (a
suspension, another plan, another custom speed), it is refused and the change has to be proposed anew. Sessions that
came or went meanwhile do not matter: they are told what then holds.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select

from core.database import Transaction
from core.errors import NotAllowed, NotFound
from provisioning import checks
from provisioning.facts import Facts, Speed, SpeedOverride
from provisioning.foresight import effect_of, sends_for
from provisioning.intervals import facts_of
from provisioning.speed.commands import end_speed_override, override_speed, speed_fact
from provisioning.speed.models import PendingSpeed
from provisioning.subscriptions import get_subscription, lock_subscription
from provisioning.timeline import narrate

KEPT = timedelta(hours=24)
OVERRIDE, END = "override", "end"
_FIELDS = ("download_bps", "upload_bps", "until")


def propose_speed(
    tx: Transaction,
    *,
    subscription_id: int,
    download_bps: int,
    upload_bps: int,
    until: datetime | None = None,
    note: str = "",
) -> PendingSpeed:
    """Show what this custom speed would change; it waits a day for `confirm_speed`. It replaces what waited before."""
    lock_subscription(tx, subscription_id)
    fact = speed_fact(tx, subscription_id, download_bps, upload_bps, until, note)
    given = {"download_bps": fact.download_bps, "upload_bps": fact.upload_bps, "until": until}
    return _propose(tx, PendingSpeed(subscription_id=subscription_id, kind=OVERRIDE, note=fact.note, **given))


def propose_speed_end(tx: Transaction, *, subscription_id: int, note: str = "") -> PendingSpeed:
    """Show what going back to the plan's speed would change. NotAllowed without a custom speed."""
    lock_subscription(tx, subscription_id)
    if not any(_holds(item, tx.now) for item in facts_of(tx, subscription_id).overrides):
        raise NotAllowed(f"subscription {subscription_id} has no custom speed at present")
    text = checks.optional_text(note, "note", 2000, "asked by telephone")
    return _propose(tx, PendingSpeed(subscription_id=subscription_id, kind=END, note=text))


def pending_speed(tx: Transaction, subscription_id: int) -> PendingSpeed:
    """The change that waits. NotFound when none does, or its day is over."""
    get_subscription(tx, subscription_id)
    row = _waiting(tx, subscription_id)
    if row is None or row.expires_at <= tx.now:
        raise NotFound("pending speed of subscription", subscription_id)
    return row


def confirm_speed(tx: Transaction, *, subscription_id: int, proposal_id: int) -> PendingSpeed:
    """Carry out what was shown, once. NotAllowed when it is settled, over, or no longer what would happen."""
    lock_subscription(tx, subscription_id)
    row = _proposal(tx, subscription_id, proposal_id)
    _refuse_settled(tx, row)
    if row.expires_at <= tx.now:
        raise NotAllowed(f"proposal {row.id} was kept until {row.expires_at.isoformat()}: propose it anew")
    if row.until is not None and row.until <= tx.now:
        raise NotAllowed(f"proposal {row.id} would have ended at {row.until.isoformat()}: propose it anew")
    _refuse_changed(tx, row)
    _settle(tx, row, "confirmed")
    if row.kind == END:
        end_speed_override(tx, subscription_id=subscription_id, note=row.note)
    else:
        given = {field: getattr(row, field) for field in _FIELDS}
        override_speed(tx, subscription_id=subscription_id, note=row.note, **given)
    return row


def discard_speed(tx: Transaction, *, subscription_id: int, proposal_id: int) -> PendingSpeed:
    """Drop what was proposed; nothing changes."""
    lock_subscription(tx, subscription_id)
    row = _proposal(tx, subscription_id, proposal_id)
    _refuse_settled(tx, row)
    _settle(tx, row, "discarded")
    return row


def _propose(tx: Transaction, row: PendingSpeed) -> PendingSpeed:
    if earlier := _waiting(tx, row.subscription_id):
        _settle(tx, earlier, "replaced" if tx.now < earlier.expires_at else "expired")
    facts = facts_of(tx, row.subscription_id)
    changed = _changed(facts, row, tx.now)
    row.before, row.after = effect_of(tx, facts).as_json(), effect_of(tx, changed).as_json()
    row.sends = [send.as_json() for send in sends_for(tx, row.subscription_id, changed)]
    row.proposed_at, row.proposed_by, row.expires_at = tx.now, tx.actor.name, tx.now + KEPT
    tx.session.add(row)
    tx.session.flush()
    narrate(tx, row.subscription_id, "speed.proposed", details=_told(row), note=row.note)
    tx.audit("propose-speed", "subscription", row.subscription_id, after=_told(row), note=row.note)
    return row


def _changed(facts: Facts, row: PendingSpeed, now: datetime) -> Facts:
    """The facts as the confirmation would leave them."""
    others = tuple(item for item in facts.overrides if not _holds(item, now))
    if row.download_bps is None or row.upload_bps is None:
        return replace(facts, overrides=others)
    wanted = SpeedOverride(now, row.until, Speed(row.download_bps, row.upload_bps))
    return replace(facts, overrides=(*others, wanted))


def _holds(item: SpeedOverride, now: datetime) -> bool:
    return item.since <= now and (item.until is None or now < item.until)


def _refuse_changed(tx: Transaction, row: PendingSpeed) -> None:
    facts = facts_of(tx, row.subscription_id)
    before, after = effect_of(tx, facts).as_json(), effect_of(tx, _changed(facts, row, tx.now)).as_json()
    if (before, after) != (row.before, row.after):
        raise NotAllowed(
            f"proposal {row.id} is not what would happen any more: look at it anew", before=before, after=after
        )


def _refuse_settled(tx: Transaction, row: PendingSpeed) -> None:
    if row.outcome:
        at = row.settled_at.isoformat() if row.settled_at else ""
        raise NotAllowed(f"proposal {row.id} was {row.outcome} by {row.settled_by} at {at}", outcome=row.outcome)


def _settle(tx: Transaction, row: PendingSpeed, outcome: str) -> None:
    row.outcome, row.settled_at, row.settled_by = outcome, tx.now, tx.actor.name
    tx.session.flush()
    narrate(tx, row.subscription_id, f"speed.{outcome}", details={"proposal": row.id})
    tx.audit(f"{outcome}-speed", "subscription", row.subscription_id, after={"proposal": row.id})


def _proposal(tx: Transaction, subscription_id: int, proposal_id: int) -> PendingSpeed:
    query = select(PendingSpeed).where(PendingSpeed.id == proposal_id, PendingSpeed.subscription_id == subscription_id)
    row = tx.session.scalar(query.with_for_update())
    if row is None:
        raise NotFound("proposed speed", proposal_id)
    return row


def _waiting(tx: Transaction, subscription_id: int) -> PendingSpeed | None:
    return tx.session.scalar(
        select(PendingSpeed).where(PendingSpeed.subscription_id == subscription_id, PendingSpeed.outcome == "")
    )


def _told(row: PendingSpeed) -> dict[str, object]:
    return {"proposal": row.id, "kind": row.kind, **{field: getattr(row, field) for field in _FIELDS}}
