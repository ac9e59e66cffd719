"""What a cycle begins with: the router, whom it serves, what of it is to be read, and what was last recorded.

Touched services are read before the facts themselves: a fact that changes meanwhile leaves its service touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select

from core.database import Database, Transaction
from provisioning.routeros.connection import Target
from provisioning.routeros.cycle.recording import records_of
from provisioning.routeros.cycle.records import OWN, Record
from provisioning.routeros.desired.state import RouterRules, Served, desired
from provisioning.routeros.models import Router, RouterService, RouterStatus
from provisioning.routeros.routers import target_of
from provisioning.routeros.rows import Desired
from provisioning.routeros.services.loading import load_served, rules_of

FEW = 50
"""As many touched services are read by themselves; for more, all of the router is read at once."""
SAME = "facts"
"""The word of `RouterStatus.plan` for what the router's own facts were when all of it was last read."""


class Scope(StrEnum):
    """How much of a router a cycle looks at."""

    NOTHING = "nothing"
    FEW = "few"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Facts:
    """The router's row (detached), all that a plan follows from, and what it demands. `only`: the services it is
    about; None: all. `records`: theirs, and that of the router's own rows.

    `same`: the router's own facts are those that were last proven on all of it.
    """

    router: Router
    target: Target
    rules: RouterRules
    digest: str
    served: list[Served]
    desired: Desired
    touched: Mapping[int, datetime]
    records: Mapping[int, Record]
    only: frozenset[int] | None
    full_at: datetime | None
    same: bool

    @property
    def whole(self) -> bool:
        return self.only is None

    @property
    def maintenance(self) -> bool:
        return self.router.maintenance_since is not None


def scope_of(status: RouterStatus, router: Router, touched: Collection[int], digest: str, now: datetime) -> Scope:
    """All when it is time to check it, when it failed or changed, or for many; else what was touched."""
    due = status.full_at is None or now - status.full_at >= timedelta(minutes=router.check_minutes)
    if due or len(touched) > FEW or status.failures or status.plan.get(SAME) != digest:
        return Scope.ALL
    return Scope.FEW if touched else Scope.NOTHING


def gather(database: Database, router_id: int) -> Facts | None:
    """The facts of what is to be looked at now; None where nothing is."""
    with database.reading() as tx:
        router, status = tx.session.get_one(Router, router_id), status_of(tx, router_id)
        touched = touched_services(tx, router_id)
        digest = digest_of(target_of(router), rules_of(router, tx.settings))
        scope = scope_of(status, router, touched, digest, tx.now)
        if scope is Scope.NOTHING:
            return None
        return _facts(tx, router, touched, frozenset(touched) if scope is Scope.FEW else None)


def gather_all(database: Database, router_id: int) -> Facts:
    """The facts of all that the router should have."""
    with database.reading() as tx:
        router = tx.session.get_one(Router, router_id)
        return _facts(tx, router, touched_services(tx, router_id), None)


def _facts(tx: Transaction, router: Router, touched: Mapping[int, datetime], only: frozenset[int] | None) -> Facts:
    ids = None if only is None else sorted(only)
    target, rules, status = target_of(router), rules_of(router, tx.settings), status_of(tx, router.id)
    digest = digest_of(target, rules)
    served = load_served(tx, router, ids)
    records = records_of(tx, router.id, None if ids is None else [OWN, *ids])
    made = Facts(
        router, target, rules, digest, served, desired(served, rules), touched, records, only,
        status.full_at, status.plan.get(SAME) == digest,
    )  # fmt: skip
    tx.session.expunge(router)
    return made


def touched_services(tx: Transaction, router_id: int) -> dict[int, datetime]:
    """The services whose facts changed since they were last proven or seen to, and when."""
    query = select(RouterService.subscription_id, RouterService.touched_at).where(
        RouterService.router_id == router_id, RouterService.touched_at.is_not(None)
    )
    return {key: at for key, at in tx.session.execute(query).all() if at is not None}


def status_of(tx: Transaction, router_id: int) -> RouterStatus:
    """The router's status; a blank one, not added to the session, where it has none yet."""
    return tx.session.get(RouterStatus, router_id) or RouterStatus(router_id=router_id, failures=0, plan={}, held=0)


def digest_of(target: Target, rules: RouterRules) -> str:
    """Of where the router is and what is held on it, without secrets."""
    manages = sorted(rules.manages)
    text = repr((target.host, target.port, target.charset, manages, _plain(rules)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(rules: RouterRules) -> list[str]:
    names = sorted(name for name in RouterRules.__dataclass_fields__ if name != "manages")
    return [f"{name}={getattr(rules, name)!r}" for name in names]
