"""The audit trail: who changed what, when, from where."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select

from api.fields import Instant
from api.models import Page, View, columns
from api.paging import Pages
from core.audit import AuditEntry

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])


class AuditView(View):
    model_config = columns("id", "at", "actor", "source", "action", "entity", "entity_id", "note")

    id: int = Field(description="The entry's id", examples=[120])
    at: Instant = Field(description="When", examples=["2026-03-02T12:00:00Z"])
    actor: str = Field(description="Who", examples=["ana"])
    source: str = Field(description="From where: api, cli, routine, webhook or system", examples=["api"])
    request_id: str = Field(description="In which request", examples=["4b1d3f0c7a6e4f6e9a1c2d3e4f5a6b7c"])
    action: str = Field(description="What was done", examples=["changed"])
    entity: str = Field(description="To which kind of thing", examples=["plan"])
    entity_id: str = Field(description="To which one", examples=["7"])
    before: dict[str, Any] | None = Field(description="What it was", examples=[{"price_cents": 9990}])
    after: dict[str, Any] | None = Field(description="What it is", examples=[{"price_cents": 10990}])
    note: str = Field(description="Why", examples=["new price list"])


@router.get("", operation_id="audit.list", summary="The audit trail, newest first")
def list_entries(
    pages: Pages,
    entity: Annotated[
        str | None, Query(max_length=32, description="Only this kind of thing", examples=["plan"])
    ] = None,
    entity_id: Annotated[str | None, Query(max_length=64, description="Only this one", examples=["7"])] = None,
    actor: Annotated[str | None, Query(max_length=120, description="Only what this one did", examples=["ana"])] = None,
    request_id: Annotated[
        str | None, Query(max_length=64, description="Only this request", examples=["4b1d3f0c7a6e4f6e"])
    ] = None,
) -> Page[AuditView]:
    wanted = select(AuditEntry)
    for column, value in (
        (AuditEntry.entity, entity),
        (AuditEntry.entity_id, entity_id),
        (AuditEntry.actor, actor),
        (AuditEntry.request_id, request_id),
    ):
        if value is not None:
            wanted = wanted.where(column == value)
    return pages.of(wanted, AuditEntry.id, AuditView.of, newest_first=True)
