"""From the database to what a plan follows from: whom a router serves, as the facts say now, and what of it is ours.

A fixed number of queries for any number of subscriptions. Opening a password costs more than the rest of a subscription
together, so only those are opened that a row on the router will hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import select

from core.among import among
from core.database import Transaction
from core.settings import Settings
from provisioning.fact_store import Known, load_known, rules_from
from provisioning.facts import ServiceRules
from provisioning.routeros.desired.facts import Garden, RouterRules, Served
from provisioning.routeros.models import Router, RouterService
from provisioning.routeros.rows import Access, SpeedBy
from provisioning.service_state import answer_at, service_state
from provisioning.warnings.commands import warned_ids
from radius.policy import Grant

_COLUMNS = (
    RouterService.subscription_id,
    RouterService.access,
    RouterService.dhcp_server,
    RouterService.duid,
    RouterService.removed_at,
)


def load_served(tx: Transaction, router: Router, subscription_ids: Collection[int] | None = None) -> list[Served]:
    """Whom the router serves, and whom it has served and has to forget, in order of id; only `subscription_ids`."""
    query = select(*_COLUMNS).where(RouterService.router_id == router.id)
    if subscription_ids is not None:
        query = query.where(among(tx.session, RouterService.subscription_id, subscription_ids))
    services = {row.subscription_id: row for row in tx.session.execute(query)}
    return list(_served(tx, services)) if services else []


def rules_of(router: Router, settings: Settings) -> RouterRules:
    """What of the router is ours, and with what its rows are filled."""
    return RouterRules(
        speed_by=SpeedBy(router.speed_by),
        manages=frozenset(router.manages),
        ppp_service=router.ppp_service,
        ppp_local_address=router.ppp_local_address,
        dhcp_server=router.dhcp_server,
        hotspot_server=router.hotspot_server,
        dhcpv6_server=router.dhcpv6_server,
        reduced_list=router.reduced_list,
        warned_list=router.warned_list,
        suspended_list=settings.suspended_address_list,
        paused_list=settings.paused_address_list,
        garden=Garden.of(router.garden),
    )


def _served(tx: Transaction, services: Mapping[int, Any]) -> Iterator[Served]:
    rules, ids = rules_from(tx.settings), sorted(services)
    warned = warned_ids(tx, ids)
    for known in load_known(tx, ids):
        yield _one(tx, known, services[known.subscription_id], rules, known.subscription_id in warned)


def _one(tx: Transaction, known: Known, service: Any, rules: ServiceRules, warned: bool) -> Served:
    access, answer = Access(service.access), answer_at(known.facts, rules, tx.now)
    bound = known.limits.mac
    held = access is Access.PPP and service.removed_at is None and isinstance(answer, Grant)
    return Served(
        subscription_id=known.subscription_id,
        access=access,
        login=known.login or "",
        password=_password(tx, known) if held else "",
        mac=known.mac or "",
        answer=answer,
        state=service_state(known.facts, rules, tx.now).state,
        warned=warned,
        removed=service.removed_at is not None,
        dhcp_server=service.dhcp_server,
        duid=service.duid,
        bound_mac="" if bound is None else bound.hex(":"),
        session_limit=known.limits.sessions,
    )


def _password(tx: Transaction, known: Known) -> str:
    return "" if known.password is None else tx.keyring.decrypt(known.password.encode("ascii")).decode()
