"""Routers and whom they serve, for tests."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from core.database import Transaction
from core.job_queue import Job
from ipam.models import Subnet
from provisioning.addresses import assign_address
from provisioning.models import Subscription
from provisioning.routeros.models import Router, RouterService, RouterStatus
from provisioning.routeros.routers import add_router
from provisioning.routeros.services.commands import serve
from provisioning.routeros.touch import CONVERGE
from tests.factories import make_subscription
from tests.factories_ipam import make_subnet

API_PASSWORD = "catraca-secret"
_numbers = itertools.count(1)


def make_router(tx: Transaction, **values: Any) -> Router:
    """An enabled router on a documentation address, unless told otherwise, as its emulator would let us in."""
    number = next(_numbers)
    given = {"name": f"borda-{number}", "address": "192.0.2.1", "login": "catraca", "password": API_PASSWORD}
    return add_router(tx, **{**given, **values})


def make_served(
    tx: Transaction,
    router: Router,
    access: str = "ppp",
    *,
    subnet: Subnet | None = None,
    dhcp_server: str = "",
    duid: str = "",
    **values: Any,
) -> Subscription:
    """An active subscription that the router serves, with the next fixed address of `subnet` where one is given."""
    if access in ("dhcp", "hotspot"):
        values.setdefault("mac", _mac(next(_numbers)))
    subscription = make_subscription(tx, **values)
    if subnet is not None:
        assign_address(tx, subscription_id=subscription.id, subnet_id=subnet.id)
    serve(tx, router=router.id, subscription_id=subscription.id, access=access, dhcp_server=dhcp_server, duid=duid)
    return subscription


def _mac(number: int) -> str:
    return f"02:00:5e:20:{number >> 8 & 255:02x}:{number & 255:02x}"


def make_homes(tx: Transaction, cidr: str = "100.64.0.0/24") -> Subnet:
    """A subnet that fixed addresses come from."""
    return make_subnet(tx, cidr)


def service_of(tx: Transaction, router_id: int, subscription_id: int) -> RouterService:
    query = select(RouterService).where(
        RouterService.router_id == router_id, RouterService.subscription_id == subscription_id
    )
    return tx.session.scalars(query, execution_options={"populate_existing": True}).one()


def touched_at(tx: Transaction, router_id: int, subscription_id: int) -> datetime | None:
    return service_of(tx, router_id, subscription_id).touched_at


def settle(tx: Transaction) -> None:
    """As if every router had been proven: nothing is touched, nothing waits. In a transaction of its own."""
    tx.session.flush()
    tx.session.execute(update(RouterService).values(touched_at=None))
    tx.session.execute(update(RouterStatus).values(full_at=tx.now, failures=0, retry_at=None))
    tx.session.execute(update(Job).where(Job.kind == CONVERGE).values(status="done", done_at=tx.now))


def waiting(tx: Transaction) -> set[str]:
    """The numbers of the routers whose convergence is asked for."""
    return set(tx.session.scalars(select(Job.key).where(Job.kind == CONVERGE, Job.status == "waiting")))
