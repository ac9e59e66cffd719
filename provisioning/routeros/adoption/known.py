"""What the product knows that a router's rows can be compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from ipaddress import IPv4Network
from typing import cast

from sqlalchemy import select

from core.database import Transaction
from ipam.lookup import fixed_addresses_of
from ipam.models import Subnet
from provisioning.facts import ServiceState
from provisioning.models import Plan, Subscriber, Subscription
from provisioning.routeros.adoption.facts import Known, KnownPlan, KnownSubscriber, KnownSubscription
from provisioning.routeros.models import Router, RouterService
from provisioning.routeros.routers import get_router

RESTRICTED = frozenset({ServiceState.SUSPENDED.value, ServiceState.PAUSED.value})


def load_known(tx: Transaction, router_id: int, restricting: Collection[str]) -> Known:
    """Subscriptions that are not cancelled, plans, subscribers and subnets; a fixed number of queries."""
    plans = {row.id: row for row in tx.session.scalars(select(Plan).order_by(Plan.id))}
    return Known(
        _subscriptions(tx, plans, router_id),
        tuple(KnownPlan(row.id, row.name, (row.upload_bps, row.download_bps)) for row in plans.values()),
        tuple(
            KnownSubscriber(*row)
            for row in tx.session.execute(select(Subscriber.id, Subscriber.name, Subscriber.document))
        ),
        tuple(cast("IPv4Network", row.network) for row in tx.session.scalars(select(Subnet).where(Subnet.family == 4))),
        restricting=frozenset({*restricting, tx.settings.suspended_address_list, tx.settings.paused_address_list}),
        local_address=get_router(tx, router_id).ppp_local_address,
    )


def _subscriptions(tx: Transaction, plans: Mapping[int, Plan], router_id: int) -> tuple[KnownSubscription, ...]:
    columns = (
        Subscription.id, Subscription.subscriber_id, Subscriber.name, Subscription.plan_id, Subscription.state,
        Subscription.login, Subscription.password, Subscription.mac, Subscription.bound_mac,
    )  # fmt: skip
    wanted = select(*columns).join(Subscriber, Subscriber.id == Subscription.subscriber_id)
    found = tx.session.execute(wanted.where(Subscription.cancelled_at.is_(None)).order_by(Subscription.id)).all()
    addresses = fixed_addresses_of(tx, [row.id for row in found])
    elsewhere = _other_routers(tx, router_id)
    return tuple(
        KnownSubscription(
            row.id,
            row.subscriber_id,
            row.name,
            row.plan_id,
            (plans[row.plan_id].upload_bps, plans[row.plan_id].download_bps),
            row.state,
            row.login or "",
            row.password,
            row.mac or "",
            row.bound_mac or "",
            str(addresses.get(row.id, "")),
            plans[row.plan_id].pool,
            row.state in RESTRICTED,
            tuple(elsewhere.get(row.id, ())),
        )
        for row in found
    )


def _other_routers(tx: Transaction, router_id: int) -> Mapping[int, list[str]]:
    query = select(RouterService.subscription_id, Router.name).join(Router, Router.id == RouterService.router_id)
    query = query.where(RouterService.removed_at.is_(None), RouterService.router_id != router_id)
    found: dict[int, list[str]] = defaultdict(list)
    for subscription_id, name in tx.session.execute(query.order_by(Router.name)):
        found[subscription_id].append(name)
    return found
