"""What becomes of a subscription's services when it ends: they go with it, or over to whoever takes its place."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select, update

from core.among import among
from core.database import Transaction
from provisioning.routeros.models import Router, RouterService
from provisioning.routeros.touch import CONVERGE


def hand_on_services(tx: Transaction, *, from_subscription: int, to_subscription: int) -> list[str] | str:
    """Serve the new one as the old one was served; gives the routers' names.

    Before the old one's end, which gives its services up. "its own" where the new one was given some of its own.
    """
    old, new = _live(tx, from_subscription), _live(tx, to_subscription)
    if new:
        return "its own"
    for service, _ in old:
        tx.session.merge(
            RouterService(
                router_id=service.router_id, subscription_id=to_subscription, access=service.access,
                dhcp_server=service.dhcp_server, duid=service.duid, created_at=tx.now, removed_at=None,
                touched_at=tx.now,
            )
        )  # fmt: skip
        tx.enqueue(CONVERGE, str(service.router_id))
    tx.session.flush()
    return [name for _, name in old]


def give_up_services(tx: Transaction, subscription_ids: Collection[int]) -> None:
    """Of subscriptions that are cancelled: the routers serve them no more, and forget them once their rows are gone."""
    if subscription_ids:
        theirs = among(tx.session, RouterService.subscription_id, sorted(subscription_ids))
        given_up = update(RouterService).where(theirs, RouterService.removed_at.is_(None)).values(removed_at=tx.now)
        tx.session.execute(given_up, execution_options={"synchronize_session": "fetch"})


def _live(tx: Transaction, subscription_id: int) -> list[tuple[RouterService, str]]:
    query = select(RouterService, Router.name).join(Router, Router.id == RouterService.router_id)
    mine = (RouterService.subscription_id == subscription_id, RouterService.removed_at.is_(None))
    return [(row.RouterService, row.name) for row in tx.session.execute(query.where(*mine).order_by(Router.id))]
