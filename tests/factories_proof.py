"""NAS, sessions and routers as the proof of a change needs them."""

from __future__ import annotations

import itertools
from typing import Any

from sqlalchemy import select

from core.database import Database, Transaction
from core.secrets import Secret
from provisioning.debts import record_debt
from provisioning.latency.models import ProofLatency, ProofWait
from provisioning.models import Subscription
from provisioning.routeros.models import Router, RouterService
from radius.models import Nas, Session
from radius.nas import add_nas
from tests.factories import make_subscription
from tests.factories_sessions import make_session

_numbers = itertools.count(1)
SECRET = "a secret of the NAS"


def make_nas(tx: Transaction, **values: Any) -> Nas:
    """A MikroTik of its own address, whose accounting shows no Class of a CoA."""
    number = next(_numbers)
    given = {"name": f"pop-{number}", "network": f"198.51.100.{number % 250}", "secret": Secret(SECRET)}
    return add_nas(tx, **{**given, "vendor": "mikrotik", **values})


def make_online(tx: Transaction, nas: Nas, **values: Any) -> tuple[Subscription, Session]:
    """An active subscription with a live session that runs its policy."""
    subscription = make_subscription(tx, **values)
    return subscription, connect(tx, subscription, nas)


def connect(tx: Transaction, subscription: Subscription, nas: Nas, **values: Any) -> Session:
    """A session that was granted what the subscription should run now."""
    tx.session.flush()
    tx.session.refresh(subscription)
    granted = {"granted_fingerprint": subscription.desired_fingerprint, "granted_at": tx.now}
    known = {"subscription_id": subscription.id, "user_name": subscription.login, "nas_id": nas.id}
    return make_session(tx, **{**known, **granted, **values})


def make_service(tx: Transaction, router: Router, subscription: Subscription, access: str = "ppp") -> RouterService:
    """That a router serves a subscription and is through with it."""
    service = RouterService(
        router_id=router.id, subscription_id=subscription.id, access=access, created_at=tx.now, touched_at=None
    )
    tx.session.add(service)
    tx.session.flush()
    return service


def pay(tx: Transaction, subscription_id: int, invoice_id: int = 4711) -> int:
    """Owe nothing any more on the invoice of `tests.factories.restrict`."""
    record_debt(tx, subscription_id=subscription_id, invoice_id=invoice_id, due_on=tx.now.date(), open_cents=0)
    return invoice_id


def waits(database: Database) -> dict[int, str]:
    """By subscription, the kind of change that waits for its proof."""
    with database.reading() as tx:
        return {row.subscription_id: row.kind for row in tx.session.scalars(select(ProofWait))}


def counted(database: Database) -> dict[tuple[str, str, int], int]:
    """How many proofs, by kind, path and bucket."""
    with database.reading() as tx:
        return {(row.kind, row.path, row.bucket): row.times for row in tx.session.scalars(select(ProofLatency))}


def seconds_of(database: Database, kind: str, path: str) -> float:
    """The seconds of all proofs of that kind on that path."""
    with database.reading() as tx:
        query = select(ProofLatency.seconds).where(ProofLatency.kind == kind, ProofLatency.path == path)
        return sum(tx.session.scalars(query))
