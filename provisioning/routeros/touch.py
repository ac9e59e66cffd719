"""Telling the routers of a subscription that its facts have changed: part of the change's own transaction."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import update

from core.among import among
from core.database import Transaction
from provisioning.routeros.models import RouterService

CONVERGE = "router.converge"


def touch_routers(tx: Transaction, subscription_ids: Collection[int]) -> None:
    """Mark what the routers serve of these subscriptions as changed, and ask for those routers' convergence."""
    if not subscription_ids:
        return
    theirs = among(tx.session, RouterService.subscription_id, sorted(subscription_ids))
    touched = update(RouterService).where(theirs).values(touched_at=tx.now).returning(RouterService.router_id)
    options = {"synchronize_session": False}
    for router_id in sorted(set(tx.session.scalars(touched, execution_options=options))):
        tx.enqueue(CONVERGE, str(router_id))
