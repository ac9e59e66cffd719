"""What would be done on a router, doing it, and what somebody did there by hand."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Instant, Int
from api.models import Body, Page, View, columns, for_machines
from api.paging import Pages
from api.requests import context_of, read, runtime_of, write
from api.routes.routers import RouterName
from core.database import Transaction
from provisioning.routeros import approval, router_standing
from provisioning.routeros.models import Router, RouterDrift
from provisioning.routeros.routers import get_router

router = APIRouter(prefix="/api/v1", tags=["router"])
Name = Annotated[str | None, Query(max_length=64, description="Only this router: name or id", examples=["borda-1"])]
_LINES = ["+ /ppp/secret maria@provedor"]


class StepCountsView(View):
    add: int = Field(0, description="Rows to be added", examples=[1])
    change: int = Field(0, description="Rows to be changed", examples=[2])
    remove: int = Field(0, description="Rows to be removed", examples=[0])
    move: int = Field(0, description="Rows to be moved", examples=[0])
    end_session: int = Field(0, description="Live sessions to be ended, so that the next one is right", examples=[1])
    held: int = Field(0, description="Removals that the guard holds back", examples=[0])
    problems: int = Field(0, description="What cannot be done, each with its reason", examples=[0])


class RouterPlanView(View):
    model_config = for_machines("plan")

    router_id: int = Field(description="The router's id", examples=[1])
    name: str = Field(description="Its name", examples=["borda-1"])
    in_step: bool = Field(description="Whether there is nothing to do, nothing held and no problem", examples=[False])
    summary: StepCountsView = Field(description="How many steps of each kind")
    words: list[str] = Field(description="The plan in words, a step a line", examples=[_LINES])
    plan: dict[str, Any] = Field(description="The plan for machines", examples=[{"steps": []}])


class ApplyIn(Body):
    approve_removals: Int | None = Field(
        None,
        ge=1,
        description="Let so many removals that the guard holds back go: the number that the plan showed",
        examples=[12],
    )


class ApplyView(View):
    router_id: int = Field(description="The router's id", examples=[1])
    name: str = Field(description="Its name", examples=["borda-1"])
    done: int = Field(description="Steps that were done", examples=[3])
    refused: list[str] = Field(description="What the router refused, and its words", examples=[[]])
    left: int = Field(description="Steps that are left; they are done by themselves in the next turn", examples=[0])
    held: int = Field(description="Removals that the guard holds back", examples=[0])
    problems: list[str] = Field(description="What cannot be done, and how to mend it", examples=[[]])
    in_step: bool = Field(description="Whether all of it is proven", examples=[True])
    words: list[str] = Field(description="What was planned, in words", examples=[_LINES])
    outcome: str = Field(description="How it ended", examples=["3 steps done"])


class RouterStatusView(View):
    model_config = columns("id", "name", "in_step", "differing", "touched", "differs_since", "trouble", "seen_at")

    id: int = Field(description="The router's id", examples=[1])
    name: str = Field(description="Its name", examples=["borda-1"])
    enabled: bool = Field(description="Whether it is held at all", examples=[True])
    in_step: bool = Field(description="Whether all of it is proven to be as it should", examples=[True])
    services: int = Field(description="How many services it has", examples=[1000])
    differing: int = Field(description="How many are known not to be as they should", examples=[0])
    touched: int = Field(description="How many wait to be looked at because their facts changed", examples=[0])
    differs_since: Instant | None = Field(
        description="Since when something has differed or waited; null: nothing does", examples=["2026-03-02T12:00:00Z"]
    )
    reasons: dict[str, int] = Field(description="Why, and of how many", examples=[{"not done yet": 3}])
    version: str = Field(description="Its RouterOS", examples=["7.20.4"])
    identity: str = Field(description="How it calls itself", examples=["borda-1"])
    board: str = Field(description="What it runs on", examples=["CCR2004-16G-2S+"])
    seen_at: Instant | None = Field(description="When it last answered", examples=["2026-03-02T12:00:00Z"])
    full_at: Instant | None = Field(
        description="When all of it was last read; null: never, or it is to be read anew",
        examples=["2026-03-02T12:00:00Z"],
    )
    failures: int = Field(description="How often it failed since it last answered", examples=[0])
    retry_at: Instant | None = Field(
        description="It is not tried before; null: at any time", examples=["2026-03-02T12:05:00Z"]
    )
    trouble: str = Field(description="Why it failed; empty: it did not", examples=["nobody answers"])
    trouble_since: Instant | None = Field(description="Since when it fails", examples=["2026-03-02T12:00:00Z"])
    plan_at: Instant | None = Field(description="When all of it was last planned", examples=["2026-03-02T12:00:00Z"])
    plan: StepCountsView = Field(description="What there was to do then")
    held: int = Field(description="Removals that the guard holds back", examples=[0])
    drift: int = Field(description="Rows that somebody changed by hand and that are still so", examples=[0])
    maintenance_since: Instant | None = Field(
        description="Nothing is written to it since then", examples=["2026-03-02T12:00:00Z"]
    )
    maintenance_note: str = Field(description="Why", examples=["firmware"])


class DriftView(View):
    model_config = columns("id", "router_name", "subscription_id", "menu", "name", "kind", "who", "status", "found_at")

    id: int = Field(description="The row's id", examples=[1])
    router_id: int = Field(description="On which router", examples=[1])
    router_name: str = Field(description="Its name", examples=["borda-1"])
    subscription_id: int | None = Field(description="Whose row; null: the router's own", examples=[12])
    menu: str = Field(description="In which menu", examples=["/ppp/secret"])
    key: str = Field(description="What its mark says", examples=["s12:secret"])
    name: str = Field(description="How it is called there", examples=["maria@provedor"])
    kind: str = Field(description="changed, removed or added", examples=["changed"])
    details: dict[str, Any] = Field(
        description="Field → ours and theirs", examples=[{"profile": ["catraca-50M-25M", "default"]}]
    )
    who: str = Field(
        description="Who did it and when, as the router's log tells; empty: it does not",
        examples=["admin from 192.0.2.7 by winbox, 12:03:04"],
    )
    found_at: Instant = Field(description="When it was found", examples=["2026-03-02T12:00:00Z"])
    status: str = Field(description="open, repaired or gone", examples=["repaired"])
    ended_at: Instant | None = Field(description="When it was over", examples=["2026-03-02T12:00:03Z"])


class CheckView(View):
    words: str = Field(description="What happens now", examples=["all of router borda-1 is read and planned anew"])


@router.get("/router-status", operation_id="router.status", summary="How the routers stand, since when and why")
def status(
    request: Request,
    pages: Pages,
    name: Name = None,
) -> Page[RouterStatusView]:
    def look(tx: Transaction) -> Page[RouterStatusView]:
        query = select(Router).where(Router.id > (pages.place or 0)).order_by(Router.id).limit(pages.limit + 1)
        rows = list(tx.session.scalars(query)) if name is None else [get_router(tx, name)]
        found = router_standing.standing_of(tx, rows)
        return pages.made([(row.id, found[row.id]) for row in rows], RouterStatusView.of)

    return read(request, look)


@router.get("/router-drift", operation_id="router.drift", summary="Rows of ours that somebody changed at a router")
def drift(
    request: Request,
    pages: Pages,
    name: Name = None,
    status: Annotated[
        Literal["open", "repaired", "gone"] | None, Query(description="Only with this status", examples=["open"])
    ] = None,
    subscription_id: Annotated[int | None, Query(description="Only of this subscription", examples=[12])] = None,
) -> Page[DriftView]:
    query = select(RouterDrift, Router.name).join(Router, Router.id == RouterDrift.router_id)
    query = query.where(RouterDrift.id > (pages.place or 0)).order_by(RouterDrift.id).limit(pages.limit + 1)
    if name is not None:
        query = query.where(Router.id == int(name) if name.isdecimal() else Router.name == name)
    if status is not None:
        query = query.where(RouterDrift.status == status)
    if subscription_id is not None:
        query = query.where(RouterDrift.subscription_id == subscription_id)

    def look(tx: Transaction) -> Page[DriftView]:
        rows = tx.session.execute(query).all()
        return pages.made(
            [(row.id, (row, name)) for row, name in rows], lambda one: DriftView.of(one[0], router_name=one[1])
        )

    return read(request, look)


@router.get(
    "/routers/{router}/plan",
    operation_id="router.plan",
    summary="What would be done on a router; it only reads",
)
def plan(
    request: Request,
    router: RouterName,
    language: Annotated[Literal["en", "pt"], Query(description="The language of the words", examples=["en"])] = "en",
) -> RouterPlanView:
    return RouterPlanView.of(approval.look(runtime_of(request), router, language))


@router.post("/routers/{router}/apply", operation_id="router.apply", summary="Do what the plan says, and prove it")
def apply(request: Request, router: RouterName, body: ApplyIn) -> ApplyView:
    actor = context_of(request).actor
    return ApplyView.of(approval.apply_now(runtime_of(request), router, actor, body.approve_removals))


@router.post("/routers/{router}/check", operation_id="router.check", summary="Have all of a router read now")
def check(request: Request, router: RouterName) -> CheckView:
    def work(tx: Transaction) -> CheckView:
        row = approval.ask_for_check(tx, router)
        return CheckView(words=f"all of router {row.name} is read and planned anew")

    return write(request, work)
