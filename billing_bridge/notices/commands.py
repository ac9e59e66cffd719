"""Giving notice: a debt is told once, with the day from which it may restrict.

The notice itself is sent by other software: the outbox event `debt.notice-given` carries one subscriber's new notices,

    {"subscription_id": 12, "subscriber_id": 7, "given_on": "2026-03-02", "invoices": [
        {"invoice_id": 31, "due_on": "2026-02-20", "open_cents": 9990, "level": "partial",
         "restriction_from": "2026-03-17"}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from itertools import groupby
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, and_, case, exists, false, func, insert, literal, select

from billing_bridge.calendar.company import hold_on
from billing_bridge.calendar.days import company_today
from billing_bridge.calendar.holiday_book import open_book
from billing_bridge.dunning.facts import late_invoices, live_levels, notices_of, rules_of
from billing_bridge.locks import lock_subscriptions
from billing_bridge.models import BillingAccount, BillingMethod
from billing_bridge.notices.models import DebtNotice
from billing_bridge.notices.rules import WantedNotice, notice_cutoff, wanted_notices
from core.among import among
from core.database import Transaction
from provisioning.facts import Level
from provisioning.models import Debt, RestrictionOrderRow, Subscriber, Subscription
from provisioning.timeline import narrate_each
from provisioning.warnings.commands import LINGERS, Warned, warn_each

CHUNK = 500
GIVEN = "debt.notice-given"


@dataclass(frozen=True, slots=True)
class NoticeChunk:
    """What one transaction gave; `last` is the subscription that it ended with, None: nobody is left behind it."""

    notices: int
    subscriptions: int
    last: int | None


def give_notices(tx: Transaction, *, chunk: int = CHUNK, after: int = 0) -> NoticeChunk:
    """Give the notices that are due to the next `chunk` subscriptions behind `after`. Doing it again gives none."""
    day = company_today(tx.now, tx.settings.timezone)
    ids = _candidates(tx, day, after, chunk)
    lock_subscriptions(tx, ids)  # who pays meanwhile waits; two schedulers give one notice
    wanted = _wanted(tx, ids, day)
    theirs = {key: list(group) for key, group in groupby(wanted, key=lambda notice: notice.subscription_id)}
    told = {key: _details(group, day) for key, group in theirs.items()}
    if wanted:
        tx.session.execute(insert(DebtNotice), [_row(tx, notice, day) for notice in wanted])
    narrate_each(tx, "notice.given", told)
    tx.audit_each("give-notice", "subscription", told)
    warn_each(tx, {key: _warned(tx, group, day) for key, group in theirs.items()})
    owners = _owners(tx, told)
    for key, details in told.items():
        subscriber_id = owners[key][0]
        payload = {"subscription_id": key, "subscriber_id": subscriber_id, **details}
        tx.enqueue(GIVEN, f"{key}:{day.isoformat()}", payload=payload)
    return NoticeChunk(len(wanted), len(told), ids[-1] if len(ids) == chunk else None)


def preview_notices(tx: Transaction, *, limit: int = 100, after: int = 0) -> tuple[list[WantedNotice], int | None]:
    """The notices of the next `limit` subscriptions, as they would be given now; with the last one, if more follow."""
    day = company_today(tx.now, tx.settings.timezone)
    ids = _candidates(tx, day, after, limit)
    return _wanted(tx, ids, day), ids[-1] if len(ids) == limit else None


def _wanted(tx: Transaction, ids: Sequence[int], day: date) -> list[WantedNotice]:
    if not ids:
        return []
    rules, live = rules_of(tx, ids), live_levels(tx, ids)
    late = {key: found for key, found in late_invoices(tx, ids, day).items() if Level.TOTAL not in live[key]}
    notices = wanted_notices(late, rules, day, notices_of(tx, ids))
    owners, book, told = _owners(tx, ids), open_book(tx), []
    for notice in notices:
        _, region, city = owners[notice.subscription_id]
        first = notice.restriction_from
        hold = hold_on(first, rules[notice.subscription_id], book.around(first, region, city))
        told.append(replace(notice, restriction_from=hold.next_start) if hold and hold.next_start else notice)
    return told


def _details(notices: Iterable[WantedNotice], day: date) -> dict[str, object]:
    invoices = [
        {
            "invoice_id": notice.invoice_id,
            "due_on": notice.due_on.isoformat(),
            "open_cents": notice.open_cents,
            "level": notice.level.value,
            "restriction_from": notice.restriction_from.isoformat(),
        }
        for notice in notices
    ]
    return {"given_on": day.isoformat(), "invoices": invoices}


def _warned(tx: Transaction, notices: Sequence[WantedNotice], day: date) -> Warned:
    """The warning on the network, until a while after the restriction could have started."""
    last = max(notice.restriction_from for notice in notices)
    begins = datetime.combine(last, time(), ZoneInfo(tx.settings.timezone)).astimezone(UTC)
    cause = f"notice of {day.isoformat()}: a restriction from {last.isoformat()} on"
    return Warned(begins + LINGERS, cause, tuple(notice.invoice_id for notice in notices))


def _row(tx: Transaction, notice: WantedNotice, day: date) -> dict[str, object]:
    return {
        "subscription_id": notice.subscription_id,
        "invoice_id": notice.invoice_id,
        "level": notice.level.value,
        "given_on": day,
        "restriction_from": notice.restriction_from,
        "open_cents": notice.open_cents,
        "created_at": tx.now,
    }


def _owners(tx: Transaction, ids: Iterable[int]) -> dict[int, tuple[int, str, str]]:
    """Each one's subscriber, with their state and city."""
    query = select(Subscription.id, Subscriber.id, Subscriber.region, Subscriber.city).join(Subscription.subscriber)
    rows = tx.session.execute(query.where(among(tx.session, Subscription.id, ids)))
    return {key: (subscriber_id, region, city) for key, subscriber_id, region, city in rows}


def _candidates(tx: Transaction, day: date, after: int, limit: int) -> list[int]:
    """Subscriptions in service with a debt that is old enough and was not told, from behind `after`."""
    untold = func.max(case((and_(DebtNotice.id.is_(None), _old_enough(tx, day)), 1), else_=0))
    query = (
        select(Debt.subscription_id)
        .join(Subscription, Subscription.id == Debt.subscription_id)
        .join(BillingAccount, BillingAccount.subscription_id == Debt.subscription_id)
        .join(BillingMethod, BillingMethod.id == BillingAccount.billing_method_id)
        .outerjoin(
            DebtNotice,
            and_(DebtNotice.subscription_id == Debt.subscription_id, DebtNotice.invoice_id == Debt.invoice_id),
        )
        .where(
            Debt.subscription_id > after,
            Debt.open_cents > 0,
            Debt.due_on < day,
            Subscription.installed_at <= tx.now,
            Subscription.cancelled_at.is_(None),
            BillingMethod.notice_days > 0,
            ~exists().where(
                RestrictionOrderRow.subscription_id == Debt.subscription_id,
                RestrictionOrderRow.level == Level.TOTAL.value,
                RestrictionOrderRow.lapsed_at.is_(None),
            ),
        )
        .group_by(Debt.subscription_id, BillingMethod.id)
        .having(func.sum(Debt.open_cents) >= BillingMethod.minimum_open_cents, untold == 1)
    )
    return list(tx.session.scalars(query.order_by(Debt.subscription_id).limit(limit)))


def _old_enough(tx: Transaction, day: date) -> ColumnElement[bool]:
    rules = {row.id: row.rules for row in tx.session.scalars(select(BillingMethod))}
    cutoffs = {
        key: literal(cutoff, Date) for key, rule in rules.items() if (cutoff := notice_cutoff(rule, day)) is not None
    }
    if not cutoffs:
        return false()
    return Debt.due_on <= case(cutoffs, value=BillingMethod.id, else_=literal(date.min, Date))
