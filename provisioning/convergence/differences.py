"""Everything that does not provably run what it should, in one list: live sessions and rows of routers.

Sessions come from the convergence over RADIUS (`Divergence`), rows from the routers' own record (`RouterConvergence`),
and what waits behind a router that is away or in maintenance from what was touched (`RouterService`). Sessions stand
first, by number; then rows, by router and subscription.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from core.database import Transaction
from provisioning.models import Divergence, Subscription
from provisioning.routeros.models import Router, RouterConvergence, RouterService, RouterStatus
from radius.models import Nas

_ROUTERS_FROM = 2**62
_ROUTER_SHIFT = 40
_SUBSCRIPTIONS = 2**_ROUTER_SHIFT


class Reason(StrEnum):
    """Why something is on the list."""

    PENDING = "pending"
    ACKNOWLEDGED = "acknowledged"
    FAILING = "failing"
    ROWS = "router-rows"
    UNREACHABLE = "router-unreachable"
    MAINTENANCE = "router-maintenance"


OF_SESSIONS = (Reason.PENDING, Reason.ACKNOWLEDGED, Reason.FAILING)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; None: not by that. `since`: only what differs since then or longer."""

    reason: Reason | None = None
    router_id: int | None = None
    nas_id: int | None = None
    subscription_id: int | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One session, or the rows of one subscription on one router (`subscription_id` None: the router's own).

    Fingerprints are "" where nothing should be there, or nothing was seen.
    """

    place: int
    reason: Reason
    since: datetime
    words: str
    subscription_id: int | None
    login: str | None
    session_id: int | None = None
    nas_id: int | None = None
    nas_name: str | None = None
    router_id: int | None = None
    router_name: str | None = None
    desired_fingerprint: str = ""
    observed_fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many differ for one reason, and since when the oldest of them."""

    reason: Reason
    count: int
    oldest: datetime | None


def differences(tx: Transaction, wanted: Wanted, *, after: int = 0, limit: int = 100) -> list[Difference]:
    """The next `limit` behind the place `after`."""
    found: list[Difference] = []
    if after < _ROUTERS_FROM and wanted.router_id is None:
        found = _sessions(tx, wanted, after, limit)
    if len(found) < limit and wanted.nas_id is None:
        found += _router_rows(tx, wanted, max(0, after - _ROUTERS_FROM), limit - len(found))
    return found


def tallies(tx: Transaction, wanted: Wanted) -> list[Tally]:
    """How many there are for each reason, also where there are none."""
    counted: dict[Reason, tuple[int, datetime]] = {}
    if wanted.router_id is None:
        for status, count, oldest in tx.session.execute(_session_counts(wanted)):
            counted[Reason(status)] = count, oldest
    if wanted.nas_id is None:
        rows = _rows(wanted).subquery()
        query = select(rows.c.reason, func.count(), func.min(rows.c.since)).group_by(rows.c.reason)
        for reason, count, oldest in tx.session.execute(query):
            counted[Reason(reason)] = count, oldest
    nothing = (0, None)
    return [Tally(reason, *counted.get(reason, nothing)) for reason in Reason]


def _sessions(tx: Transaction, wanted: Wanted, after: int, limit: int) -> list[Difference]:
    query = (
        select(Divergence, Subscription.login, Nas.name)
        .join(Subscription, Subscription.id == Divergence.subscription_id)
        .outerjoin(Nas, Nas.id == Divergence.nas_id)
        .where(Divergence.session_id > after, *_of_sessions(wanted))
        .order_by(Divergence.session_id)
        .limit(limit)
    )
    return [_session(row, login, nas) for row, login, nas in tx.session.execute(query)]


def _session(row: Divergence, login: str | None, nas_name: str | None) -> Difference:
    return Difference(
        place=row.session_id,
        reason=Reason(row.status),
        since=row.since,
        words=row.reason or "nothing was sent yet",
        subscription_id=row.subscription_id,
        login=login,
        session_id=row.session_id,
        nas_id=row.nas_id,
        nas_name=nas_name,
        desired_fingerprint=row.desired_fingerprint,
    )


def _of_sessions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.reason is not None:
        conditions.append(Divergence.status == wanted.reason.value)
    if wanted.nas_id is not None:
        conditions.append(Divergence.nas_id == wanted.nas_id)
    if wanted.subscription_id is not None:
        conditions.append(Divergence.subscription_id == wanted.subscription_id)
    if wanted.since is not None:
        conditions.append(Divergence.since <= wanted.since)
    return conditions


def _session_counts(wanted: Wanted) -> Any:
    query = select(Divergence.status, func.count(), func.min(Divergence.since))
    return query.where(*_of_sessions(wanted)).group_by(Divergence.status)


def _router_rows(tx: Transaction, wanted: Wanted, after: int, limit: int) -> list[Difference]:
    rows = _rows(wanted).subquery()
    router_id, subscription_id = divmod(after, _SUBSCRIPTIONS)
    behind = or_(
        rows.c.router_id > router_id,
        and_(rows.c.router_id == router_id, rows.c.subscription_id > (subscription_id if after else -1)),
    )
    query = (
        select(rows, Subscription.login)
        .outerjoin(Subscription, Subscription.id == rows.c.subscription_id)
        .where(behind)
        .order_by(rows.c.router_id, rows.c.subscription_id)
        .limit(limit)
    )
    return [_router_row(row) for row in tx.session.execute(query)]


def _router_row(row: Any) -> Difference:
    shown = Difference(
        place=_ROUTERS_FROM + (row.router_id << _ROUTER_SHIFT) + row.subscription_id,
        reason=Reason(row.reason),
        since=row.since,
        words=row.words,
        subscription_id=row.subscription_id or None,
        login=row.login,
        router_id=row.router_id,
        router_name=row.router_name,
        desired_fingerprint=row.desired,
        observed_fingerprint=row.observed,
    )
    return shown if shown.words else replace(shown, words="its rows are to be looked at")


def _rows(wanted: Wanted) -> Any:
    """Rows that were seen to differ, and those that wait behind a router which is not to be written to."""
    both = union_all(_differing(), _waiting()).subquery()
    conditions = {
        both.c.reason: None if wanted.reason is None else wanted.reason.value,
        both.c.router_id: wanted.router_id,
        both.c.subscription_id: wanted.subscription_id,
    }
    query = select(both).where(*(column == value for column, value in conditions.items() if value is not None))
    return query if wanted.since is None else query.where(both.c.since <= wanted.since)


def _away() -> ColumnElement[bool]:
    return func.coalesce(RouterStatus.failures, 0) > 0


def _reason() -> ColumnElement[str]:
    return case(
        (Router.maintenance_since.is_not(None), literal(Reason.MAINTENANCE.value, String)),
        (_away(), literal(Reason.UNREACHABLE.value, String)),
        else_=literal(Reason.ROWS.value, String),
    )


def _differing() -> Any:
    row = RouterConvergence
    words = case((and_(row.why == "", _away()), RouterStatus.trouble), else_=row.why)
    return (
        select(
            row.router_id.label("router_id"),
            cast(row.subscription_id, BigInteger).label("subscription_id"),
            Router.name.label("router_name"),
            row.differs_since.label("since"),
            _reason().label("reason"),
            words.label("words"),
            row.desired_fingerprint.label("desired"),
            row.observed_fingerprint.label("observed"),
        )
        .join(Router, Router.id == row.router_id)
        .outerjoin(RouterStatus, RouterStatus.router_id == row.router_id)
        .where(Router.enabled, row.differs_since.is_not(None))
    )


def _waiting() -> Any:
    row, record = RouterService, RouterConvergence
    listed = select(record.router_id).where(
        record.router_id == row.router_id,
        record.subscription_id == row.subscription_id,
        record.differs_since.is_not(None),
    )
    words = case(
        (Router.maintenance_since.is_not(None), Router.maintenance_note),
        else_=func.coalesce(RouterStatus.trouble, null()),
    )
    return (
        select(
            row.router_id, cast(row.subscription_id, BigInteger), Router.name, row.touched_at, _reason(),
            func.coalesce(words, ""), literal("", String), literal("", String),
        )
        .join(Router, Router.id == row.router_id)
        .outerjoin(RouterStatus, RouterStatus.router_id == row.router_id)
        .where(
            Router.enabled,
            row.touched_at.is_not(None),
            or_(Router.maintenance_since.is_not(None), _away()),
            ~listed.exists(),
        )
    )  # fmt: skip
