"""Plans: what is sold."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Cents, Instant, PathKey, Rate, Text
from api.models import Body, Change, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from provisioning import plans
from provisioning.models import Plan

router = APIRouter(prefix="/api/v1/plans", tags=["plan"])
PlanId = Annotated[PathKey, Path(description="The plan's id", examples=[3])]


class PlanIn(Body):
    name: Text = Field(description="The plan's name, unique", examples=["Fibra 500 Mega"])
    price_cents: Cents = Field(description="Monthly price, in cents", examples=[9990])
    download_bps: Rate = Field(description="Speed towards the subscriber", examples=["500M"])
    upload_bps: Rate = Field(description="Speed from the subscriber", examples=["250M"])
    reduced_download_bps: Rate | None = Field(
        None, description="Speed towards the subscriber while REDUCED; null: the company's", examples=["1M"]
    )
    reduced_upload_bps: Rate | None = Field(
        None, description="Speed from the subscriber while REDUCED; null: the company's", examples=["1M"]
    )
    technology: Text = Field("", description="How it reaches the subscriber", examples=["FTTH"])
    group: Text = Field("", description="Profile or group on the router", examples=["residencial"])
    pool: Text = Field("", description="Address pool on the router", examples=["cgnat-1"])
    address_list: Text = Field("", description="Address list on the router", examples=["clientes"])
    ipv6_pool: Text = Field("", description="Pool of IPv6 prefixes for the link itself", examples=["v6-enlace"])
    delegated_ipv6_pool: Text = Field("", description="Pool of IPv6 prefixes to delegate", examples=["v6-clientes"])


class PlanChange(Change):
    name: Text = Field(default_factory=str, description="The plan's name", examples=["Fibra 600 Mega"])
    price_cents: Cents = Field(default_factory=int, description="Monthly price, in cents", examples=[10990])
    download_bps: Rate = Field(default_factory=int, description="Speed towards the subscriber", examples=["600M"])
    upload_bps: Rate = Field(default_factory=int, description="Speed from the subscriber", examples=["300M"])
    reduced_download_bps: Rate | None = Field(
        None, description="Speed towards the subscriber while REDUCED; null: the company's", examples=["1M"]
    )
    reduced_upload_bps: Rate | None = Field(
        None, description="Speed from the subscriber while REDUCED; null: the company's", examples=["1M"]
    )
    technology: Text = Field(default_factory=str, description="How it reaches the subscriber", examples=["FTTH"])
    group: Text = Field(default_factory=str, description="Profile or group on the router", examples=["residencial"])
    pool: Text = Field(default_factory=str, description="Address pool on the router", examples=["cgnat-1"])
    address_list: Text = Field(default_factory=str, description="Address list on the router", examples=["clientes"])
    ipv6_pool: Text = Field(
        default_factory=str, description="Pool of IPv6 prefixes for the link itself", examples=["v6-enlace"]
    )
    delegated_ipv6_pool: Text = Field(
        default_factory=str, description="Pool of IPv6 prefixes to delegate", examples=["v6-clientes"]
    )


class CloneIn(PlanChange):
    name: Text = Field(description="The new plan's name, unique", examples=["Fibra 500 Mega Empresas"])


class PlanView(View):
    model_config = columns("id", "name", "price_cents", "download_bps", "upload_bps", "technology")

    id: int = Field(description="The plan's id", examples=[3])
    name: str = Field(description="The plan's name", examples=["Fibra 500 Mega"])
    price_cents: int = Field(description="Monthly price, in cents", examples=[9990])
    download_bps: int = Field(description="Speed towards the subscriber, in bits per second", examples=[500000000])
    upload_bps: int = Field(description="Speed from the subscriber, in bits per second", examples=[250000000])
    reduced_download_bps: int | None = Field(description="Speed towards while REDUCED", examples=[1000000])
    reduced_upload_bps: int | None = Field(description="Speed from while REDUCED", examples=[1000000])
    technology: str = Field(description="How it reaches the subscriber", examples=["FTTH"])
    group: str = Field(description="Profile or group on the router", examples=["residencial"])
    pool: str = Field(description="Address pool on the router", examples=["cgnat-1"])
    address_list: str = Field(description="Address list on the router", examples=["clientes"])
    ipv6_pool: str = Field(description="Pool of IPv6 prefixes for the link itself", examples=["v6-enlace"])
    delegated_ipv6_pool: str = Field(description="Pool of IPv6 prefixes to delegate", examples=["v6-clientes"])
    created_at: Instant = Field(description="When it was added", examples=["2026-03-02T12:00:00Z"])


@router.post("", operation_id="plan.add", status_code=201, summary="Add a plan")
def add(request: Request, body: PlanIn) -> PlanView:
    return write(request, lambda tx: PlanView.of(plans.add_plan(tx, **body.given())))


@router.get("", operation_id="plan.list", summary="The plans")
def list_plans(
    pages: Pages,
    name: Annotated[
        str | None, Query(max_length=120, description="Only whose name has these letters in it", examples=["fibra"])
    ] = None,
) -> Page[PlanView]:
    wanted = select(Plan)
    if name is not None:
        wanted = wanted.where(Plan.name.icontains(name, autoescape=True))
    return pages.of(wanted, Plan.id, PlanView.of)


@router.get("/{plan_id}", operation_id="plan.show", summary="One plan")
def show(request: Request, plan_id: PlanId) -> PlanView:
    return read(request, lambda tx: PlanView.of(plans.get_plan(tx, plan_id)))


@router.post("/{plan_id}/clone", operation_id="plan.clone", status_code=201, summary="A new plan like this one")
def clone(request: Request, plan_id: PlanId, body: CloneIn) -> PlanView:
    return write(request, lambda tx: PlanView.of(plans.clone_plan(tx, plan_id=plan_id, **body.given())))


@router.patch("/{plan_id}", operation_id="plan.change", summary="Change a plan; live sessions follow")
def change(request: Request, plan_id: PlanId, body: PlanChange) -> PlanView:
    return write(request, lambda tx: PlanView.of(plans.change_plan(tx, plan_id=plan_id, **body.given())))
