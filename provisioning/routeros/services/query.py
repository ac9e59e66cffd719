"""Subscriptions as candidates for a router's service: one query for as many as are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, exists, func, select

from core.among import among
from core.database import Transaction
from provisioning.models import Subscriber, Subscription
from provisioning.routeros.models import RouterService
from provisioning.routeros.services.rules import Candidate, Selection


def candidates(tx: Transaction, router_id: int, selection: Selection, *, lock: bool = False) -> list[Candidate]:
    """Those selected, in order of id; `lock` keeps others from changing them meanwhile."""
    columns = (Subscription.id, Subscription.login, Subscription.mac, Subscription.cancelled_at)
    here, elsewhere = _served(RouterService.router_id == router_id), _served(RouterService.router_id != router_id)
    query = select(*columns, here.label("here"), elsewhere.label("elsewhere"))
    query = query.join(Subscriber, Subscriber.id == Subscription.subscriber_id)
    query = query.where(*_conditions(tx, selection)).order_by(Subscription.id)
    if lock:
        query = query.with_for_update(of=Subscription, key_share=True)
    return [
        Candidate(row.id, row.login, row.mac, row.cancelled_at is not None, bool(row.here), bool(row.elsewhere))
        for row in tx.session.execute(query)
    ]


def candidate(tx: Transaction, router_id: int, subscription_id: int) -> Candidate:
    """The one of this number, which is there."""
    [found] = candidates(tx, router_id, Selection((subscription_id,)))
    return found


def _conditions(tx: Transaction, selection: Selection) -> Iterator[ColumnElement[bool]]:
    if selection.subscription_ids:
        yield among(tx.session, Subscription.id, selection.subscription_ids)
    else:
        yield Subscription.cancelled_at.is_(None)
    if selection.plan_id is not None:
        yield Subscription.plan_id == selection.plan_id
    if selection.city:
        yield func.lower(Subscriber.city) == func.lower(selection.city)
    if selection.unplaced:
        yield ~_served()


def _served(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    live = (RouterService.subscription_id == Subscription.id, RouterService.removed_at.is_(None))
    return exists().where(*live, *which)
