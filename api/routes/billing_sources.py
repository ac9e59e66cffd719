"""Other billing systems whose invoices are mirrored here. Their secrets go in and never come out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Flag, Instant, Int, Key, Password, PathKey, Text
from api.models import Body, Change, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from billing_bridge.intake import matching as intake_matching
from billing_bridge.intake import receive as intake
from billing_bridge.intake import sources as intake_sources
from billing_bridge.intake.models import BillingSource
from core.database import Transaction

router = APIRouter(prefix="/api/v1/billing-sources", tags=["billing-source"])
SourceId = Annotated[PathKey, Path(description="The source's id", examples=[3])]
_KIND = "push (it sends us events) or hubsoft (we ask it)"
_SECRET = "Key of the signatures (push, at least 24 characters) or the client's secret (hubsoft); never shown"  # noqa: S105
_WINDOW = "For hubsoft: how many days back a full comparison looks; invoices that are open here are always looked at"
_SILENCE = "For push: after how many hours without an event it counts as failing; null: never"


class SourceIn(Body):
    name: Text = Field(max_length=60, description="The source's name, unique", examples=["ERP da matriz"])
    kind: Text = Field("push", max_length=16, description=_KIND, examples=["push"])
    secret: Password = Field(description=_SECRET, examples=["twenty-four-characters-or-more"])
    enabled: Flag = Field(True, description="Whether it is believed", examples=[True])
    base_url: Text = Field("", max_length=300, description="For hubsoft: its address", examples=["https://api.example"])
    client_id: Text = Field("", max_length=120, description="For hubsoft: the client's id", examples=["12"])
    username: Text = Field("", description="For hubsoft: the user", examples=["api@provedor.example"])
    password: Password | None = Field(None, description="For hubsoft: the user's password", examples=["s3nha-longa"])
    window_days: Int | None = Field(None, description=_WINDOW, examples=[90])
    expect_every_hours: Int | None = Field(None, description=_SILENCE, examples=[24])


class SourceChange(Change):
    name: Text = Field(default_factory=str, max_length=60, description="The source's name", examples=["ERP"])
    enabled: Flag = Field(default_factory=bool, description="Whether it is believed", examples=[False])
    base_url: Text = Field(
        default_factory=str, max_length=300, description="For hubsoft: its address", examples=["https://api.example"]
    )
    client_id: Text = Field(default_factory=str, max_length=120, description="The client's id", examples=["12"])
    username: Text = Field(default_factory=str, description="For hubsoft: the user", examples=["api@provedor.example"])
    password: Password | None = Field(None, description="For hubsoft: the user's password", examples=["s3nha-longa"])
    window_days: Int = Field(default_factory=int, description=_WINDOW, examples=[90])
    expect_every_hours: Int | None = Field(None, description=_SILENCE, examples=[24])


class RotateIn(Body):
    secret: Password = Field(description=_SECRET, examples=["another-twenty-four-characters"])
    keep_hours: Int = Field(24, description="For how long the replaced one is taken too", examples=[24])


class LinkIn(Body):
    external_id: Text = Field(max_length=80, description="The source's id of a service", examples=["S-77"])
    subscription_id: Key = Field(description="The subscription that it means", examples=[12])


class SourceView(View):
    model_config = columns("id", "name", "kind", "enabled", "last_event_at", "last_full_at", "failure")

    id: int = Field(description="The source's id", examples=[3])
    name: str = Field(description="The source's name", examples=["ERP da matriz"])
    kind: str = Field(description=_KIND, examples=["push"])
    enabled: bool = Field(description="Whether it is believed", examples=[True])
    base_url: str = Field(description="Its address", examples=["https://api.example"])
    client_id: str = Field(description="The client's id", examples=["12"])
    username: str = Field(description="The user", examples=["api@provedor.example"])
    window_days: int | None = Field(description=_WINDOW, examples=[90])
    expect_every_hours: int | None = Field(description=_SILENCE, examples=[24])
    previous_until: Instant | None = Field(
        description="Until when the replaced key of signatures is taken too", examples=["2026-03-06T12:00:00Z"]
    )
    last_event_at: Instant | None = Field(
        description="When it last told us something", examples=["2026-03-05T18:00:00Z"]
    )
    last_full_at: Instant | None = Field(description="The last full comparison", examples=["2026-03-05T06:00:00Z"])
    last_full_count: int | None = Field(description="How many invoices that listed", examples=[4210])
    failing_since: Instant | None = Field(description="Since when it fails", examples=["2026-03-05T06:00:00Z"])
    failures: int = Field(description="How often in a row", examples=[2])
    failure: str = Field(description="Why, the last time", examples=["HTTP 500"])
    created_at: Instant = Field(description="When it was added", examples=["2026-03-02T12:00:00Z"])


class OutcomesView(View):
    billing_source_id: int = Field(description="The source's id", examples=[3])
    received: int = Field(description="Stored and still to be applied", examples=[1])
    applied: int = Field(description="Applied", examples=[4200])
    duplicate: int = Field(description="The same version with the same content was there", examples=[310])
    older: int = Field(description="A newer version was there", examples=[12])
    conflict: int = Field(description="Another content under the same version", examples=[1])
    unmatched: int = Field(description="No such subscription", examples=[3])
    refused: int = Field(description="Could not be read", examples=[2])


class LinkView(View):
    billing_source_id: int = Field(description="The source's id", examples=[3])
    external_id: str = Field(description="Its id of a service", examples=["S-77"])
    subscription_id: int = Field(description="The subscription that it means", examples=[12])


@router.post("", operation_id="billing-source.add", status_code=201, summary="Add a billing source")
def add(request: Request, body: SourceIn) -> SourceView:
    given = {"kind": "push", **body.given()}
    return write(request, lambda tx: shown(intake_sources.add_source(tx, **given)))


@router.get("", operation_id="billing-source.list", summary="The billing sources")
def list_all(pages: Pages) -> Page[SourceView]:
    return pages.of(select(BillingSource), BillingSource.id, shown)


@router.get("/{source_id}", operation_id="billing-source.show", summary="One billing source")
def show(request: Request, source_id: SourceId) -> SourceView:
    return read(request, lambda tx: shown(intake_sources.get_source(tx, source_id)))


@router.patch("/{source_id}", operation_id="billing-source.change", summary="Change, enable or disable a source")
def change(request: Request, source_id: SourceId, body: SourceChange) -> SourceView:
    return write(request, lambda tx: shown(intake_sources.change_source(tx, source_id=source_id, **body.given())))


@router.post(
    "/{source_id}/rotate",
    operation_id="billing-source.rotate",
    summary="Replace its secret; the replaced one is taken too for a while",
)
def rotate(request: Request, source_id: SourceId, body: RotateIn) -> SourceView:
    return write(request, lambda tx: shown(intake_sources.rotate_secret(tx, source_id=source_id, **body.given())))


@router.post(
    "/{source_id}/links", operation_id="billing-source.link", summary="Say which subscription an id of the source means"
)
def link(request: Request, source_id: SourceId, body: LinkIn) -> LinkView:
    def work(tx: Transaction) -> LinkView:
        source = intake_sources.lock_source(tx, source_id)
        intake_matching.link_subscription(tx, source, body.external_id, body.subscription_id)
        intake.retry_unmatched(tx, source_id=source_id)
        return LinkView.model_validate({"billing_source_id": source_id, **body.given()})

    return write(request, work)


@router.get("/{source_id}/outcomes", operation_id="billing-source.outcomes", summary="What became of its events")
def outcomes(request: Request, source_id: SourceId) -> OutcomesView:
    def look(tx: Transaction) -> OutcomesView:
        source = intake_sources.get_source(tx, source_id)
        counts: dict[str, Any] = dict(intake.count_outcomes(tx, source.id))
        return OutcomesView.model_validate({"billing_source_id": source.id, **counts})

    return read(request, look)


def shown(row: BillingSource) -> SourceView:
    settings = {name: row.settings.get(name, "") for name in ("base_url", "client_id", "username")}
    asked = row.settings.get("window_days", intake_sources.WINDOW_DAYS) if row.pulled else None
    return SourceView.of(row, **settings, window_days=asked, expect_every_hours=row.expect_every_hours)
