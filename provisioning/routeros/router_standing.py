"""How routers stand: how many of their services differ, since when and why; what their last cycle left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from core.among import among
from core.database import Transaction
from provisioning.routeros.cycle.facts import status_of
from provisioning.routeros.cycle.standing import MAINTENANCE
from provisioning.routeros.cycle.status import KINDS
from provisioning.routeros.models import Router, RouterConvergence, RouterDrift, RouterService, RouterStatus

WAITS = "its facts changed; the router is about to be asked"


@dataclass(slots=True)
class RouterStanding:
    """One router; `reasons`: why, and of how many of its services (its own rows count as one)."""

    id: int
    name: str
    enabled: bool
    maintenance_since: datetime | None
    maintenance_note: str
    version: str = ""
    identity: str = ""
    board: str = ""
    seen_at: datetime | None = None
    full_at: datetime | None = None
    failures: int = 0
    retry_at: datetime | None = None
    trouble: str = ""
    trouble_since: datetime | None = None
    plan_at: datetime | None = None
    plan: dict[str, int] = field(default_factory=dict)
    held: int = 0
    services: int = 0
    touched: int = 0
    differing: int = 0
    drift: int = 0
    differs_since: datetime | None = None
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def in_step(self) -> bool:
        """Whether all of it is proven; a router that was not read in whole proves nothing."""
        return self.full_at is not None and not (self.touched or self.differing or self.held or self.trouble)


_OF_STATUS = (
    "version", "identity", "board", "seen_at", "full_at", "failures", "retry_at", "trouble", "trouble_since", "plan_at",
)  # fmt: skip


def standing_of(tx: Transaction, routers: Sequence[Router]) -> dict[int, RouterStanding]:
    """The standing of each of these, with a fixed number of queries for all."""
    ids = [router.id for router in routers]
    known = {row.router_id: row for row in tx.session.scalars(_of(tx, select(RouterStatus), RouterStatus, ids))}
    made = {router.id: _begun(router, known.get(router.id) or status_of(tx, router.id)) for router in routers}
    _count_differing(tx, made)
    _count_services(tx, made)
    rows = RouterDrift
    drift = _of(tx, select(rows.router_id, func.count()), rows, ids).where(rows.status == "open")
    for router_id, number in tx.session.execute(drift.group_by(rows.router_id)).all():
        made[router_id].drift = number
    return made


def _begun(router: Router, status: RouterStatus) -> RouterStanding:
    made = RouterStanding(
        router.id, router.name, router.enabled, router.maintenance_since, router.maintenance_note, held=status.held or 0
    )
    for name in _OF_STATUS:
        setattr(made, name, getattr(status, name) or getattr(made, name))
    made.plan = {kind: int((status.plan or {}).get(kind, 0)) for kind in KINDS}
    return made


def _count_differing(tx: Transaction, made: dict[int, RouterStanding]) -> None:
    rows = RouterConvergence
    query = _of(tx, select(rows.router_id, rows.why, func.count(), func.min(rows.differs_since)), rows, made)
    found = query.where(rows.differs_since.is_not(None)).group_by(rows.router_id, rows.why)
    for router_id, why, number, since in tx.session.execute(found).all():
        _add(made[router_id], why, number, since)
        made[router_id].differing += number


def _count_services(tx: Transaction, made: dict[int, RouterStanding]) -> None:
    """Those that wait and have no record that says why: while the router is away none is written for each."""
    rows = RouterService
    touched = func.count(rows.touched_at)
    query = _of(tx, select(rows.router_id, func.count(), touched, func.min(rows.touched_at)), rows, made)
    for router_id, number, waiting, since in tx.session.execute(query.group_by(rows.router_id)).all():
        one = made[router_id]
        one.services, one.touched = number, waiting
        if waiting:
            _add(one, waiting_because(one), waiting, since)


def waiting_because(one: RouterStanding) -> str:
    """Why services whose facts changed are not in step yet."""
    if one.maintenance_since is not None:
        return MAINTENANCE
    if one.trouble and one.trouble_since is not None:
        return f"router unreachable since {one.trouble_since:%Y-%m-%d %H:%M} UTC: {one.trouble}"
    return WAITS


def _add(one: RouterStanding, why: str, number: int, since: datetime | None) -> None:
    one.reasons[why] = one.reasons.get(why, 0) + number
    one.differs_since = min(filter(None, (one.differs_since, since)), default=None)


def _of(tx: Transaction, query: Any, table: Any, ids: Any) -> Any:
    return query.where(among(tx.session, table.router_id, ids))
