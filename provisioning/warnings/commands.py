"""Warnings: a subscriber is told, on the network too, that a restriction comes.

A warning is a fact: a router may show whoever is warned a page of its own (`Router.warned_list`). It ends by itself:
when the debts that it is about are paid, when a restriction starts (the state is another one), and at `until`, which is
`LINGERS` after the day from which the notice threatens. Whoever is warned again keeps the one warning, for longer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select

from core.among import among
from core.database import Transaction
from core.errors import NotAllowed, NotFound
from provisioning import checks
from provisioning.models import Debt, RestrictionOrderRow, Subscription
from provisioning.routeros.touch import touch_routers
from provisioning.timeline import narrate_each
from provisioning.warnings.models import WarningRow

LINGERS = timedelta(days=30)
"""A restriction that has not started a month after it could have is not coming by itself any more."""
PAID, RESTRICTED, OVER, BY_HAND = "paid", "restricted", "over", "ended"


@dataclass(frozen=True, slots=True)
class Warned:
    """What somebody is to be warned of."""

    until: datetime
    cause: str
    invoice_ids: tuple[int, ...] = ()


def warn(
    tx: Transaction,
    *,
    subscription_id: int,
    cause: str,
    until: datetime | None = None,
    invoice_ids: Sequence[int] = (),
) -> WarningRow:
    """Warn a subscription, for a month unless told otherwise. NotAllowed when it is cancelled or restricted already."""
    _must_be_in_service(tx, subscription_id)
    text = checks.required_text(cause, "cause", 2000, "the invoice of March is late")
    if until is not None:
        checks.later_than(until, tx.now, "until", tx.now + timedelta(days=5))
    [row] = warn_each(tx, {subscription_id: Warned(until or tx.now + LINGERS, text, tuple(invoice_ids))})
    return row


def warn_each(tx: Transaction, wanted: Mapping[int, Warned]) -> list[WarningRow]:
    """Warn many, whose subscriptions the caller has locked; who is restricted by a live order is passed over."""
    restricted = _restricted(tx, wanted)
    ids = [key for key in sorted(wanted) if key not in restricted]
    if not ids:
        return []
    known = {row.subscription_id: row for row in _live(tx, ids)}
    told = {key: _extended(known[key], wanted[key]) for key in ids if key in known}
    fresh = [_row(tx, key, wanted[key]) for key in ids if key not in known]
    if fresh:
        tx.session.execute(insert(WarningRow), fresh)
    told |= {key: _details(wanted[key].until, wanted[key]) for key in ids if key not in known}
    narrate_each(tx, "warning.given", told)
    tx.audit_each("warn", "subscription", told)
    touch_routers(tx, ids)
    return list(_live(tx, ids))


def unwarn(tx: Transaction, *, subscription_id: int, note: str = "") -> WarningRow:
    """End a live warning before its time. NotAllowed where there is none."""
    _must_be_known(tx, subscription_id)
    rows = _live(tx, [subscription_id])
    if not rows:
        raise NotAllowed(f"subscription {subscription_id} is not warned")
    _end(tx, rows, BY_HAND)
    tx.audit("unwarn", "subscription", subscription_id, after={"warning": rows[0].id}, note=note)
    return rows[0]


def warned_ids(tx: Transaction, ids: Collection[int]) -> set[int]:
    """Those of the subscriptions with a live warning."""
    if not ids:
        return set()
    query = select(WarningRow.subscription_id).where(
        among(tx.session, WarningRow.subscription_id, ids),
        WarningRow.ended_at.is_(None),
        WarningRow.until > tx.now,
    )
    return set(tx.session.scalars(query))


def end_of_restricted(tx: Transaction, ids: Collection[int]) -> None:
    """A restriction has started, or the service has ended: what was threatened is there."""
    if ids:
        _end(tx, _live(tx, ids), RESTRICTED, touch=False)


def end_of_paid(tx: Transaction, subscription_id: int) -> None:
    """End the warning whose debts are all gone; one that is about no debt stays."""
    rows = [row for row in _live(tx, [subscription_id]) if row.invoice_ids]
    if rows:
        query = select(Debt.invoice_id).where(Debt.subscription_id == subscription_id, Debt.open_cents > 0)
        owed = set(tx.session.scalars(query))
        _end(tx, [row for row in rows if owed.isdisjoint(row.invoice_ids)], PAID)


def end_of_time(tx: Transaction, *, limit: int) -> int:
    """End the warnings whose time is over; gives how many, at most `limit`."""
    query = select(WarningRow.subscription_id).where(WarningRow.ended_at.is_(None), WarningRow.until <= tx.now)
    ids = tx.session.scalars(query.order_by(WarningRow.subscription_id).limit(limit)).all()
    if ids:
        locked = select(Subscription.id).where(among(tx.session, Subscription.id, ids)).order_by(Subscription.id)
        tx.session.execute(locked.with_for_update(key_share=True))
        _end(tx, [row for row in _live(tx, ids) if row.until <= tx.now], OVER)
    return len(ids)


def _end(tx: Transaction, rows: Sequence[WarningRow], reason: str, *, touch: bool = True) -> None:
    if not rows:
        return
    for row in rows:
        row.ended_at, row.end_reason = tx.now, reason
    narrate_each(tx, "warning.ended", {row.subscription_id: {"reason": reason} for row in rows})
    if touch:
        touch_routers(tx, [row.subscription_id for row in rows])


def _live(tx: Transaction, ids: Iterable[int]) -> Sequence[WarningRow]:
    """Those not ended, in order of subscription, locked."""
    query = select(WarningRow).where(among(tx.session, WarningRow.subscription_id, ids), WarningRow.ended_at.is_(None))
    return tx.session.scalars(query.order_by(WarningRow.subscription_id).with_for_update()).all()


def _extended(row: WarningRow, wanted: Warned) -> dict[str, object]:
    row.until = max(row.until, wanted.until)
    row.invoice_ids = sorted({*row.invoice_ids, *wanted.invoice_ids})
    row.cause = wanted.cause
    return _details(row.until, wanted)


def _row(tx: Transaction, subscription_id: int, wanted: Warned) -> dict[str, object]:
    return {
        "subscription_id": subscription_id,
        "since": tx.now,
        "until": wanted.until,
        "cause": wanted.cause,
        "invoice_ids": list(wanted.invoice_ids),
        "given_by": tx.actor.name,
        "end_reason": "",
    }


def _details(until: datetime, wanted: Warned) -> dict[str, object]:
    return {"until": until, "cause": wanted.cause, "invoices": list(wanted.invoice_ids)}


def _restricted(tx: Transaction, ids: Iterable[int]) -> set[int]:
    query = select(RestrictionOrderRow.subscription_id).where(
        among(tx.session, RestrictionOrderRow.subscription_id, ids), RestrictionOrderRow.lapsed_at.is_(None)
    )
    return set(tx.session.scalars(query))


def _must_be_known(tx: Transaction, subscription_id: int) -> bool:
    """Lock the subscription; says whether it is cancelled."""
    query = select(Subscription.id, Subscription.cancelled_at).where(Subscription.id == subscription_id)
    found = tx.session.execute(query.with_for_update(key_share=True)).one_or_none()
    if found is None:
        raise NotFound("subscription", subscription_id)
    return found.cancelled_at is not None


def _must_be_in_service(tx: Transaction, subscription_id: int) -> None:
    if _must_be_known(tx, subscription_id):
        raise NotAllowed(f"subscription {subscription_id} is cancelled", state="CANCELLED")
    if _restricted(tx, [subscription_id]):
        raise NotAllowed(f"subscription {subscription_id} is restricted already: a warning comes before that")
