"""What the observers of a subscription know of it: its live sessions, and the routers that serve it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, and_, not_, or_, select

from core.among import among
from core.database import Transaction
from provisioning.models import Subscription
from provisioning.routeros.models import Router, RouterConvergence, RouterService
from provisioning.routeros.readback.models import SessionReadback
from provisioning.routeros.readback.reading import can_be_read, was_read
from provisioning.routeros.rows import Access
from radius.models import Session


def connected(tx: Transaction, ids: Iterable[int]) -> set[int]:
    """Those of the subscriptions that have a live session."""
    query = select(Session.subscription_id).where(
        among(tx.session, Session.subscription_id, ids), Session.stopped_at.is_(None)
    )
    return {key for key in tx.session.scalars(query) if key is not None}


def held_by_router(tx: Transaction, ids: Iterable[int]) -> set[int]:
    """Those that a router has rows of; where RADIUS gives everything, the router has none."""
    query = select(RouterService.subscription_id).join(Router, Router.id == RouterService.router_id)
    return set(tx.session.scalars(query.where(among(tx.session, RouterService.subscription_id, ids), _held())))


def unproven(tx: Transaction, ids: Collection[int]) -> set[int]:
    """Those of which some live session, or some router, does not provably run what it should."""
    return _sessions_differ(tx, ids) | _routers_differ(tx, ids)


def _held() -> ColumnElement[bool]:
    return and_(Router.enabled, RouterService.access != Access.RADIUS.value)


def _sessions_differ(tx: Transaction, ids: Collection[int]) -> set[int]:
    query = (
        select(Session.subscription_id)
        .join(Subscription, Subscription.id == Session.subscription_id)
        .where(among(tx.session, Session.subscription_id, ids), Session.stopped_at.is_(None), not_(runs()))
    )
    return {key for key in tx.session.scalars(query) if key is not None}


def runs() -> ColumnElement[bool]:
    """Whether a session runs its subscription's policy; `convergence_plan` says the same of one session."""
    wanted = Subscription.desired_fingerprint
    acked = Session.acked_fingerprint == wanted
    granted = and_(Session.granted_fingerprint == wanted, or_(acked, Session.acked_fingerprint == ""))
    begun_under_it = and_(Session.granted_fingerprint == "", Session.started_at >= Subscription.desired_since)
    shown = and_(acked, was_read(SessionReadback.runs.is_(True)))
    # What is only acknowledged may be otherwise, where a router's rows were read to say so or have yet to be read.
    doubted = and_(acked, or_(was_read(SessionReadback.runs.is_(False)), and_(can_be_read(), ~was_read())))
    return and_(wanted != "", or_(shown, and_(or_(granted, begun_under_it), ~doubted)))


def _routers_differ(tx: Transaction, ids: Collection[int]) -> set[int]:
    service, record = RouterService, RouterConvergence
    query = (
        select(service.subscription_id)
        .join(Router, Router.id == service.router_id)
        .outerjoin(
            record, and_(record.router_id == service.router_id, record.subscription_id == service.subscription_id)
        )
        .where(
            among(tx.session, service.subscription_id, ids),
            _held(),
            or_(service.touched_at.is_not(None), record.differs_since.is_not(None)),
        )
    )
    return set(tx.session.scalars(query))
