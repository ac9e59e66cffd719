"""Which router serves which subscription, and how."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request

from api.fields import Flag, Instant, Int, Key, Note, Text
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from api.routes.interventions import SubscriptionId
from api.routes.routers import RouterName
from core.database import Transaction
from provisioning.routeros.routers import get_router
from provisioning.routeros.rows import Access
from provisioning.routeros.services import commands as services
from provisioning.routeros.services.listing import line_of, lines_of_router, lines_of_subscription
from provisioning.routeros.services.rules import MOST_IDS

router = APIRouter(prefix="/api/v1", tags=["router"])
_ACCESS = f"How it is served, one of {', '.join(Access)}; radius: RADIUS gives it everything, the router is only read"
_DHCP = "The DHCP server of its lease, only with access dhcp; empty: the router's"
_DUID = "The DUID of its DHCPv6 client, in hexadecimal; empty: none"
_FILTERS = ("subscription_ids", "plan_id", "city", "unplaced")


class ServiceIn(Body):
    subscription_id: Key = Field(description="Which subscription", examples=[12])
    access: Text = Field(max_length=8, description=_ACCESS, examples=["ppp"])
    dhcp_server: Text = Field("", max_length=64, description=_DHCP, examples=[""])
    duid: Text = Field("", max_length=400, description=_DUID, examples=["0x00030001d4ca6d010203"])
    note: Note = Field("", description="Why, for the timeline", examples=["the line was moved to this router"])


class ServiceEnd(Body):
    subscription_id: Key = Field(description="Which subscription", examples=[12])
    note: Note = Field("", description="Why, for the timeline", examples=["the line was moved to another router"])


class ServicesIn(Body):
    access: Text = Field(max_length=8, description=_ACCESS, examples=["dhcp"])
    dhcp_server: Text = Field("", max_length=64, description=_DHCP, examples=[""])
    subscription_ids: Annotated[list[Key], Field(max_length=MOST_IDS)] | None = Field(
        None, description="Only among these subscriptions", examples=[[12, 13]]
    )
    plan_id: Key | None = Field(None, description="Only those of this plan", examples=[3])
    city: Text | None = Field(None, max_length=120, description="Only of subscribers of this city", examples=["Itu"])
    unplaced: Flag = Field(False, description="Only those that no router serves", examples=[True])

    def wanted(self) -> dict[str, Any]:
        """The keyword arguments that a preview and the command have in common."""
        given = self.given()
        return {name: given[name] for name in ("access", "dhcp_server", *_FILTERS) if name in given}


class ServicesStart(ServicesIn):
    expected: Int = Field(description="How many the preview was going to serve", ge=0, examples=[310])
    note: Note = Field("", description="Why, for every timeline", examples=["everybody of this tower"])


class ProspectView(View):
    total: int = Field(description="How many are selected", examples=[320])
    to_serve: int = Field(description="How many would be served anew", examples=[310])
    already: int = Field(description="How many the router serves already; they stay as they are", examples=[8])
    elsewhere: int = Field(description="Of those to serve, how many another router serves too", examples=[0])
    refused: dict[str, int] = Field(
        description="How many are left out, and why", examples=[{"without a login, which ppp needs": 2}]
    )


class RouterServiceView(View):
    model_config = columns(
        "router_name", "subscription_id", "subscriber_name", "login", "access", "differs_since", "why"
    )

    router_id: int = Field(description="Which router", examples=[1])
    router_name: str = Field(description="Its name", examples=["borda-1"])
    subscription_id: int = Field(description="Which subscription", examples=[12])
    subscriber_name: str = Field(description="Whose it is", examples=["Maria da Silva"])
    login: str | None = Field(description="Its login", examples=["maria@provedor"])
    state: str = Field(description="Its state", examples=["ACTIVE"])
    access: str = Field(description=_ACCESS, examples=["ppp"])
    dhcp_server: str = Field(description=_DHCP, examples=["dhcp1"])
    duid: str = Field(description=_DUID, examples=["0x00030001d4ca6d010203"])
    created_at: Instant = Field(description="Since when", examples=["2026-03-02T12:00:00Z"])
    removed_at: Instant | None = Field(
        description="It does so no more, and its rows go; null: it does", examples=["2026-03-02T12:00:00Z"]
    )
    touched_at: Instant | None = Field(
        description="When facts changed that wait for the router; null: none wait", examples=["2026-03-02T12:00:00Z"]
    )
    differs_since: Instant | None = Field(
        description="Since when the router is not as it should be; null: it is", examples=["2026-03-02T12:00:00Z"]
    )
    why: str = Field(description="Why", examples=["no fixed address"])
    advice: list[str] = Field(
        description="What is missing until it can be held, and who owns its speed",
        examples=[["it needs a fixed address: the subscription has none yet"]],
    )


@router.post("/routers/{router}/services", operation_id="router.serve", summary="Let a router serve a subscription")
def serve(request: Request, router: RouterName, body: ServiceIn) -> RouterServiceView:
    def work(tx: Transaction) -> RouterServiceView:
        return RouterServiceView.of(line_of(tx, services.serve(tx, router=router, **body.given())))

    return write(request, work)


@router.post(
    "/routers/{router}/services/stop",
    operation_id="router.stop-serving",
    summary="Let a router serve a subscription no more: its rows there are taken away",
)
def stop(request: Request, router: RouterName, body: ServiceEnd) -> RouterServiceView:
    def work(tx: Transaction) -> RouterServiceView:
        return RouterServiceView.of(line_of(tx, services.stop_serving(tx, router=router, **body.given())))

    return write(request, work)


@router.post(
    "/routers/{router}/services/preview",
    operation_id="router.preview-services",
    summary="How many subscriptions `router.serve-many` would serve; changes nothing",
)
def preview(request: Request, router: RouterName, body: ServicesIn) -> ProspectView:
    def look(tx: Transaction) -> ProspectView:
        return ProspectView.of(services.preview_serve_many(tx, router=router, **body.wanted()))

    return read(request, look)


@router.post(
    "/routers/{router}/services/many",
    operation_id="router.serve-many",
    summary="Let a router serve all that are selected; refused when they are not as many as in the preview",
)
def serve_many(request: Request, router: RouterName, body: ServicesStart) -> ProspectView:
    def work(tx: Transaction) -> ProspectView:
        wanted = {**body.wanted(), "expected": body.expected, "note": body.note}
        return ProspectView.of(services.serve_many(tx, router=router, **wanted))

    return write(request, work)


@router.get("/routers/{router}/services", operation_id="router.services", summary="Whom a router serves")
def of_router(request: Request, router: RouterName, pages: Pages) -> Page[RouterServiceView]:
    def look(tx: Transaction) -> Page[RouterServiceView]:
        row = get_router(tx, router)
        found = lines_of_router(tx, row, after=pages.place or 0, limit=pages.limit + 1)
        return pages.made([(line.subscription_id, line) for line in found], RouterServiceView.of)

    return read(request, look)


@router.get(
    "/subscriptions/{subscription_id}/routers",
    operation_id="subscription.routers",
    summary="Which routers serve a subscription, and whether they are as they should be",
)
def of_subscription(request: Request, subscription_id: SubscriptionId) -> Page[RouterServiceView]:
    def look(tx: Transaction) -> Page[RouterServiceView]:
        found = lines_of_subscription(tx, subscription_id)
        return Page(items=[RouterServiceView.of(line) for line in found], next=None)

    return read(request, look)
