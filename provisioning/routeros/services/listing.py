"""Services as people look at them: whom a router serves, which routers serve a subscription, and how it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select

from core.database import Transaction
from ipam.lookup import fixed_addresses_of
from provisioning.models import Subscriber, Subscription
from provisioning.routeros.models import Router, RouterConvergence, RouterService
from provisioning.routeros.nas_of_router import nas_that_answer
from provisioning.routeros.rows import Access
from provisioning.routeros.services.rules import Candidate, Wanted, service_advice
from provisioning.subscriptions import get_subscription

_SHOWN = (
    Subscription.id.label("subscription_id"),
    Subscription.login,
    Subscription.mac,
    Subscription.state,
    Subscriber.name.label("subscriber_name"),
    RouterService.access,
    RouterService.dhcp_server,
    RouterService.duid,
    RouterService.created_at,
    RouterService.removed_at,
    RouterService.touched_at,
    RouterConvergence.differs_since,
    RouterConvergence.why,
)

_SAME = tuple(column.key for column in _SHOWN if column.key not in ("mac", "why"))


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A service with what is known of it; `differs_since` None: in step, or not looked at yet. `advice`: in words."""

    router_id: int
    router_name: str
    subscription_id: int
    subscriber_name: str
    login: str | None
    state: str
    access: str
    dhcp_server: str
    duid: str
    created_at: datetime
    removed_at: datetime | None
    touched_at: datetime | None
    differs_since: datetime | None
    why: str
    advice: Sequence[str]


def lines_of_router(tx: Transaction, router: Router, *, after: int = 0, limit: int = 200) -> list[ServiceLine]:
    """By subscription, from behind `after`; also services that were given up while their rows are not gone."""
    mine = (RouterService.router_id == router.id, RouterService.subscription_id > after)
    return _lines(tx, _query(*mine).order_by(RouterService.subscription_id).limit(limit))


def lines_of_subscription(tx: Transaction, subscription_id: int) -> list[ServiceLine]:
    """By router; also services that were given up while their rows are not gone. NotFound."""
    get_subscription(tx, subscription_id)
    return _lines(tx, _query(RouterService.subscription_id == subscription_id).order_by(RouterService.router_id))


def line_of(tx: Transaction, service: RouterService) -> ServiceLine:
    """The line of one service."""
    tx.session.flush()
    mine = (RouterService.router_id == service.router_id, RouterService.subscription_id == service.subscription_id)
    [line] = _lines(tx, _query(*mine))
    return line


def _query(*which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    record = and_(
        RouterConvergence.router_id == RouterService.router_id,
        RouterConvergence.subscription_id == RouterService.subscription_id,
    )
    return (
        select(Router, *_SHOWN)
        .join(RouterService, RouterService.router_id == Router.id)
        .join(Subscription, Subscription.id == RouterService.subscription_id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .outerjoin(RouterConvergence, record)
        .where(*which)
    )


def _lines(tx: Transaction, query: Select[*tuple[Any, ...]]) -> list[ServiceLine]:
    rows = tx.session.execute(query).all()
    fixed = fixed_addresses_of(tx, [row.subscription_id for row in rows])
    answered = nas_that_answer(tx, [row.Router for row in rows])
    return [_line(row, row.subscription_id in fixed, row.Router.nas_id in answered) for row in rows]


def _line(row: Any, fixed: bool, nas_answers: bool) -> ServiceLine:
    same = {name: getattr(row, name) for name in _SAME}
    wanted = Wanted(Access(row.access), row.dhcp_server, row.duid)
    candidate = Candidate(row.subscription_id, row.login, row.mac)
    router = {"name": row.Router.name, "manages": row.Router.manages, "speed_by": row.Router.speed_by}
    advice = [] if row.removed_at else service_advice(wanted, candidate, router, fixed=fixed, nas_answers=nas_answers)
    return ServiceLine(router_id=row.Router.id, router_name=row.Router.name, why=row.why or "", advice=advice, **same)
