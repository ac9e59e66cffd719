"""Mass plan changes: what they would do, their start, how far they are, what became of each subscription."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Flag, Instant, Key, Note, PathKey, Text
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from core.database import Transaction
from provisioning.facts import ServiceState
from provisioning.mass_change import commands as mass_change
from provisioning.mass_change.models import MassChange, MassChangeRow
from provisioning.mass_change.selection import MOST_IDS

router = APIRouter(prefix="/api/v1/mass-changes", tags=["mass-change"])
MassChangeId = Annotated[PathKey, Path(description="The mass change's id", examples=[5])]
Ids = Annotated[list[Key], Field(max_length=MOST_IDS)]
_SELECTION = ("states", "city", "region", "technology", "group", "subscriber_ids", "include", "exclude")


class MassChangeIn(Body):
    plan_id: Key = Field(description="The plan that they move to", examples=[4])
    change_price: Flag = Field(
        True, description="They cost what the new plan costs; otherwise what they cost so far", examples=[True]
    )
    from_plan_id: Key | None = Field(None, description="Only those of this plan", examples=[3])
    states: list[ServiceState] | None = Field(None, description="Only in these states", examples=[["ACTIVE"]])
    city: Text = Field("", max_length=120, description="Only of subscribers of this city", examples=["Itu"])
    region: Text = Field("", max_length=2, description="Only of subscribers of this state", examples=["SP"])
    technology: Text = Field("", max_length=40, description="Only whose plan has this technology", examples=["Radio"])
    group: Text = Field("", max_length=64, description="Only whose plan is of this group", examples=["residencial"])
    subscriber_ids: Ids | None = Field(None, description="Only of these subscribers", examples=[[7, 8]])
    include: Ids | None = Field(None, description="Only among these subscriptions", examples=[[12, 13]])
    exclude: Ids = Field(default_factory=list, description="But not these subscriptions", examples=[[14]])

    def wanted(self) -> dict[str, Any]:
        """The keyword arguments that a preview and a start have in common."""
        given = self.given()
        chosen = {name: given[name] for name in _SELECTION if given.get(name) is not None}
        if given.get("from_plan_id") is not None:
            chosen["plan_id"] = given["from_plan_id"]
        return {"plan_id": self.plan_id, "change_price": self.change_price, "selection": chosen}


class MassChangeStart(MassChangeIn):
    digest: Text = Field(description="The digest of the preview that was looked at", examples=["9f86d081884c7d65"])
    note: Note = Field("", description="Why, for every timeline", examples=["everybody on 20 Mega gets 50 Mega"])


class MassChangeStop(Body):
    note: Note = Field("", description="Why", examples=["the wrong plan"])


class MassPreviewRowView(View):
    model_config = columns("subscription_id", "subscriber_name", "plan_name", "new_plan_name", "cents", "new_cents")

    subscription_id: int = Field(description="Which subscription", examples=[12])
    subscriber_name: str = Field(description="Whose it is", examples=["Maria da Silva"])
    state: str = Field(description="Its state", examples=["ACTIVE"])
    plan_name: str = Field(description="Its plan now", examples=["20 Mega"])
    new_plan_name: str = Field(description="Its plan then", examples=["50 Mega"])
    download_bps: int = Field(description="Its plan's download speed now, in bits per second", examples=[20000000])
    new_download_bps: int = Field(description="Its plan's download speed then", examples=[50000000])
    cents: int = Field(description="What it costs a month now, in cents", examples=[7990])
    new_cents: int = Field(description="What it costs then", examples=[9990])
    changes: bool = Field(description="Whether it is changed; otherwise it is skipped", examples=[True])
    warning: str = Field(description="What one should know", examples=["not installed yet: changed all the same"])


class MassPreviewView(View):
    plan_id: int = Field(description="The plan that they would move to", examples=[4])
    plan_name: str = Field(description="Its name", examples=["50 Mega"])
    total: int = Field(description="How many are selected", examples=[310])
    to_change: int = Field(description="How many of them would change", examples=[300])
    before_cents: int = Field(description="What those cost a month now, together, in cents", examples=[2397000])
    after_cents: int = Field(description="What they would cost", examples=[2997000])
    warnings: dict[str, int] = Field(
        description="What one should know, and of how many", examples=[{"on this plan already: skipped": 10}]
    )
    digest: str = Field(description="Give it to mass-change.start", examples=["9f86d081884c7d65"])
    rows: list[MassPreviewRowView] = Field(description="What would become of each, a page of them")
    next: str | None = Field(
        description="Give it back as `after` to get the next page of rows; null: this was the last", examples=["MS41MA"]
    )


class MassChangeView(View):
    model_config = columns("id", "plan_name", "status", "total", "done", "skipped", "failed", "left", "started_at")

    id: int = Field(description="The mass change's id", examples=[5])
    plan_id: int = Field(description="The plan that they move to", examples=[4])
    plan_name: str = Field(description="Its name", examples=["50 Mega"])
    change_price: bool = Field(description="Whether they cost what it costs", examples=[True])
    selection: dict[str, Any] = Field(description="Which were selected", examples=[{"plan_id": 3}])
    status: str = Field(description="running, done or cancelled", examples=["running"])
    total: int = Field(description="How many it is about", examples=[310])
    done: int = Field(description="How many are changed", examples=[150])
    skipped: int = Field(description="How many had nothing to change", examples=[10])
    failed: int = Field(description="How many could not be changed", examples=[0])
    left: int = Field(description="How many nobody has looked at", examples=[150])
    note: str = Field(description="Why", examples=["everybody on 20 Mega gets 50 Mega"])
    actor: str = Field(description="Who started it", examples=["ana"])
    started_at: Instant = Field(description="When", examples=["2026-03-02T12:00:00Z"])
    finished_at: Instant | None = Field(description="When it ended", examples=["2026-03-02T12:00:30Z"])

    @classmethod
    def of(cls, row: object, **extra: object) -> Self:
        if isinstance(row, MassChange):
            extra = {"plan_name": row.plan.name, **extra}
        return super().of(row, **extra)


class MassChangeRowView(View):
    model_config = columns("id", "subscription_id", "subscriber_name", "status", "detail")

    id: int = Field(description="The row's id", examples=[77])
    subscription_id: int = Field(description="Which subscription", examples=[12])
    subscriber_name: str = Field(description="Whose it is", examples=["Maria da Silva"])
    status: str = Field(description="waiting, done, skipped or failed", examples=["done"])
    detail: str = Field(description="What became of it, or why not", examples=["20 Mega → 50 Mega"])
    changed_at: Instant | None = Field(description="When it was changed", examples=["2026-03-02T12:00:10Z"])

    @classmethod
    def of(cls, row: object, **extra: object) -> Self:
        if isinstance(row, MassChangeRow):
            extra = {"subscriber_name": row.subscription.subscriber.name, **extra}
        return super().of(row, **extra)


@router.post(
    "/preview", operation_id="mass-change.preview", summary="What a mass plan change would do; changes nothing"
)
def preview(request: Request, pages: Pages, body: MassChangeIn) -> MassPreviewView:
    def look(tx: Transaction) -> MassPreviewView:
        after, limit = pages.place or 0, pages.limit + 1
        found = mass_change.preview_mass_change(tx, **body.wanted(), after=after, limit=limit)
        rows = pages.made([(row.subscription_id, row) for row in found.rows], MassPreviewRowView.of)
        plan = {"plan_id": found.plan.id, "plan_name": found.plan.name}
        return MassPreviewView.of(found, **plan, rows=rows.items, next=rows.next)

    return read(request, look)


@router.post(
    "",
    operation_id="mass-change.start",
    status_code=201,
    summary="Change all that the preview showed, in the background; refused when it would show something else by now",
)
def start(request: Request, body: MassChangeStart) -> MassChangeView:
    def work(tx: Transaction) -> MassChangeView:
        return MassChangeView.of(mass_change.start_mass_change(tx, **body.wanted(), digest=body.digest, note=body.note))

    return write(request, work)


@router.get("", operation_id="mass-change.list", summary="The mass plan changes, newest first")
def list_mass_changes(pages: Pages) -> Page[MassChangeView]:
    return pages.of(select(MassChange), MassChange.id, MassChangeView.of, newest_first=True)


@router.get("/{mass_change_id}", operation_id="mass-change.show", summary="One mass plan change and how far it is")
def show(request: Request, mass_change_id: MassChangeId) -> MassChangeView:
    return read(request, lambda tx: MassChangeView.of(mass_change.get_mass_change(tx, mass_change_id)))


@router.get("/{mass_change_id}/rows", operation_id="mass-change.rows", summary="What became of each subscription")
def show_rows(
    request: Request,
    pages: Pages,
    mass_change_id: MassChangeId,
    status: Annotated[
        Literal["waiting", "done", "skipped", "failed"] | None,
        Query(description="Only those that stand so", examples=["failed"]),
    ] = None,
) -> Page[MassChangeRowView]:
    def look(tx: Transaction) -> Page[MassChangeRowView]:
        rows = mass_change.rows_of(tx, mass_change_id, status=status, after=pages.place or 0, limit=pages.limit + 1)
        return pages.made([(row.id, row) for row in rows], MassChangeRowView.of)

    return read(request, look)


@router.post(
    "/{mass_change_id}/cancel",
    operation_id="mass-change.cancel",
    summary="Stop a running one: what is changed stays so, the rest stays as it is",
)
def cancel(request: Request, mass_change_id: MassChangeId, body: MassChangeStop) -> MassChangeView:
    def work(tx: Transaction) -> MassChangeView:
        change = mass_change.cancel_mass_change(tx, mass_change_id=mass_change_id, note=body.note)
        return MassChangeView.of(change)

    return write(request, work)
