"""A router that is a NAS too: finding the NAS, and not losing it while the router names it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from core.database import Transaction
from core.errors import Conflict
from provisioning.routeros.models import Router
from radius import nas
from radius.models import Nas


def nas_id_of(tx: Transaction, given: int | str | None) -> int | None:
    """The number of the NAS that is named by its number or its name; None or "" for none. NotFound."""
    if given is None or given == "":
        return None
    if isinstance(given, int) or given.isdecimal():
        return nas.get_nas(tx, int(given)).id
    return nas.find_nas(tx, given).id


def nas_that_answer(tx: Transaction, routers: Sequence[Router]) -> set[int | None]:
    """Those of the routers' NAS that RADIUS answers."""
    ids = {router.nas_id for router in routers if router.nas_id is not None}
    return set(tx.session.scalars(select(Nas.id).where(Nas.id.in_(ids), Nas.enabled.is_(True))))


def remove_nas(tx: Transaction, nas_id: int) -> None:
    """As `radius.nas.remove_nas`; Conflict while a router is that NAS: RADIUS would have its subscriptions no more."""
    holder = tx.session.scalar(select(Router).where(Router.nas_id == nas_id).order_by(Router.id).limit(1))
    if holder is not None:
        detail = f"router {holder.name} is this NAS: remove the router, or change it to another NAS or none, first"
        raise Conflict(detail, router_id=holder.id, router_name=holder.name)
    nas.remove_nas(tx, nas_id)
