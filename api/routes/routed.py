"""Routed prefixes: a subscription's framed and delegated IPv6 prefix, and the routes behind its router."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Address, Instant, Network, Note, PathKey
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from core.database import Transaction
from ipam import routed
from provisioning import prefixes
from provisioning.subscriptions import get_subscription

router = APIRouter(prefix="/api/v1", tags=["subscription"])
SubscriptionId = Annotated[PathKey, Path(description="The subscription's id", examples=[12])]
_PURPOSE = "framed: on its link; delegated: handed to its router by DHCPv6; route: routed to it"


class PrefixIn(Body):
    purpose: Literal["framed", "delegated", "route"] = Field(description=_PURPOSE, examples=["delegated"])
    network: Network = Field(description="The network, without host bits", examples=["2001:db8:700::/56"])


class PrefixOut(Body):
    network: Network = Field(description="The network, as it was given", examples=["2001:db8:700::/56"])
    note: Note = Field("", description="Why", examples=["moved to a plan without a fixed prefix"])


class PrefixView(View):
    model_config = columns("id", "subscription_id", "purpose", "network", "created_at")

    id: int = Field(description="The prefix's id", examples=[5])
    subscription_id: int = Field(description="Whose it is", examples=[12])
    purpose: str = Field(description=_PURPOSE, examples=["delegated"])
    network: Network = Field(description="The network", examples=["2001:db8:700::/56"])
    created_at: Instant = Field(description="Since when", examples=["2026-03-02T12:00:00Z"])


class Prefixes(View):
    items: list[PrefixView] = Field(description="What is routed to the subscription, by family and address")


@router.post(
    "/subscriptions/{subscription_id}/prefixes",
    operation_id="subscription.give-prefix",
    status_code=201,
    summary="Route a prefix to a subscription",
)
def give_prefix(request: Request, subscription_id: SubscriptionId, body: PrefixIn) -> PrefixView:
    def work(tx: Transaction) -> PrefixView:
        return PrefixView.of(prefixes.give_prefix(tx, subscription_id=subscription_id, **body.given()))

    return write(request, work)


@router.post(
    "/subscriptions/{subscription_id}/withdraw-prefix",
    operation_id="subscription.withdraw-prefix",
    summary="Route a prefix to a subscription no more",
)
def withdraw_prefix(request: Request, subscription_id: SubscriptionId, body: PrefixOut) -> PrefixView:
    def work(tx: Transaction) -> PrefixView:
        return PrefixView.of(prefixes.withdraw_prefix(tx, subscription_id=subscription_id, **body.given()))

    return write(request, work)


@router.get(
    "/subscriptions/{subscription_id}/prefixes",
    operation_id="subscription.prefixes",
    summary="What is routed to a subscription",
)
def show(request: Request, subscription_id: SubscriptionId) -> Prefixes:
    def look(tx: Transaction) -> Prefixes:
        get_subscription(tx, subscription_id)
        found = routed.prefixes_of(tx, [subscription_id]).get(subscription_id, ())
        return Prefixes(items=[PrefixView.of(prefix) for prefix in found])

    return read(request, look)


@router.get("/prefixes", operation_id="prefix.list", summary="Every routed prefix, or the one around an address")
def list_prefixes(
    request: Request,
    pages: Pages,
    around: Annotated[
        Address | None, Query(description="Only the one that this address lies in", examples=["2001:db8:700::1"])
    ] = None,
) -> Page[PrefixView]:
    def look(tx: Transaction) -> Page[PrefixView]:
        found = routed.list_prefixes(tx, around=around, after=pages.place or 0, limit=pages.limit + 1)
        return pages.made([(prefix.id, prefix) for prefix in found], PrefixView.of)

    return read(request, look)
