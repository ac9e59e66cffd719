"""From the description of a selection to the subscriptions that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import aliased

from core.among import among
from core.database import Transaction
from provisioning.mass_change.selection import Candidate, Selection
from provisioning.models import Plan, Subscriber, Subscription

_STREAM = 2_000


def candidates(
    tx: Transaction, selection: Selection, *, after: int = 0, limit: int | None = None
) -> Iterator[Candidate]:
    """Those selected, in order of id, from behind `after`; memory does not grow with their number."""
    query = _selected(tx, selection).where(Subscription.id > after).order_by(Subscription.id).limit(limit)
    for row in tx.session.execute(query.execution_options(yield_per=_STREAM)):
        yield Candidate(row.id, row.plan_id, row.cents, row.state, row.cancelled_at is not None, bool(row.migrating))


def _selected(tx: Transaction, selection: Selection) -> Select[*tuple[Any, ...]]:
    cents = func.coalesce(Subscription.price_cents, Plan.price_cents).label("cents")
    columns = (Subscription.id, Subscription.plan_id, cents, Subscription.state, Subscription.cancelled_at)
    return (
        select(*columns, _migrating().label("migrating"))
        .join(Plan, Plan.id == Subscription.plan_id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(*_conditions(tx, selection))
    )


def _migrating() -> ColumnElement[bool]:
    """Whether another one waits to take its place."""
    waiting = aliased(Subscription)
    return (
        select(waiting.id)
        .where(
            waiting.migrates_from_id == Subscription.id, waiting.installed_at.is_(None), waiting.cancelled_at.is_(None)
        )
        .exists()
    )


def _conditions(tx: Transaction, selection: Selection) -> Iterator[ColumnElement[bool]]:
    if not selection.with_cancelled:
        yield Subscription.cancelled_at.is_(None)
    if selection.plan_id is not None:
        yield Subscription.plan_id == selection.plan_id
    if selection.states:
        yield Subscription.state.in_(selection.states)
    for column, text in (
        (Subscriber.city, selection.city),
        (Subscriber.region, selection.region),
        (Plan.technology, selection.technology),
        (Plan.group, selection.group),
    ):
        if text:
            yield func.lower(column) == func.lower(text)
    if selection.subscriber_ids:
        yield among(tx.session, Subscription.subscriber_id, selection.subscriber_ids)
    if selection.include:
        yield among(tx.session, Subscription.id, selection.include)
    if selection.exclude:
        yield ~among(tx.session, Subscription.id, selection.exclude)
